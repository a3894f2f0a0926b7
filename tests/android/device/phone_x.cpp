// SPDX-License-Identifier: Apache-2.0
#include "tests/android/device/phone_x.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

namespace handeye::phone {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::stringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

} // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\\' ? "\\\\" : std::string(1, c);
    }
    return out;
}

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char c = text[++i];
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
    return out;
}

std::string to_text(const std::vector<View>& views) {
    std::string text;
    for (const View& v : views) {
        text += v.widget + '\t' + v.id + '\t' + escaped(v.text) + '\t' + escaped(v.description) + '\t' + std::to_string(v.box.x) + ' ' + std::to_string(v.box.y) +
                ' ' + std::to_string(v.box.width_px) + ' ' + std::to_string(v.box.height_px) + '\t' + v.traits + '\n';
    }
    return text;
}

std::vector<View> views_of(std::string_view text) {
    std::vector<View> views;
    for (const std::string& line : split(text, '\n')) {
        std::vector<std::string> parts = split(line, '\t');
        parts.resize(6);
        View view{parts[0], parts[1], unescaped(parts[2]), unescaped(parts[3]), {}, parts[5]};
        std::stringstream numbers(parts[4]);
        numbers >> view.box.x >> view.box.y >> view.box.width_px >> view.box.height_px;
        views.push_back(view);
    }
    return views;
}

PhoneX::PhoneX(const std::string& display) : display_(XOpenDisplay(display.empty() ? nullptr : display.c_str())) {
    if (display_ == nullptr) {
        std::fprintf(stderr, "the test phone has no display\n");
        std::_Exit(2);
    }
    root_ = XDefaultRootWindow(display_);
}

PhoneX::~PhoneX() { XCloseDisplay(display_); }

State PhoneX::defaults() {
    return {{"width", "360"}, {"height", "640"}, {"rotation", "0"}, {"awake", "1"}, {"locked", "0"}, {"lock_secure", "0"},
            {"focus", "com.android.launcher3/.Launcher"}, {"token", "1"}, {"sdk", "34"}, {"tools", "new"},
            {"ime", "com.android.inputmethod.latin/.LatinIME"}, {"adbkeyboard", "1"}, {"may_inject", "1"}, {"idle", "1"}, {"secure_shot", "black"},
            {"url", ""}, {"drop", ""}, {"apps", ""}, {"null_roots", "0"}, {"dumps", "0"}};
}

std::string PhoneX::property(const char* name) {
    Atom type = 0;
    int format = 0;
    unsigned long count = 0, rest = 0;
    unsigned char* data = nullptr;
    constexpr long kWordsMax = 1L << 20;
    XGetWindowProperty(display_, root_, XInternAtom(display_, name, 0), 0, kWordsMax, 0, AnyPropertyType, &type, &format, &count, &rest, &data);
    std::string text(data == nullptr ? "" : std::string(reinterpret_cast<char*>(data), count)); // bytes, as Xlib has them
    if (data != nullptr) {
        XFree(data);
    }
    return text;
}

void PhoneX::set_property(const char* name, std::string_view text) {
    XChangeProperty(display_, root_, XInternAtom(display_, name, 0), XA_STRING, 8, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    XFlush(display_);
}

State PhoneX::state() {
    State state;
    for (const std::string& line : split(property("PHONE_STATE"), '\n')) {
        const std::size_t equals = line.find('=');
        state[line.substr(0, equals)] = equals == std::string::npos ? "" : unescaped(line.substr(equals + 1));
    }
    return state;
}

void PhoneX::set(const State& changes) {
    XGrabServer(display_);
    State all = state();
    std::string text;
    for (const auto& [key, value] : changes) {
        all[key] = value;
    }
    for (const auto& [key, value] : all) {
        text += key + '=' + escaped(value) + '\n';
    }
    set_property("PHONE_STATE", text);
    XUngrabServer(display_);
    XSync(display_, 0);
}

void PhoneX::focus(const std::string& component) { set({{"focus", component}, {"token", std::to_string(std::atoi(get("token").c_str()) + 1)}}); }

Size PhoneX::screen() {
    State now = state();
    const Size upright{std::atoi(now["width"].c_str()), std::atoi(now["height"].c_str())};
    return now["rotation"] == "1" || now["rotation"] == "3" ? Size{upright.height_px, upright.width_px} : upright;
}

bool PhoneX::wait_until_handled() {
    XSync(display_, 0);
    const std::string mark = std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
    set_property("PHONE_PING", mark);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (property("PHONE_PONG") != mark) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

} // namespace handeye::phone
