// SPDX-License-Identifier: Apache-2.0
// Threads for what would block the I/O thread: reading recordings, releasing keys, waiting for a model.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace handeye {

class Worker {
public:
    /// One thread does the jobs in order; several begin them in order.
    explicit Worker(std::size_t jobs_max, std::size_t threads = 1);
    /// Finishes the jobs under way, drops the others.
    ~Worker() = default;

    /// False when the queue is full. Any thread.
    [[nodiscard]] bool submit(std::function<void()> job);

private:
    void run(const std::stop_token& stop);

    const std::size_t jobs_max_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::function<void()>> jobs_;
    std::vector<std::jthread> threads_; // last: they use the others
};

} // namespace handeye
