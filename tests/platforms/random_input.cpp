// SPDX-License-Identifier: Apache-2.0
#include "tests/platforms/random_input.h"

#include <array>

#include <gtest/gtest.h>

namespace handeye::x11 {

std::string utf8(char32_t c) {
    std::string out;
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
    return out;
}

std::string RandomText::next() {
    const int length = pick(1, 40);
    const int kind = pick(0, 5);
    std::string text;
    for (int i = 0; i < length; ++i) {
        text += one(kind == 5 ? pick(0, 4) : kind);
    }
    return text;
}

std::string RandomText::one(int kind) {
    constexpr std::array<char32_t, 9> german = {U'ä', U'ö', U'ü', U'Ä', U'Ö', U'Ü', U'ß', U'ẞ', U'€'};
    switch (kind) {
    case 1: return pick(0, 1) == 0 ? utf8(german[static_cast<std::size_t>(pick(0, 8))]) : one(0);
    case 2: return utf8(static_cast<char32_t>(pick(0x4e00, 0x9fa5)));
    case 3: return utf8(static_cast<char32_t>(pick(0x1f300, 0x1f64f)));
    case 4: return utf8(static_cast<char32_t>(pick('a', 'z'))) + utf8(static_cast<char32_t>(pick(0x300, 0x36f)));
    default: return utf8(static_cast<char32_t>(pick(0x20, 0x7e)));
    }
}

std::vector<std::string> send_random_events(Platform& platform, std::mt19937 generator, Size desktop, int count) {
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); };
    const std::array<std::string, 6> keys = {"a", "z", "5", "F7", "Left", "space"};
    std::vector<std::string> want;
    Point pointer{-1, -1};
    const auto place = [&] { return std::to_string(pointer.x) + " " + std::to_string(pointer.y); };
    for (int i = 0; i < count; ++i) {
        const int kind = i == 0 ? 0 : pick(0, 3);
        if (kind == 0) {
            Point to{pick(0, desktop.width_px - 1), pick(0, desktop.height_px - 1)};
            const Point before{to.x > 0 ? to.x - 1 : to.x + 1, to.y};
            if (before == pointer) {
                continue; // no motion, no event
            }
            EXPECT_TRUE(platform.inject(PointerMove{to}));
            pointer = before;
            want.push_back("motion " + place() + " 0");
            pointer = to;
            want.push_back("motion " + place() + " 0");
        } else if (kind == 1) {
            const int which = pick(0, 2);
            const std::array<MouseButton, 3> buttons = {MouseButton::Left, MouseButton::Middle, MouseButton::Right};
            EXPECT_TRUE(platform.inject(PointerButton{buttons[static_cast<std::size_t>(which)], Edge::Press}));
            EXPECT_TRUE(platform.inject(PointerButton{buttons[static_cast<std::size_t>(which)], Edge::Release}));
            want.push_back("press " + std::to_string(which + 1) + " " + place());
            want.push_back("release " + std::to_string(which + 1) + " " + place());
        } else if (kind == 2) {
            EXPECT_TRUE(platform.inject(Wheel{0, 1}));
            want.push_back("press 5 " + place());
            want.push_back("release 5 " + place());
        } else {
            const std::string& key = keys[static_cast<std::size_t>(pick(0, 5))];
            EXPECT_TRUE(platform.inject(Key{key, Edge::Press}));
            EXPECT_TRUE(platform.inject(Key{key, Edge::Release}));
            want.push_back("keydown " + key + " 0");
            want.push_back("keyup " + key + " 0");
        }
    }
    EXPECT_TRUE(platform.inject(Key{"F12", Edge::Press}));
    EXPECT_TRUE(platform.inject(Key{"F12", Edge::Release}));
    want.insert(want.end(), {"keydown F12 0", "keyup F12 0"});
    return want;
}

} // namespace handeye::x11
