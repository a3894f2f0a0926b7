// SPDX-License-Identifier: Apache-2.0
// `input`: what Android's InputShellCommand does, by XTest.
#include "tests/android/device/tools.h"

#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

namespace handeye::phone {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kMoveEvery{5};      // the phone's own moves come with its display's frames
constexpr milliseconds kLongPress{500};    // ViewConfiguration's time and a little, as draganddrop waits it
constexpr int kSwipeDefaultMs = 300;

constexpr const char* kUsageOld = "Usage: input [<source>] [-d DISPLAY_ID] <command> [<arg>...]\n      text <string>\n      keyevent [--longpress] <key> ...\n"
                                  "      tap <x> <y>\n      swipe <x1> <y1> <x2> <y2> [duration(ms)]\n      press\n      roll <dx> <dy>\n";
constexpr const char* kUsageNew = "      draganddrop <x1> <y1> <x2> <y2> [duration(ms)]\n      motionevent <DOWN|UP|MOVE|CANCEL> <x> <y>\n"
                                  "      keycombination [-t duration(ms)] <key code 1> <key code 2> ...\n";

class Injector {
public:
    explicit Injector(PhoneX& x) : x_(x), display_(x.display()) {}

    void move(Point to) { XTestFakeMotionEvent(display_, -1, to.x, to.y, CurrentTime), XFlush(display_); }
    void finger(bool is_down) { XTestFakeButtonEvent(display_, 1, is_down ? True : False, CurrentTime), XFlush(display_); }

    /// A touch outside the screen reaches no window.
    bool is_inside(Point at) {
        const Size screen = x_.screen();
        return Rect{0, 0, screen.width_px, screen.height_px}.contains(at) && x_.get("awake") == "1";
    }

    void tap(Point at) {
        if (is_inside(at)) {
            move(at), finger(true), finger(false);
        }
    }
    void swipe(Point from, Point to, milliseconds duration, milliseconds held) {
        if (!is_inside(from)) {
            return;
        }
        move(from), finger(true);
        std::this_thread::sleep_for(held);
        const auto start = Clock::now();
        for (auto passed = Clock::duration::zero(); passed < duration; passed = Clock::now() - start) {
            const double part = std::chrono::duration<double>(passed) / std::chrono::duration<double>(duration);
            move({from.x + static_cast<int>((to.x - from.x) * part), from.y + static_cast<int>((to.y - from.y) * part)});
            std::this_thread::sleep_for(kMoveEvery);
        }
        move(to), finger(false);
    }

    void key(KeySym keysym, bool is_down) {
        if (const KeyCode code = XKeysymToKeycode(display_, keysym); code != 0) {
            XTestFakeKeyEvent(display_, code, is_down ? True : False, CurrentTime);
            XFlush(display_);
        }
    }
    /// False: the virtual keyboard has no key for it (KeyCharacterMap.getEvents gives null, and the tool dies of it).
    bool type(const std::string& text) {
        for (const char c : text) {
            const auto code = static_cast<unsigned char>(c);
            if (code < 0x20U || code >= 0x7FU) {
                return false;
            }
            const KeyCode key_code = XKeysymToKeycode(display_, code);
            const bool needs_shift = XkbKeycode(key_code, 0) != code;
            needs_shift ? key(XK_Shift_L, true) : void();
            key(code, true), key(code, false);
            needs_shift ? key(XK_Shift_L, false) : void();
        }
        return true;
    }

private:
    KeySym XkbKeycode(KeyCode code, int level) {
        int count = 0;
        KeySym* row = XGetKeyboardMapping(display_, code, 1, &count);
        const KeySym keysym = row != nullptr && count > level ? row[level] : 0;
        XFree(row);
        return keysym;
    }

