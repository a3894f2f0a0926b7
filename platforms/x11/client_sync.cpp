// SPDX-License-Identifier: Apache-2.0
// Two signs that a client is through with its events: its answer to a ping, or its process asleep with nothing to read.
#include "platforms/x11/client_sync.h"

#include <poll.h>

#include <algorithm>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr Duration kLook = std::chrono::milliseconds(2);
constexpr int kIdleLooksNeeded = 3;
constexpr int kAncestorsMax = 32;

/// What the kernel tells of a process: whether it sleeps, and how often it was given and gave up the processor.
struct ProcessLook {
    bool is_asleep = true;
    std::string switches;
    bool operator==(const ProcessLook&) const = default;
};

/// A process that is gone looks asleep for ever: it reads nothing any more.
ProcessLook look_at(int pid) {
    ProcessLook look;
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("State:")) {
            look.is_asleep = line.find('S', sizeof("State:") - 1) != std::string::npos;
        } else if (line.find("ctxt_switches:") != std::string::npos) {
            look.switches += line;
        }
    }
    return look;
}

} // namespace

Result<std::unique_ptr<ClientSync>> ClientSync::open(const DisplayAddress& address, Clock& clock) {
    auto connection = TRY(Connection::open(address));
    // Programs answer a ping by a message to the root window; the window manager is not the only one who may listen.
    XSelectInput(connection->get(), connection->root(), SubstructureNotifyMask);
    TRY(connection->sync("listening to the root window"));
    return std::unique_ptr<ClientSync>(new ClientSync(std::move(connection), clock));
}

Result<::Window> ClientSync::focused_window() {
    TRY(connection_->check("keyboard focus"));
    ::Window window = 0;
    int revert = 0;
    XGetInputFocus(connection_->get(), &window, &revert);
    TRY(connection_->check("keyboard focus"));
    if (window == kNone) {
        return ::Window{0};
    }
    if (window != PointerRoot && window != connection_->root()) {
        return window;
    }
    ::Window root = 0, child = connection_->root();
    int root_x = 0, root_y = 0, x = 0, y = 0;
    unsigned mask = 0;
    ::Window deepest = 0;
    for (int depth = 0; depth < kAncestorsMax && child != 0; ++depth) {
        deepest = child;
        if (XQueryPointer(connection_->get(), deepest, &root, &child, &root_x, &root_y, &x, &y, &mask) == 0) {
            break;
        }
    }
    connection_->ignore_errors(); // windows may go away while we descend
    return deepest == connection_->root() ? ::Window{0} : deepest;
}

::Window ClientSync::toplevel_of(::Window window) {
    const Atom state = connection_->atom("WM_STATE");
    const Atom protocols = connection_->atom("WM_PROTOCOLS");
    for (int depth = 0; depth < kAncestorsMax && window != 0 && window != connection_->root(); ++depth) {
        if (read_property(*connection_, window, state).type != 0 ||
            read_property(*connection_, window, protocols).type != 0) {
            return window;
        }
        ::Window root = 0, parent = 0;
        ::Window* children = nullptr;
        unsigned count = 0;
        if (connection_->is_lost() ||
            XQueryTree(connection_->get(), window, &root, &parent, &children, &count) == 0) {
            break;
        }
        if (children != nullptr) {
            XFree(children);
        }
        window = parent;
    }
    connection_->ignore_errors();
    return 0;
}

bool ClientSync::answers_pings(::Window window) {
    const Property protocols = read_property(*connection_, window, connection_->atom("WM_PROTOCOLS"));
    const Atom ping = connection_->atom("_NET_WM_PING");
    return std::find(protocols.values.begin(), protocols.values.end(), ping) != protocols.values.end();
}

