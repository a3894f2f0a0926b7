// SPDX-License-Identifier: Apache-2.0
// The probe window on X11. Its own connection lives on its own thread, which reads the keyboard map the moment it
// changes, as a toolkit's main loop does: reading it later would decode keys with the map after the next one.
#include "platforms/probe.h"

#include "platforms/x11/connection.h"
#include "platforms/x11/keysyms.h"
#include "platforms/x11/platform.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <xkbcommon/xkbcommon.h>

namespace handeye {
namespace {

constexpr int kWidthPx = 320;
constexpr int kHeightPx = 160;
constexpr std::array<std::uint8_t, 3> kBackgroundRgb{0x1D, 0x6F, 0xA5};
constexpr Duration kShowDeadline = std::chrono::seconds(5);
constexpr int kPollMs = 20; // the thread also looks for its stop token this often

void append_utf8(std::string& text, char32_t code) {
    if (code < 0x80) {
        text += static_cast<char>(code);
    } else if (code < 0x800) {
        text += {static_cast<char>(0xC0U | code >> 6U), static_cast<char>(0x80U | (code & 0x3FU))};
    } else if (code < 0x10000) {
        text += {static_cast<char>(0xE0U | code >> 12U), static_cast<char>(0x80U | (code >> 6U & 0x3FU)),
                 static_cast<char>(0x80U | (code & 0x3FU))};
    } else {
        text += {static_cast<char>(0xF0U | code >> 18U), static_cast<char>(0x80U | (code >> 12U & 0x3FU)),
                 static_cast<char>(0x80U | (code >> 6U & 0x3FU)), static_cast<char>(0x80U | (code & 0x3FU))};
    }
}

class X11Probe final : public ProbeWindow {
public:
    X11Probe(std::unique_ptr<x11::Connection> connection, ::Window window, Point target_origin)
        : connection_(std::move(connection)), window_(window), target_origin_(target_origin) {
        thread_ = std::jthread([this](const std::stop_token& stop) { pump(stop); });
    }
    ~X11Probe() override {
        thread_.request_stop();
        thread_.join();
        XDestroyWindow(connection_->get(), window_);
    }

    bool wait_shown() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kShowDeadline, [this] { return is_painted_; });
    }
    Rect area() const override {
        const std::scoped_lock lock(mutex_);
        return {root_.x - target_origin_.x, root_.y - target_origin_.y, kWidthPx, kHeightPx};
    }
    std::array<std::uint8_t, 3> background_rgb() const override { return kBackgroundRgb; }

    std::optional<Point> wait_click(Duration timeout) override {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, timeout, [this] { return !clicks_.empty(); })) {
            return std::nullopt;
        }
        const Point at = clicks_.front();
        clicks_.pop_front();
        return Point{at.x - target_origin_.x, at.y - target_origin_.y};
    }
    Result<void> take_focus() override {
        std::unique_lock lock(mutex_);
        text_.clear();
        wants_focus_ = true;
        if (!changed_.wait_for(lock, kShowDeadline, [this] { return has_focus_; })) {
            return Error{ErrorCode::Unavailable, "the probe window did not get the keyboard focus within 5 s"};
        }
        return {};
    }
    std::string wait_text(std::string_view expected, Duration timeout) override {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, timeout, [&] { return text_ == expected; });
        return text_;
    }

