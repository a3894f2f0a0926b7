// SPDX-License-Identifier: Apache-2.0
// Opens displays and turns Xlib's callbacks for errors into values.
// Xlib keeps one error handler for the whole process; ours finds the Connection by its Display. A lost server is reported by
// XSetIOErrorExitHandler (libX11 1.7 and later), without which Xlib calls exit().
#include "platforms/x11/connection.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr long kPropertyLongsMax = 1L << 18; // 1 MiB; larger values are cut

/// Displays that are open now, for the handlers, which know nothing but the Display.
class OpenDisplays {
public:
    static OpenDisplays& instance() {
        static OpenDisplays displays;
        return displays;
    }
    void add(::Display* display, std::shared_ptr<Connection::State> state) {
        const std::lock_guard lock(mutex_);
        states_[display] = std::move(state);
    }
    void remove(::Display* display) {
        const std::lock_guard lock(mutex_);
        states_.erase(display);
    }
    std::shared_ptr<Connection::State> find(::Display* display) {
        const std::lock_guard lock(mutex_);
        const auto found = states_.find(display);
        return found == states_.end() ? nullptr : found->second;
    }

private:
    std::mutex mutex_;
    std::map<::Display*, std::shared_ptr<Connection::State>> states_;
};

int on_protocol_error(::Display* display, XErrorEvent* event) {
    const auto state = OpenDisplays::instance().find(display);
    if (state == nullptr) {
        return 0;
    }
    char text[128] = {};
    XGetErrorText(display, event->error_code, text, sizeof text);
    const std::lock_guard lock(state->mutex);
    if (!state->first_error) {
        const bool is_gone = event->error_code == BadWindow || event->error_code == BadDrawable;
        state->first_error = Error{is_gone ? ErrorCode::NotFound : ErrorCode::Internal,
                                   fmt::format("X error {} (request {}.{}, resource 0x{:x})", text,
                                               event->request_code, event->minor_code,
                                               event->resourceid)};
    }
    return 0;
}

int on_lost(::Display* /*display*/) { return 0; } // Xlib's own handler would print

void on_lost_exit(::Display* display, void* /*data*/) {
    if (const auto state = OpenDisplays::instance().find(display)) {
        state->lost = true;
    }
    // Xlib locked the display for the thread that saw the loss and expects it to exit; another thread
    // that closes the display later would wait for ever.
    XUnlockDisplay(display);
}

void install_handlers() {
    static const bool once = [] {
        XInitThreads();
        XSetErrorHandler(on_protocol_error);
        XSetIOErrorHandler(on_lost);
        struct sigaction action {};
        // Xlib writes without MSG_NOSIGNAL: a server that went away would end a program that never thought of it.
        if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
            signal(SIGPIPE, SIG_IGN);
        }
        return true;
    }();
    static_cast<void>(once);
}

::Display* open_with_cookie(const std::string& name, const std::vector<std::uint8_t>& cookie) {
    static std::mutex mutex; // XSetAuthorization is process-wide
    const std::lock_guard lock(mutex);
    if (cookie.empty()) {
        return XOpenDisplay(name.c_str());
    }
    std::string method = "MIT-MAGIC-COOKIE-1";
    std::string data(cookie.begin(), cookie.end());
    XSetAuthorization(method.data(), static_cast<int>(method.size()), data.data(),
                      static_cast<int>(data.size()));
    ::Display* display = XOpenDisplay(name.c_str());
    XSetAuthorization(nullptr, 0, nullptr, 0);
    return display;
}

} // namespace

Result<std::unique_ptr<Connection>> Connection::open(const DisplayAddress& address) {
    install_handlers();
    std::string name = address.name;
    if (name.empty()) {
        const char* from_environment = std::getenv("DISPLAY");
        name = from_environment == nullptr ? "" : from_environment;
    }
    if (name.empty()) {
        return Error{ErrorCode::Unavailable,
                     "no X display: DISPLAY is not set; name one with --display, or start one with "
                     "--headless 1280x800"};
    }
    ::Display* display = open_with_cookie(name, address.cookie);
    if (display == nullptr) {
        return Error{ErrorCode::Unavailable,
                     fmt::format("X display \"{}\" cannot be opened: no server answers there, or it "
                                 "refused this user; --headless 1280x800 starts one",
                                 name)};
    }
    std::unique_ptr<Connection> connection(new Connection);
    connection->display_ = display;
    connection->root_ = XDefaultRootWindow(display);
    connection->name_ = std::move(name);
    connection->state_ = std::make_shared<State>();
    OpenDisplays::instance().add(display, connection->state_);
    XSetIOErrorExitHandler(display, on_lost_exit, nullptr);
    return connection;
}

Connection::~Connection() {
    XCloseDisplay(display_); // may report errors: the handlers must still know us
    OpenDisplays::instance().remove(display_);
}

int Connection::fd() const { return XConnectionNumber(display_); }

Atom Connection::atom(const char* name) {
    const auto found = std::find_if(atoms_.begin(), atoms_.end(),
                                    [&](const auto& known) { return known.first == name; });
    if (found != atoms_.end()) {
        return found->second;
    }
    const Atom atom = is_lost() ? 0 : XInternAtom(display_, name, 0);
    atoms_.emplace_back(name, atom);
    return atom;
}

Result<void> Connection::check(std::string_view doing) {
    if (is_lost()) {
        return Error{ErrorCode::Unavailable,
                     fmt::format("{}: X display \"{}\" went away", doing, name_)};
    }
    const std::lock_guard lock(state_->mutex);
    if (auto error = std::exchange(state_->first_error, std::nullopt)) {
        return error->with_context(doing);
    }
    return {};
}

Result<void> Connection::sync(std::string_view doing) {
    if (!is_lost()) {
        XSync(display_, 0);
    }
    return check(doing);
}

void Connection::ignore_errors() {
    const std::lock_guard lock(state_->mutex);
    state_->first_error.reset();
}

Property read_property(Connection& connection, ::Window window, Atom property) {
    Property result;
    if (connection.is_lost()) {
        return result;
    }
    int format = 0;
    unsigned long count = 0;
    unsigned long left = 0;
    unsigned char* data = nullptr;
    const int status =
        XGetWindowProperty(connection.get(), window, property, 0, kPropertyLongsMax, 0,
                           AnyPropertyType, &result.type, &format, &count, &left, &data);
    if (status != 0 || data == nullptr) {
        connection.ignore_errors(); // the window went away: the same as no property
        return result;
    }
    if (format == 8) {
        result.bytes.assign(data, data + count);
    } else if (format == 32) { // Xlib hands 32-bit items out as longs
        const auto* values = reinterpret_cast<const unsigned long*>(data);
        result.values.assign(values, values + count);
    }
    XFree(data);
    return result;
}

} // namespace handeye::x11