Result<bool> ClientSync::wait_for_event(const std::function<bool(const XEvent&)>& is_wanted, TimePoint deadline,
                                        std::stop_token stop) {
    XFlush(connection_->get());
    while (true) {
        while (!connection_->is_lost() && XPending(connection_->get()) > 0) {
            XEvent event;
            XNextEvent(connection_->get(), &event);
            if (is_wanted(event)) {
                return true;
            }
        }
        TRY(connection_->check("waiting for a program"));
        const TimePoint now = clock_.now();
        if (now >= deadline || stop.stop_requested()) {
            return false;
        }
        pollfd ready{connection_->fd(), POLLIN, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
        poll(&ready, 1, static_cast<int>(std::clamp<long>(left, 1, 10)));
    }
}

Result<Handling> ClientSync::ping(::Window window, TimePoint deadline, std::stop_token stop) {
    const Atom protocols = connection_->atom("WM_PROTOCOLS");
    const auto token = static_cast<long>(next_token_++); // stands where a timestamp would: it comes back as it was sent
    XEvent event{};
    event.xclient.type = ClientMessage;
    event.xclient.window = window;
    event.xclient.message_type = protocols;
    event.xclient.format = 32;
    event.xclient.data.l[0] = static_cast<long>(connection_->atom("_NET_WM_PING"));
    event.xclient.data.l[1] = token;
    event.xclient.data.l[2] = static_cast<long>(window);
    XSendEvent(connection_->get(), window, 0, NoEventMask, &event);
    const auto is_pong = [&](const XEvent& answer) {
        return answer.type == ClientMessage && answer.xclient.message_type == protocols &&
               answer.xclient.window == connection_->root() && answer.xclient.data.l[0] == event.xclient.data.l[0] &&
               answer.xclient.data.l[1] == token;
    };
    const bool has_answered = TRY(wait_for_event(is_pong, deadline, std::move(stop)));
    return has_answered ? Handling::Done : Handling::Busy;
}

Result<bool> ClientSync::wait_for_manager(TimePoint deadline, std::stop_token stop) {
    TRY(connection_->sync("waiting for the window manager"));
    const Atom request = connection_->atom("_NET_REQUEST_FRAME_EXTENTS");
    const Property supported = read_property(*connection_, connection_->root(), connection_->atom("_NET_SUPPORTED"));
    if (std::find(supported.values.begin(), supported.values.end(), request) == supported.values.end()) {
        return true; // no manager, or one that answers no questions
    }
    if (probe_ == 0) {
        probe_ = XCreateSimpleWindow(connection_->get(), connection_->root(), -1, -1, 1, 1, 0, 0, 0);
        XSelectInput(connection_->get(), probe_, PropertyChangeMask);
    }
    XEvent event{};
    event.xclient.type = ClientMessage;
    event.xclient.window = probe_;
    event.xclient.message_type = request;
    event.xclient.format = 32;
    XSendEvent(connection_->get(), connection_->root(), 0, SubstructureRedirectMask | SubstructureNotifyMask, &event);
    const Atom extents = connection_->atom("_NET_FRAME_EXTENTS");
    const auto is_answer = [&](const XEvent& answer) {
        return answer.type == PropertyNotify && answer.xproperty.window == probe_ && answer.xproperty.atom == extents;
    };
    return wait_for_event(is_answer, deadline, std::move(stop));
}

/// A program also sleeps while it waits for an answer of the server, say the keyboard map. But each of our round trips is over only
/// after a turn of the server, in which it answers the program too: a program that has not run for several of them awaits nothing.
Result<Handling> ClientSync::wait_until_idle(int pid, TimePoint deadline, std::stop_token stop) {
    ProcessLook before = look_at(pid);
    for (int idle_looks = 0; idle_looks < kIdleLooksNeeded;) {
        if (clock_.now() >= deadline || clock_.sleep_for(kLook, stop) == WaitResult::Stopped) {
            return Handling::Busy;
        }
        TRY(connection_->sync("waiting for a program"));
        ProcessLook now = look_at(pid);
        idle_looks = now.is_asleep && now == before ? idle_looks + 1 : 0;
        before = std::move(now);
    }
    return Handling::Done;
}

Result<Handling> ClientSync::wait_until_handled(TimePoint deadline, std::stop_token stop) {
    TRY(connection_->sync("waiting for a program"));
    const ::Window focus = TRY(focused_window());
    const ::Window window = focus == 0 ? 0 : toplevel_of(focus);
    if (window == 0) {
        return Handling::Done; // nobody receives the input
    }
    if (answers_pings(window)) {
        return ping(window, deadline, stop);
    }
    const Property pid = read_property(*connection_, window, connection_->atom("_NET_WM_PID"));
    if (pid.values.empty()) {
        return Handling::CannotTell;
    }
    return wait_until_idle(static_cast<int>(pid.values.front()), deadline, stop);
}

} // namespace handeye::x11