private:
    void pump(const std::stop_token& stop) {
        while (!stop.stop_requested() && !connection_->is_lost()) {
            while (!connection_->is_lost() && XPending(connection_->get()) > 0) {
                XEvent event;
                XNextEvent(connection_->get(), &event);
                const std::scoped_lock lock(mutex_);
                handle(event);
            }
            {
                const std::scoped_lock lock(mutex_);
                if (wants_focus_) {
                    wants_focus_ = false;
                    XSetInputFocus(connection_->get(), window_, RevertToParent, CurrentTime);
                    XFlush(connection_->get());
                }
            }
            changed_.notify_all();
            pollfd wait{.fd = ConnectionNumber(connection_->get()), .events = POLLIN, .revents = 0};
            ::poll(&wait, 1, kPollMs);
        }
    }
    void handle(XEvent& event) {
        switch (event.type) {
        case Expose: is_painted_ = true; [[fallthrough]];
        case ConfigureNotify: locate(); break;
        case ButtonPress: clicks_.push_back({event.xbutton.x_root, event.xbutton.y_root}); break;
        case MappingNotify: XRefreshKeyboardMapping(&event.xmapping); break;
        case FocusIn: has_focus_ = true; break;
        case FocusOut: has_focus_ = false; break;
        case KeyPress: take_key(event.xkey); break;
        case SelectionNotify: take_pasted(event.xselection); break;
        default: break;
        }
    }
    void locate() {
        Window child = 0;
        XTranslateCoordinates(connection_->get(), window_, DefaultRootWindow(connection_->get()), 0, 0, &root_.x, &root_.y, &child);
    }
    void take_key(XKeyEvent& key) {
        char ignored[32];
        KeySym symbol = NoSymbol;
        XLookupString(&key, ignored, sizeof ignored, &symbol, nullptr);
        if (symbol == XK_Insert && (key.state & ShiftMask) != 0) {
            XConvertSelection(connection_->get(), connection_->atom("CLIPBOARD"), connection_->atom("UTF8_STRING"), connection_->atom("HANDEYE_PASTED"), window_, key.time);
            XFlush(connection_->get());
            return;
        }
        if (const char32_t code = x11::character_of_keysym(symbol); code != 0) {
            append_utf8(text_, code);
        }
    }

    // As a text field does at Shift+Insert: not every platform has a key for each character.
    void take_pasted(const XSelectionEvent& event) {
        constexpr long kWordsMax = 1024;
        Atom type = 0;
        int bits = 0;
        unsigned long count = 0, rest = 0;
        unsigned char* bytes = nullptr;
        if (event.property != 0 && XGetWindowProperty(connection_->get(), window_, event.property, 0, kWordsMax, 1, connection_->atom("UTF8_STRING"), &type, &bits, &count, &rest, &bytes) == 0 &&
            bytes != nullptr) {
            text_.append(reinterpret_cast<const char*>(bytes), bits == 8 ? count : 0);
            XFree(bytes);
        }
    }

    std::unique_ptr<x11::Connection> connection_; // used by the thread alone while it runs
    ::Window window_;
    Point target_origin_;
    mutable std::mutex mutex_; // guards what follows
    std::condition_variable changed_;
    Point root_;
    bool is_painted_ = false;
    bool wants_focus_ = false;
    bool has_focus_ = false;
    std::deque<Point> clicks_;
    std::string text_;
    std::jthread thread_; // last: stops before the rest goes
};

} // namespace

Result<std::unique_ptr<ProbeWindow>> x11::X11Platform::open_probe() {
    const DisplayInfo info = TRY(display());
    std::unique_ptr<Connection> connection = TRY(Connection::open(address_));
    ::Display* const server = connection->get();
    const int number = DefaultScreen(server);
    XColor color{};
    color.red = static_cast<unsigned short>(kBackgroundRgb[0] * 257);
    color.green = static_cast<unsigned short>(kBackgroundRgb[1] * 257);
    color.blue = static_cast<unsigned short>(kBackgroundRgb[2] * 257);
    XAllocColor(server, DefaultColormap(server, number), &color);
    const Rect shown{info.origin.x, info.origin.y, info.size.width_px, info.size.height_px};
    const Point corner{shown.center().x - kWidthPx / 2, shown.center().y - kHeightPx / 2};
    const ::Window window =
        XCreateSimpleWindow(server, connection->root(), corner.x, corner.y, kWidthPx, kHeightPx, 0, 0, color.pixel);
    XSelectInput(server, window, ExposureMask | StructureNotifyMask | ButtonPressMask | KeyPressMask | FocusChangeMask);
    XStoreName(server, window, "handeye probe");
    // Above everything and where we say: a window manager would place and decorate it.
    XSetWindowAttributes attributes{};
    attributes.override_redirect = 1;
    XChangeWindowAttributes(server, window, CWOverrideRedirect, &attributes);
    XMapRaised(server, window);
    TRY(connection->sync("showing the probe window"));
    auto probe = std::make_unique<X11Probe>(std::move(connection), window, info.origin);
    if (!probe->wait_shown()) {
        return Error{ErrorCode::Unavailable, "the probe window was not shown within 5 s"};
    }
    return std::unique_ptr<ProbeWindow>(std::move(probe));
}

} // namespace handeye
