// SPDX-License-Identifier: Apache-2.0
// The apps of the test phone: draws the one that has the focus, handles fingers and keys as such an app would, tells uiautomator of
// its views (PHONE_VIEWS) and writes what happened to a file (argv[1]), one line each: "down X Y", "move X Y", "up X Y", "tap X Y",
// "doubletap X Y", "longpress X Y", "swipe X0 Y0 X1 Y1 MS", "drag X0 Y0 X1 Y1", "key NAME", "enter TEXT", "start COMPONENT".
#include "tests/android/device/phone_x.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace {

using namespace handeye;
using namespace handeye::phone;

constexpr unsigned long kLongPressMs = 400; // android.view.ViewConfiguration
constexpr unsigned long kDoubleTapMs = 3000; // 300 on a phone, which is not shared by as many programs as a test machine
constexpr int kSlopPx = 8;
constexpr int kRowPx = 60, kRows = 100;

struct Finger {
    Point from;
    Point at;
    unsigned long since = 0;
    unsigned long moved = 0; ///< when it left its place; 0: it did not
};

class Apps {
public:
    Apps(PhoneX& x, std::FILE* log) : x_(x), log_(log) {
        Display* display = x_.display();
        const int screen = XDefaultScreen(display);
        XSetWindowAttributes attributes{};
        attributes.override_redirect = 1;
        attributes.event_mask = ButtonPressMask | ButtonReleaseMask | PointerMotionMask | KeyPressMask | KeyReleaseMask | ExposureMask;
        window_ = XCreateWindow(display, x_.root(), 0, 0, static_cast<unsigned>(XDisplayWidth(display, screen)),
                                static_cast<unsigned>(XDisplayHeight(display, screen)), 0, CopyFromParent, InputOutput, nullptr,
                                CWOverrideRedirect | CWEventMask, &attributes);
        gc_ = XCreateGC(display, window_, 0, nullptr);
        XSelectInput(display, x_.root(), PropertyChangeMask);
        XMapRaised(display, window_);
        XEvent event;
        do {
            XNextEvent(display, &event);
        } while (event.type != Expose);
        XSetInputFocus(display, window_, RevertToPointerRoot, CurrentTime);
        show();
        note("ready");
    }

    [[noreturn]] void run() {
        while (true) {
            XEvent event;
            XNextEvent(x_.display(), &event);
            handle(event);
        }
    }

private:
    template <class... T>
    void note(const char* format, T... values) {
        std::fprintf(log_, format, values...);
        std::fputc('\n', log_);
        std::fflush(log_);
    }

    void handle(XEvent& event) {
        switch (event.type) {
        case ButtonPress: down({event.xbutton.x, event.xbutton.y}, event.xbutton.time); break;
        case ButtonRelease: up({event.xbutton.x, event.xbutton.y}, event.xbutton.time); break;
        case MotionNotify: move({event.xmotion.x, event.xmotion.y}, event.xmotion.time); break;
        case KeyPress: key(event.xkey); break;
        case Expose: show(); break;
        case MappingNotify: XRefreshKeyboardMapping(&event.xmapping); break;
        case PropertyNotify: changed(event.xproperty.atom); break;
        default: break;
        }
    }

    void changed(Atom atom) {
        const auto is = [&](const char* name) { return atom == XInternAtom(x_.display(), name, 0); };
        if (is("PHONE_STATE")) {
            show();
        } else if (is("PHONE_COMMIT")) {
            if (const std::string text = x_.property("PHONE_COMMIT"); !text.empty()) {
                insert(text);
                show();
                x_.set_property("PHONE_COMMIT", "");
            }
        } else if (is("PHONE_PING")) {
            x_.set_property("PHONE_PONG", x_.property("PHONE_PING"));
        }
    }

    // Fingers.

