// SPDX-License-Identifier: Apache-2.0
// A red and a blue button that do not stay where they are. Client messages of the type HANDEYE_CHANGE ask for a change (a letter) after
// so many milliseconds: s: both swap, m: both move, c: something covers the red one for a while, l: both go away and come back
// swapped, r: both are destroyed and made anew, swapped, h: from now on the red one lights up beneath the pointer. What is pressed is written to a file (argv[1]): "press red",
// "press blue", "press ground", "press cover"; "leave red" when the light goes out; and "change s" when a change has been asked of the server.
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kButtonWidth = 120, kButtonHeight = 48, kLeft = 60, kRight = 360, kHigh = 100, kLow = 200;
constexpr unsigned long kRed = 0xd02020, kLit = 0xe82020;
constexpr auto kAway = std::chrono::milliseconds(40);

class Buttons {
public:
    Buttons(Display* display, std::FILE* out) : display_(display), out_(out) {
        ground_ = make(XDefaultRootWindow(display), {100, 100, 600, 400}, 0xd0d0d0, true);
        cover_ = make(XDefaultRootWindow(display), {0, 0, kButtonWidth, kButtonHeight}, 0x20a020, true);
        names_[ground_] = "press ground";
        names_[cover_] = "press cover";
        XStoreName(display, ground_, "handeye buttons");
        make_buttons();
        XMapRaised(display, ground_);
        XSync(display, 0);
        say("ready");
    }

    void run() {
        for (;;) {
            while (XPending(display_) > 0) {
                XEvent event;
                XNextEvent(display_, &event);
                hear(event);
            }
            do_what_is_due();
            XFlush(display_);
            pollfd wait{XConnectionNumber(display_), POLLIN, 0};
            if (XPending(display_) == 0) {
                ::poll(&wait, 1, patience_ms());
            }
        }
    }

private:
    struct Area {
        int x, y;
        unsigned width, height;
    };

    Window make(Window parent, Area area, unsigned long colour, bool is_toplevel) {
        XSetWindowAttributes attributes{};
        attributes.override_redirect = is_toplevel ? 1 : 0;
        attributes.background_pixel = colour;
        attributes.event_mask = ButtonPressMask;
        return XCreateWindow(display_, parent, area.x, area.y, area.width, area.height, 0, CopyFromParent, InputOutput, nullptr,
                             CWOverrideRedirect | CWBackPixel | CWEventMask, &attributes);
    }
    void make_buttons() {
        red_ = make(ground_, {red_x(), y(), kButtonWidth, kButtonHeight}, kRed, false);
        blue_ = make(ground_, {blue_x(), y(), kButtonWidth, kButtonHeight}, 0x2020d0, false);
        names_[red_] = "press red";
        names_[blue_] = "press blue";
        XMapSubwindows(display_, ground_);
    }
    [[nodiscard]] int red_x() const { return is_swapped_ ? kRight : kLeft; }
    [[nodiscard]] int blue_x() const { return is_swapped_ ? kLeft : kRight; }
    [[nodiscard]] int y() const { return is_low_ ? kLow : kHigh; }

    void say(const char* text) {
        std::fprintf(out_, "%s\n", text);
        std::fflush(out_);
    }
    void hear(const XEvent& event) {
        if (event.type == ClientMessage) {
            plan(static_cast<char>(event.xclient.data.l[0]), std::chrono::milliseconds(event.xclient.data.l[1]));
        } else if (event.type == ButtonPress) {
            say(names_[event.xbutton.window]); // the window may be gone by now
        } else if (event.type == EnterNotify && event.xcrossing.mode == NotifyNormal) {
            light(kLit);
        } else if (event.type == LeaveNotify && event.xcrossing.mode == NotifyNormal) { // a press grabs the pointer: that is no leaving
            light(kRed);
            say("leave red");
        }
    }
    void light(unsigned long colour) {
        XSetWindowBackground(display_, red_, colour);
        XClearWindow(display_, red_);
    }
    void plan(char change, Clock::duration after) { due_.emplace_back(Clock::now() + after, change); }
    [[nodiscard]] int patience_ms() const {
        if (due_.empty()) {
            return -1;
        }
        const auto first = std::min_element(due_.begin(), due_.end());
        return static_cast<int>(std::max<long>(0, std::chrono::ceil<std::chrono::milliseconds>(first->first - Clock::now()).count()));
    }
    void do_what_is_due() {
        const auto now = Clock::now();
        const auto later = std::stable_partition(due_.begin(), due_.end(), [&](const auto& entry) { return entry.first <= now; });
        const std::vector<std::pair<Clock::time_point, char>> ready(due_.begin(), later);
        due_.erase(due_.begin(), later);
        for (const auto& [at, change] : ready) {
            make_change(change);
        }
    }
    void place() {
        XMoveWindow(display_, red_, red_x(), y());
        XMoveWindow(display_, blue_, blue_x(), y());
    }
    void make_change(char change) {
        switch (change) {
        case 's':
            is_swapped_ = !is_swapped_;
            place();
            break;
        case 'm':
            is_low_ = !is_low_;
            place();
            break;
        case 'c':
            XMoveWindow(display_, cover_, 100 + red_x(), 100 + y());
            XMapRaised(display_, cover_);
            plan('u', kAway);
            break;
        case 'u': XUnmapWindow(display_, cover_); break;
        case 'l':
            is_swapped_ = !is_swapped_;
            XUnmapSubwindows(display_, ground_);
            place();
            plan('b', kAway);
            break;
        case 'b': XMapSubwindows(display_, ground_); break;
        case 'r':
            is_swapped_ = !is_swapped_;
            XDestroySubwindows(display_, ground_);
            make_buttons();
            break;
        case 'h': XSelectInput(display_, red_, ButtonPressMask | EnterWindowMask | LeaveWindowMask); break;
        default: break;
        }
        const char text[] = {'c', 'h', 'a', 'n', 'g', 'e', ' ', change, '\0'};
        say(text);
    }

    Display* display_;
    std::FILE* out_;
    Window ground_ = 0, cover_ = 0, red_ = 0, blue_ = 0;
    std::map<Window, const char*> names_; // of those that are gone, too
    bool is_swapped_ = false, is_low_ = false;
    std::vector<std::pair<Clock::time_point, char>> due_;
};

} // namespace

int main(int argc, char** argv) {
    Display* display = XOpenDisplay(nullptr);
    std::FILE* out = argc == 2 ? std::fopen(argv[1], "w") : nullptr;
    if (display == nullptr || out == nullptr) {
        return 2;
    }
    Buttons(display, out).run();
}
