// SPDX-License-Identifier: Apache-2.0
// Reloads on a thread of its own: where a file system does not answer, the signals that stop and end are served all the same.
#pragma once

#include "base/clock.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace handeye {

/// Any thread.
class ReloadThread {
public:
    explicit ReloadThread(std::function<void()> reload);

    /// Does not wait. However often it is asked for while one runs, one more comes after that.
    void ask();
    /// No other one begins. False: one still runs after `grace`, and nothing that it uses, nor this, can be destroyed.
    [[nodiscard]] bool end(Duration grace);

private:
    void run(const std::stop_token& stop);

    const std::function<void()> reload_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool is_asked_ = false;   // guarded by mutex_, as is_running_
    bool is_running_ = false;
    std::jthread thread_;     // last: it uses the others
};

} // namespace handeye