    void down(Point at, unsigned long when) {
        finger_ = Finger{at, at, when, 0};
        note("down %d %d", at.x, at.y);
    }
    void move(Point at, unsigned long when) {
        if (!finger_) {
            return;
        }
        if (app_ == "com.example.list") {
            scroll_ = std::clamp(scroll_ + finger_->at.y - at.y, 0, kRows * kRowPx - screen_.height_px);
        }
        finger_->at = at;
        const bool has_left = std::abs(at.x - finger_->from.x) > kSlopPx || std::abs(at.y - finger_->from.y) > kSlopPx;
        finger_->moved = finger_->moved == 0 && has_left ? when : finger_->moved;
        note("move %d %d", at.x, at.y);
    }
    void up(Point at, unsigned long when) {
        if (!finger_) {
            return;
        }
        const Finger finger = *finger_;
        finger_.reset();
        note("up %d %d", at.x, at.y);
        const unsigned long held = (finger.moved == 0 ? when : finger.moved) - finger.since;
        if (finger.moved != 0) {
            held >= kLongPressMs ? note("drag %d %d %d %d", finger.from.x, finger.from.y, at.x, at.y)
                                 : note("swipe %d %d %d %d %lu", finger.from.x, finger.from.y, at.x, at.y, when - finger.since);
        } else if (held >= kLongPressMs) {
            note("longpress %d %d", at.x, at.y);
            marked_ = at;
        } else {
            const bool is_double = last_tap_ != 0 && finger.since - last_tap_ <= kDoubleTapMs && last_at_.x == at.x && last_at_.y == at.y;
            last_at_ = at;
            note(is_double ? "doubletap %d %d" : "tap %d %d", at.x, at.y);
            last_tap_ = is_double ? 0 : when;
            tap(at);
        }
        show();
    }

    void tap(Point at) {
        marked_ = at;
        for (const View& view : views()) {
            if (!view.box.contains(at) || view.is("disabled")) {
                continue;
            }
            if (view.widget == "EditText") {
                focused_ = view.id;
                is_all_selected_ = false;
            } else if (view.is("checkable")) {
                is_checked_ = !is_checked_;
            } else if (view.id.starts_with("open:")) {
                x_.focus(view.id.substr(5));
                note("start %s", view.id.c_str() + 5);
            } else if (view.is("clickable")) {
                note("press %s", view.id.c_str());
            }
        }
    }

    // Keys and the text in the field that has the focus.

    std::string* field() { return focused_.empty() ? nullptr : &texts_[app_ + " " + focused_]; }

    void insert(const std::string& text) {
        std::string* into = field();
        if (into == nullptr) {
            return;
        }
        *into = is_all_selected_ ? text : *into + text;
        is_all_selected_ = false;
    }

    void erase_last() {
        std::string* text = field();
        if (text == nullptr) {
            return;
        }
        if (is_all_selected_) {
            text->clear();
        }
        while (!text->empty() && (static_cast<unsigned char>(text->back()) & 0xC0U) == 0x80U) {
            text->pop_back();
        }
        if (!text->empty()) {
            text->pop_back();
        }
        is_all_selected_ = false;
    }

    void key(XKeyEvent& event) {
        char text[16] = {};
        KeySym keysym = 0;
        const int bytes = XLookupString(&event, text, sizeof text - 1, &keysym, nullptr);
        const char* name = XKeysymToString(keysym);
        note("key %s %u", name == nullptr ? "?" : name, event.state & (ShiftMask | ControlMask | Mod1Mask));
        const bool has_control = (event.state & ControlMask) != 0;
        if (has_control && keysym == XK_a) {
            is_all_selected_ = field() != nullptr;
        } else if (keysym == XK_BackSpace || keysym == XK_Delete) {
            erase_last();
        } else if (keysym == XK_Return) {
            note("enter %s", field() == nullptr ? "" : escaped(*field()).c_str());
        } else if (!has_control && bytes == 1 && static_cast<unsigned char>(text[0]) >= 0x20U && text[0] != 0x7F) {
            insert(std::string(1, text[0]));
        }
        show();
    }

    // What is shown.

