// SPDX-License-Identifier: Apache-2.0
// Computes grammar masks beside the device: where a mask is new, it is ready by the time the logits are.
#pragma once

#include "engine/runtime/answer_guide.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace handeye {

/// A thread that sleeps unless there is a mask to compute. What it finds out is kept by the grammar, whose matcher waits for a mask that
/// is being computed.
class MaskWorker {
public:
    MaskWorker() : thread_([this](const std::stop_token& stop) { work(stop); }) {}

    /// Returns at once. Errors are the matcher's to find.
    void compute(AnswerGuide::Ahead mask) {
        if (mask.grammar->has_mask(mask.key)) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            due_.push_back(std::move(mask));
        }
        changed_.notify_one();
    }

private:
    void work(const std::stop_token& stop) {
        for (;;) {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [this] { return !due_.empty(); })) {
                return;
            }
            const AnswerGuide::Ahead mask = std::move(due_.front());
            due_.pop_front();
            lock.unlock();
            (void)mask.grammar->mask(mask.key);
        }
    }

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<AnswerGuide::Ahead> due_;
    std::jthread thread_; // last: it uses the others
};

} // namespace handeye
