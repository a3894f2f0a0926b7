// SPDX-License-Identifier: Apache-2.0
// A thread for what would block the I/O thread: reading recordings, releasing keys. In order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace handeye {

class Worker {
public:
    explicit Worker(std::size_t jobs_max);
    /// Finishes the job under way, drops the others.
    ~Worker() = default;

    /// False when the queue is full. Any thread.
    [[nodiscard]] bool submit(std::function<void()> job);

private:
    void run(const std::stop_token& stop);

    const std::size_t jobs_max_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::function<void()>> jobs_;
    std::jthread thread_; // last: it uses the others
};

} // namespace handeye