    std::vector<View> views() {
        const int w = screen_.width_px, h = screen_.height_px;
        const auto value = [&](const char* id) { return texts_[app_ + " " + id]; };
        const auto traits = [&](const char* id, std::string more) { return focused_ == id ? more + " focused" : more; };
        if (app_ == "com.android.launcher3") {
            return {{"TextView", "open:com.example.notes/.Main", "Notes", "", {w / 10, h / 10, w / 4, h / 10}, "clickable"},
                    {"TextView", "open:com.android.settings/.Settings", "Settings", "", {w / 2, h / 10, w / 4, h / 10}, "clickable"}};
        }
        if (app_ == "com.example.notes") {
            return {{"EditText", "note", value("note"), "Note", {w / 20, h / 20, w * 9 / 10, h / 8}, traits("note", "clickable")},
                    {"EditText", "pin", std::string(value("pin").size(), '*'), "PIN", {w / 20, h / 4, w * 9 / 10, h / 8}, traits("pin", "clickable password")},
                    {"CheckBox", "keep", "Keep it", "", {w / 20, h * 2 / 5, w / 2, h / 12}, is_checked_ ? "clickable checkable checked" : "clickable checkable"},
                    {"Button", "save", "Save", "", {w / 20, h / 2, w / 3, h / 12}, "clickable"},
                    {"Button", "send", "Send", "", {w / 2, h / 2, w / 3, h / 12}, "clickable disabled"}};
        }
        if (app_ == "com.example.list") {
            std::vector<View> rows;
            for (int row = scroll_ / kRowPx; row < kRows && row * kRowPx - scroll_ < h; ++row) {
                rows.push_back({"TextView", "row" + std::to_string(row), "Row " + std::to_string(row), "", {0, row * kRowPx - scroll_, w, kRowPx}, "clickable"});
            }
            return rows;
        }
        if (app_ == "com.android.chrome") {
            return {{"EditText", "url", x_.get("url"), "Address", {0, 0, w, h / 10}, "clickable"}};
        }
        return {};
    }

    void fill(unsigned long colour, Rect box) {
        XSetForeground(x_.display(), gc_, colour);
        XFillRectangle(x_.display(), window_, gc_, box.x, box.y, static_cast<unsigned>(box.width_px), static_cast<unsigned>(box.height_px));
    }

    void show() {
        const std::string focus = x_.get("focus");
        screen_ = x_.screen();
        app_ = focus.substr(0, focus.find('/'));
        if (app_ != shown_app_) {
            shown_app_ = app_;
            focused_.clear();
            marked_.reset();
        }
        const std::vector<View> all = views();
        unsigned long colour = 0x203040;
        for (const char c : app_) {
            colour = (colour * 31 + static_cast<unsigned char>(c)) & 0xFFFFFFU;
        }
        fill(colour | 0x404040U, {0, 0, screen_.width_px, screen_.height_px});
        fill(0xFF0000, {0, 0, 1, 1}); // the corners, so that a picture can be checked for its edges
        fill(0x00FF00, {screen_.width_px - 1, 0, 1, 1});
        fill(0x0000FF, {0, screen_.height_px - 1, 1, 1});
        fill(0xFFFF00, {screen_.width_px - 1, screen_.height_px - 1, 1, 1});
        for (const View& view : all) {
            fill(view.widget == "EditText" ? 0xFFFFFF : view.is("checked") ? 0x80FF80 : 0xC0C0C0, {view.box.x + 2, view.box.y + 2, view.box.width_px - 4, view.box.height_px - 4});
            XSetForeground(x_.display(), gc_, 0);
            const std::string words = view.text.empty() ? view.description : view.text;
            XDrawString(x_.display(), window_, gc_, view.box.x + 6, view.box.y + view.box.height_px / 2, words.c_str(), static_cast<int>(std::min<std::size_t>(words.size(), 50)));
        }
        if (marked_) {
            fill(0xFF00FF, {marked_->x - 3, marked_->y - 3, 7, 7});
        }
        x_.set_property("PHONE_VIEWS", to_text(all));
        XSync(x_.display(), 0);
    }

    PhoneX& x_;
    std::FILE* log_;
    Window window_ = 0;
    GC gc_ = nullptr;
    Size screen_;
    std::string app_;       // the package that is shown
    std::string shown_app_;
    std::string focused_;   // the id of its field
    std::map<std::string, std::string> texts_;
    std::optional<Finger> finger_;
    std::optional<Point> marked_;
    unsigned long last_tap_ = 0;
    Point last_at_;
    int scroll_ = 0;
    bool is_all_selected_ = false;
    bool is_checked_ = false;
};

} // namespace

int main(int argc, char** argv) {
    std::FILE* log = argc == 2 ? std::fopen(argv[1], "w") : nullptr;
    if (log == nullptr) {
        return 2;
    }
    PhoneX x;
    if (x.state().empty()) {
        x.set(PhoneX::defaults());
    }
    Apps apps(x, log);
    apps.run();
}
