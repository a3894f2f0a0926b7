// SPDX-License-Identifier: Apache-2.0
// How an answer gets from the device's thread to its caller's: pieces of text, then the completion. Who reads slowly gets longer
// pieces and delays nobody.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/chat_model.h"

#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

class Outbox {
public:
    void add(std::string_view text_utf8, std::vector<TokenLogprobs> logprobs = {}) {
        {
            const std::lock_guard lock(mutex_);
            text_ += text_utf8;
            logprobs_.insert(logprobs_.end(), std::make_move_iterator(logprobs.begin()), std::make_move_iterator(logprobs.end()));
        }
        changed_.notify_one();
    }
    void end(Result<Completion> completion) {
        const std::lock_guard lock(mutex_); // held while notifying: the reader may destroy this object right after
        completion_ = std::move(completion);
        changed_.notify_one();
    }
    /// Reads to the end, on the caller's thread.
    Result<Completion> read(const OnText& on_text) {
        std::unique_lock lock(mutex_);
        for (;;) {
            const auto has_piece = [this] { return !text_.empty() || !logprobs_.empty(); };
            changed_.wait(lock, [&] { return has_piece() || completion_; });
            if (!has_piece()) {
                return *std::move(completion_);
            }
            const std::string text = std::exchange(text_, {});
            const std::vector<TokenLogprobs> logprobs = std::exchange(logprobs_, {});
            lock.unlock();
            if (on_text) {
                on_text({.text_utf8 = text, .logprobs = logprobs});
            }
            lock.lock();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    std::vector<TokenLogprobs> logprobs_;
    std::optional<Result<Completion>> completion_;
};

} // namespace handeye