    PhoneX& x_;
    Display* display_;
};

std::optional<KeySym> keysym_of(int code) {
    if (code >= 29 && code <= 54) {
        return XK_a + static_cast<KeySym>(code - 29);
    }
    if (code >= 7 && code <= 16) {
        return XK_0 + static_cast<KeySym>(code - 7);
    }
    if (code >= 131 && code <= 142) {
        return XK_F1 + static_cast<KeySym>(code - 131);
    }
    constexpr std::pair<int, KeySym> kRows[] = {
        {66, XK_Return}, {67, XK_BackSpace}, {112, XK_Delete}, {61, XK_Tab}, {111, XK_Escape}, {62, XK_space}, {19, XK_Up}, {20, XK_Down}, {21, XK_Left},
        {22, XK_Right}, {122, XK_Home}, {123, XK_End}, {92, XK_Page_Up}, {93, XK_Page_Down}, {113, XK_Control_L}, {59, XK_Shift_L}, {57, XK_Alt_L},
        {117, XK_Super_L}, {55, XK_comma}, {56, XK_period}, {69, XK_minus}, {76, XK_slash}};
    const auto* const row = std::ranges::find(kRows, code, [](const auto& r) { return r.first; });
    return row == std::end(kRows) ? std::nullopt : std::optional(row->second);
}

/// Keys that the system handles before any app; false: an app gets it.
bool system_key(PhoneX& x, int code) {
    switch (code) {
    case 3:
    case 4: x.focus("com.android.launcher3/.Launcher"); return true; // HOME; BACK from the only screen an app has
    case 24: x.set({{"volume", "up"}}); return true;
    case 25: x.set({{"volume", "down"}}); return true;
    case 26: x.set({{"awake", x.get("awake") == "1" ? "0" : "1"}}); return true;
    case 187: x.focus("com.android.launcher3/.Recents"); return true;
    case 223: x.set({{"awake", "0"}}); return true;
    case 224: x.set({{"awake", "1"}}); return true;
    case 0: return true;
    default: return false;
    }
}

int keyevent(PhoneX& x, Injector& injector, Words words) {
    if (!words.empty() && words[0] == "--longpress") {
        words.erase(words.begin());
    }
    for (const std::string& word : words) {
        const int code = std::atoi(word.c_str());
        if (system_key(x, code)) {
            continue;
        }
        if (const auto keysym = keysym_of(code); keysym) {
            injector.key(*keysym, true), injector.key(*keysym, false);
        }
    }
    return words.empty() ? 255 : 0;
}

int keycombination(Injector& injector, const Words& words) {
    std::vector<KeySym> keys;
    for (const std::string& word : words) {
        if (const auto keysym = keysym_of(std::atoi(word.c_str())); keysym) {
            keys.push_back(*keysym);
        }
    }
    for (const KeySym key : keys) {
        injector.key(key, true);
    }
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        injector.key(*key, false);
    }
    return 0;
}

/// InputShellCommand.sendText: "%s" is a blank.
std::string with_blanks(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_blank = text[i] == '%' && i + 1 < text.size() && text[i + 1] == 's';
        out += is_blank ? ' ' : text[i];
        i += is_blank ? 1U : 0U;
    }
    return out;
}

int failed(const std::string& what) {
    complain("\nException occurred while executing '" + what + "'\n");
    return 255;
}

} // namespace

int tool_input(PhoneX& x, const Words& given) {
    const bool is_new = x.get("tools") == "new";
    Words words = given;
    constexpr const char* kSources[] = {"touchscreen", "keyboard", "mouse", "dpad", "gamepad", "stylus", "trackball", "touchpad", "joystick"};
    if (!words.empty() && std::ranges::find(kSources, words[0]) != std::end(kSources)) {
        words.erase(words.begin());
    }
    if (words.empty()) {
        say(std::string(kUsageOld) + (is_new ? kUsageNew : ""));
        return 1;
    }
    const std::string verb = words[0];
    words.erase(words.begin());
    if (x.get("may_inject") != "1") {
        complain("java.lang.SecurityException: Injecting input events requires the caller (or the source of the instrumentation, if any) to have the INJECT_EVENTS permission.\n");
        return 255;
    }
    std::vector<int> n;
    for (const std::string& word : words) {
        n.push_back(std::atoi(word.c_str()));
    }
    Injector injector(x);
    int code = 0;
    if (verb == "text" && words.size() == 1) {
        const std::string kept = with_blanks(words[0]);
        code = x.get("awake") != "1" ? 0 : injector.type(kept) ? 0 : failed("text");
    } else if (verb == "keyevent") {
        code = keyevent(x, injector, words);
    } else if (verb == "tap" && n.size() == 2) {
        injector.tap({n[0], n[1]});
    } else if (verb == "swipe" && n.size() >= 4) {
        injector.swipe({n[0], n[1]}, {n[2], n[3]}, milliseconds(n.size() > 4 ? n[4] : kSwipeDefaultMs), milliseconds(0));
    } else if (is_new && verb == "draganddrop" && n.size() >= 4) {
        injector.swipe({n[0], n[1]}, {n[2], n[3]}, milliseconds(n.size() > 4 ? n[4] : kSwipeDefaultMs), kLongPress);
    } else if (is_new && verb == "motionevent" && n.size() == 3) {
        if (words[0] == "UP" || injector.is_inside({n[1], n[2]})) {
            words[0] == "UP" ? void() : injector.move({n[1], n[2]});
            words[0] == "MOVE" ? void() : injector.finger(words[0] == "DOWN");
        }
    } else if (is_new && verb == "keycombination" && n.size() >= 2) {
        code = keycombination(injector, words);
    } else {
        complain("Error: Unknown command: " + verb + "\n");
        return 255;
    }
    if (!x.wait_until_handled()) { // as `input` waits until the app has handled what it was sent
        complain("the apps of the test phone do not answer\n");
        return 1;
    }
    return code;
}

} // namespace handeye::phone
