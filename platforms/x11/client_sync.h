// SPDX-License-Identifier: Apache-2.0
// Waits until the program with the keyboard focus has handled the input that was sent to it.
#pragma once

#include "base/clock.h"
#include "platforms/x11/connection.h"

#include <functional>
#include <memory>

namespace handeye::x11 {

/// Whether a program is through with its input.
enum class Handling { Done, Busy, CannotTell };

class ClientSync {
public:
    static Result<std::unique_ptr<ClientSync>> open(const DisplayAddress& address, Clock& clock);

    /// Asks the focused window's program for a sign of life (_NET_WM_PING), which it gives after all earlier events. A program
    /// that answers no pings is done when its process was seen not to run although it could have. Busy: neither was seen
    /// before `deadline`; CannotTell: it answers no pings and does not say which process it is.
    Result<Handling> wait_until_handled(TimePoint deadline, std::stop_token stop);

    /// Returns when the window manager has handled all events so far (true at once where there is none): a click moves the focus
    /// only when the manager gets round to it. False when it did not answer before `deadline`.
    Result<bool> wait_for_manager(TimePoint deadline, std::stop_token stop);

    /// The window that keys go to now, or 0: with focus on the root it is the one under the pointer.
    Result<::Window> focused_window();
    /// The ancestor of `window` (or itself) that carries WM_STATE or WM_PROTOCOLS: what a person calls the window. 0 if none.
    ::Window toplevel_of(::Window window);

private:
    ClientSync(std::unique_ptr<Connection> connection, Clock& clock)
        : connection_(std::move(connection)), clock_(clock) {}
    bool answers_pings(::Window window);
    Result<Handling> ping(::Window window, TimePoint deadline, std::stop_token stop);
    Result<Handling> wait_until_idle(int pid, TimePoint deadline, std::stop_token stop);
    Result<bool> wait_for_event(const std::function<bool(const XEvent&)>& is_wanted, TimePoint deadline, std::stop_token stop);

    std::unique_ptr<Connection> connection_;
    Clock& clock_;
    unsigned long next_token_ = 1;
    ::Window probe_ = 0; ///< never shown: the manager is asked about it
};

} // namespace handeye::x11
