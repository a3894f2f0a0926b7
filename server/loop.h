// SPDX-License-Identifier: Apache-2.0
// The server's one I/O thread, as other threads see it: a place to run short functions on, now or later.
#pragma once

#include "base/clock.h"

#include <functional>
#include <memory>
#include <thread>

namespace boost::asio {
class io_context;
}

namespace handeye {

class Loop {
public:
    Loop();
    /// stop() must have been called when run_on_thread() was.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run_on_thread();
    /// Waits until the thread has ended; what is still queued is dropped.
    void stop();

    /// Runs at once when called on the loop's own thread, else soon. Any thread.
    void dispatch(std::function<void()> function);
    /// Runs soon, never at once. Any thread.
    void post(std::function<void()> function);
    /// Runs on the loop after `delay`. Any thread.
    void after(Duration delay, std::function<void()> function);

    [[nodiscard]] boost::asio::io_context& context();

private:
    std::unique_ptr<boost::asio::io_context> context_;
    std::thread thread_;
};

} // namespace handeye
