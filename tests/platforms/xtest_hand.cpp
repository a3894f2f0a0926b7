// SPDX-License-Identifier: Apache-2.0
#include "tests/platforms/xtest_hand.h"

#include <array>
#include <cstdlib>
#include <thread>

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>
#include <gtest/gtest.h>

namespace handeye::x11 {
namespace {

/// One code point of UTF-8 that is known to be valid; takes it off `text`.
KeySym take_sign(std::string_view& text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    unsigned long code = size == 1 ? first : first & (0x7fU >> size);
    for (const char c : text.substr(1, size - 1)) {
        code = code << 6U | (static_cast<unsigned char>(c) & 0x3fU);
    }
    text.remove_prefix(size);
    switch (code) {
    case '\n': return XK_Return;
    case '\t': return XK_Tab;
    case 0x20ac: return XK_EuroSign;
    default: return code < 0x100 ? code : code | 0x1000000UL; // Latin-1 is its own keysym
    }
}

} // namespace

XTestHand::XTestHand(DisplayAddress address) : address_(std::move(address)) { open(); }

void XTestHand::open() {
    auto opened = Connection::open(address_);
    EXPECT_TRUE(opened) << opened.error().message;
    connection_ = opened ? std::move(*opened) : nullptr;
}

void XTestHand::move(Point to) {
    XTestFakeMotionEvent(connection_->get(), -1, to.x, to.y, CurrentTime);
    XSync(connection_->get(), False);
}

void XTestHand::press(unsigned button) {
    XTestFakeButtonEvent(connection_->get(), button, True, CurrentTime);
    XSync(connection_->get(), False);
}

void XTestHand::release(unsigned button) {
    XTestFakeButtonEvent(connection_->get(), button, False, CurrentTime);
    XSync(connection_->get(), False);
}

void XTestHand::click(Point at, unsigned button) {
    move(at);
    press(button);
    release(button);
}

void XTestHand::key(KeyCode code, bool is_press) {
    XTestFakeKeyEvent(connection_->get(), code, is_press ? True : False, CurrentTime);
    XSync(connection_->get(), False);
}

bool XTestHand::press_sign(KeySym sign) {
    ::Display* const display = connection_->get();
    constexpr std::array<std::array<KeySym, 2>, 4> kHeld{{{NoSymbol, NoSymbol}, {XK_Shift_L, NoSymbol}, {XK_ISO_Level3_Shift, NoSymbol}, {XK_Shift_L, XK_ISO_Level3_Shift}}};
    for (unsigned level = 0; level < kHeld.size(); ++level) {
        for (unsigned code = 8; code < 256; ++code) {
            if (XkbKeycodeToKeysym(display, static_cast<KeyCode>(code), 0, static_cast<int>(level)) != sign) {
                continue;
            }
            for (const KeySym held : kHeld[level]) {
                held == NoSymbol ? void() : key(XKeysymToKeycode(display, held), true);
            }
            key(static_cast<KeyCode>(code), true);
            key(static_cast<KeyCode>(code), false);
            for (const KeySym held : kHeld[level]) {
                held == NoSymbol ? void() : key(XKeysymToKeycode(display, held), false);
            }
            return true;
        }
    }
    return false;
}

void XTestHand::type(std::string_view text_utf8, std::chrono::milliseconds pace) {
    while (!text_utf8.empty()) {
        const KeySym sign = take_sign(text_utf8);
        ASSERT_TRUE(press_sign(sign)) << "this keyboard has no key for " << XKeysymToString(sign);
        std::this_thread::sleep_for(pace);
    }
}

void XTestHand::chord(const std::vector<std::string>& keys) {
    std::vector<KeyCode> codes;
    for (const std::string& name : keys) {
        codes.push_back(XKeysymToKeycode(connection_->get(), XStringToKeysym(name.c_str())));
        ASSERT_NE(codes.back(), 0) << name;
        key(codes.back(), true);
    }
    for (auto code = codes.rbegin(); code != codes.rend(); ++code) {
        key(*code, false);
    }
}

void XTestHand::use_layout(const std::string& layout) {
    ASSERT_EQ(std::system(("setxkbmap " + layout).c_str()), 0) << layout; // $DISPLAY is the test's
    open(); // with the keymap of now
}

} // namespace handeye::x11
