// SPDX-License-Identifier: Apache-2.0
// The owner's side of the selection protocol (ICCCM section 2), for one text and a short time.
#include "platforms/x11/clipboard.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <climits>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr int kLookMs = 5;

} // namespace

Clipboard::Clipboard(std::unique_ptr<Connection> connection, Clock& clock)
    : connection_(std::move(connection)), clock_(clock) {}

Result<std::unique_ptr<Clipboard>> Clipboard::open(const DisplayAddress& address, Clock& clock) {
    std::unique_ptr<Clipboard> clipboard(new Clipboard(TRY(Connection::open(address)), clock));
    Connection& connection = *clipboard->connection_;
    clipboard->window_ = XCreateSimpleWindow(connection.get(), connection.root(), -1, -1, 1, 1, 0, 0, 0);
    TRY(connection.sync("opening the clipboard"));
    return clipboard;
}

void Clipboard::own(::Window window) {
    XSetSelectionOwner(connection_->get(), connection_->atom("CLIPBOARD"), window, CurrentTime);
    XSetSelectionOwner(connection_->get(), XA_PRIMARY, window, CurrentTime); // what Shift+Insert pastes in a terminal
}

bool Clipboard::answer(const XSelectionRequestEvent& request, std::string_view text_utf8) {
    const Atom utf8 = connection_->atom("UTF8_STRING");
    const Atom mime = connection_->atom("text/plain;charset=utf-8");
    const Atom targets = connection_->atom("TARGETS");
    const Atom property = request.property == kNone ? request.target : request.property; // old clients name none
    const bool is_text = request.target == utf8 || request.target == mime;
    const bool is_known = is_text || request.target == targets;
    if (request.target == targets) {
        const std::array<Atom, 3> offered = {targets, utf8, mime};
        XChangeProperty(connection_->get(), request.requestor, property, XA_ATOM, 32, PropModeReplace,
                        reinterpret_cast<const unsigned char*>(offered.data()), static_cast<int>(offered.size()));
    } else if (is_text) {
        XChangeProperty(connection_->get(), request.requestor, property, request.target, 8, PropModeReplace,
                        reinterpret_cast<const unsigned char*>(text_utf8.data()), static_cast<int>(text_utf8.size()));
    }
    XEvent reply{};
    reply.xselection.type = SelectionNotify;
    reply.xselection.requestor = request.requestor;
    reply.xselection.selection = request.selection;
    reply.xselection.target = request.target;
    reply.xselection.property = is_known ? property : Atom{kNone};
    reply.xselection.time = request.time;
    XSendEvent(connection_->get(), request.requestor, 0, NoEventMask, &reply);
    XSync(connection_->get(), 0);
    connection_->ignore_errors(); // who asked may be gone
    return is_text;
}

bool Clipboard::serve_pending(std::string_view text_utf8) {
    bool was_fetched = false;
    while (!connection_->is_lost() && XPending(connection_->get()) > 0) {
        XEvent event;
        XNextEvent(connection_->get(), &event);
        if (event.type == SelectionRequest) {
            was_fetched = answer(event.xselectionrequest, text_utf8) || was_fetched;
        }
    }
    return was_fetched;
}

Result<bool> Clipboard::paste(std::string_view text_utf8, const std::function<Result<void>()>& press_paste,
                              TimePoint deadline, std::stop_token stop) {
    const auto bytes_max = static_cast<std::size_t>(XMaxRequestSize(connection_->get())) * 4 - 64;
    if (text_utf8.size() > bytes_max) {
        return Error{ErrorCode::LimitExceeded, "the text is too long to paste in one piece"};
    }
    own(window_);
    TRY(connection_->sync("taking the clipboard"));
    TRY(press_paste());
    bool was_fetched = false;
    while (!was_fetched && clock_.now() < deadline && !stop.stop_requested()) {
        pollfd ready{connection_->fd(), POLLIN, 0};
        poll(&ready, 1, kLookMs);
        was_fetched = serve_pending(text_utf8);
        TRY(connection_->check("pasting"));
    }
    own(kNone);
    TRY(connection_->sync("leaving the clipboard"));
    return was_fetched;
}

Result<std::string> Clipboard::read(TimePoint deadline) {
    Display* const display = connection_->get();
    const Atom selection = connection_->atom("CLIPBOARD");
    const Atom property = connection_->atom("HANDEYE_CLIPBOARD");
    if (XGetSelectionOwner(display, selection) == kNone) {
        return std::string();
    }
    XDeleteProperty(display, window_, property);
    XConvertSelection(display, selection, connection_->atom("UTF8_STRING"), property, window_, CurrentTime);
    XFlush(display);
    for (;;) {
        XEvent event{};
        while (XCheckTypedWindowEvent(display, window_, SelectionNotify, &event) != 0) {
            if (event.xselection.selection == selection) {
                return event.xselection.property == kNone ? Result<std::string>(std::string()) : take_property(property);
            }
        }
        if (clock_.now() >= deadline) {
            return Error{ErrorCode::DeadlineExceeded, "the program that owns the clipboard does not answer"};
        }
        pollfd ready{ConnectionNumber(display), POLLIN, 0};
        poll(&ready, 1, kLookMs);
    }
}

Result<std::string> Clipboard::take_property(Atom property) {
    Atom type = kNone;
    int format = 0;
    unsigned long count = 0;
    unsigned long left = 0;
    unsigned char* data = nullptr;
    const int status = XGetWindowProperty(connection_->get(), window_, property, 0, static_cast<long>(kTextBytesMax / 4), 1, AnyPropertyType, &type, &format, &count, &left, &data);
    const std::unique_ptr<unsigned char, decltype(&XFree)> owned(data, &XFree);
    if (status != 0 || format != 8) {
        return type == connection_->atom("INCR") ? Result<std::string>(Error{ErrorCode::LimitExceeded, fmt::format("the clipboard holds a large text; at most {} bytes are read", kTextBytesMax)})
                                                 : std::string();
    }
    if (left > 0) {
        return Error{ErrorCode::LimitExceeded, fmt::format("the clipboard holds {} bytes, at most {} are read", count + left, kTextBytesMax)};
    }
    return std::string(reinterpret_cast<const char*>(data), count);
}

} // namespace handeye::x11
