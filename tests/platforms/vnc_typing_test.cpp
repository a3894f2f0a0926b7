// SPDX-License-Identifier: Apache-2.0
// Text of any Unicode arrives exactly through TigerVNC, in a GTK text field and in a terminal. x11vnc drops what finds no free key of
// its display: the result says where the text ended and names the character.
#include "platforms/vnc/keysyms.h"
#include "tests/platforms/random_input.h"
#include "tests/platforms/vnc_fixture.h"

#include <fmt/format.h>

namespace handeye::vnc {
namespace {

class VncTyping : public VncTest {
protected:
    /// Apps without a window manager: they are shown at the corner, and the pointer gives them the keyboard.
    std::unique_ptr<Platform> open_entry() {
        start_app("entry_app", {file().string()});
        return open_at({60, 20});
    }
    std::unique_ptr<Platform> open_terminal() {
        start_app("xterm", {"-u8", "-geometry", "100x40+0+0", "-e", std::string(HANDEYE_BINARY_DIR) + "/bin/raw_reader", file().string()});
        return open_at({60, 60});
    }
    std::unique_ptr<Platform> open_at(Point focus) {
        EXPECT_TRUE(wait_for([&] { return content(file()).empty(); })) << "the program did not start";
        auto platform = open();
        if (platform) {
            EXPECT_TRUE(platform->settle({.quiet = std::chrono::milliseconds(500), .deadline = std::chrono::seconds(10)}, {}));
            x11::click(*platform, focus);
            EXPECT_TRUE(platform->settle({}, {}));
        }
        return platform;
    }
    void empty_entry(Platform& platform) {
        x11::press_chord(platform, {"Return"});
        ASSERT_TRUE(wait_for([&] { return content(file()).empty(); }));
    }
    void expect_typed(Platform& platform, const std::string& text, const std::string& want) {
        const auto typed = platform.type_text(text, {});
        ASSERT_TRUE(typed) << typed.error().message;
        ASSERT_EQ(typed->certainty, Certainty::Unverifiable) << typed->reason << " of " << text;
        ASSERT_TRUE(wait_for([&] { return content(file()) == want; })) << "want " << want << "\ngot  " << content(file());
    }
    void type_random_strings(Platform& platform, bool is_terminal, int count) {
        x11::RandomText random(x11::seeded_generator());
        std::string all;
        for (int i = 0; i < count && !HasFatalFailure(); ++i) {
            const std::string text = random.next();
            all += text;
            if (!is_terminal) {
                empty_entry(platform);
            }
            expect_typed(platform, text, is_terminal ? all : text);
        }
    }
    [[nodiscard]] std::filesystem::path file() const { return folder() / "content"; }
};

TEST_F(VncTyping, RandomStringsArriveExactlyInAGtkEntryThroughTigerVnc) {
    start_server(Server::TigerVnc);
    const auto platform = open_entry();
    ASSERT_TRUE(platform);
    type_random_strings(*platform, false, x11::count_of(1000, 20));
}

TEST_F(VncTyping, RandomStringsArriveExactlyInATerminalThroughTigerVnc) {
    start_server(Server::TigerVnc);
    const auto platform = open_terminal();
    ASSERT_TRUE(platform);
    type_random_strings(*platform, true, x11::count_of(1000, 20));
}

TEST_F(VncTyping, LinesAndTabsAreKeysBetweenPastes) {
    start_server(Server::TigerVnc);
    const auto platform = open_terminal();
    ASSERT_TRUE(platform);
    expect_typed(*platform, "eins\nzwölf\n\tdrei\n字符", "eins\rzwölf\r\tdrei\r字符");
}

/// What was sent is there, and the character at which it ended is named.
TEST_F(VncTyping, WhatX11VncCannotCarryIsNamed) {
    start_server(Server::X11Vnc);
    const auto platform = open_entry();
    ASSERT_TRUE(platform);
    x11::RandomText random(x11::seeded_generator());
    int partial = 0;
    const int count = x11::count_of(1000, 30);
    for (int i = 0; i < count && !HasFatalFailure(); ++i) {
        const std::string text = random.next();
        empty_entry(*platform);
        const auto typed = platform->type_text(text, {});
        ASSERT_TRUE(typed) << typed.error().message;
        const std::vector<char32_t> characters = *decode_utf8(text);
        const std::string want = encode_utf8(std::span(characters).first(typed->characters_sent));
        ASSERT_TRUE(wait_for([&] { return content(file()) == want; })) << "want " << want << "\ngot  " << content(file()) << "\nof   " << text << "\n" << typed->reason;
        if (typed->certainty == Certainty::Partial) {
            ++partial;
            ASSERT_LT(typed->characters_sent, characters.size());
            EXPECT_NE(typed->reason.find(describe_character(characters[typed->characters_sent])), std::string::npos) << typed->reason;
        } else {
            ASSERT_EQ(typed->certainty, Certainty::Unverifiable);
            ASSERT_EQ(typed->characters_sent, characters.size());
        }
    }
    std::cout << partial << " of " << count << " texts partial\n";
    EXPECT_GT(partial, 0);
}

TEST_F(VncTyping, X11VncCarriesAsciiExactly) {
    start_server(Server::X11Vnc);
    const auto platform = open_entry();
    ASSERT_TRUE(platform);
    std::string all;
    for (char c = ' '; c < 0x7f; ++c) {
        all += c;
    }
    expect_typed(*platform, all, all);
}

TEST_F(VncTyping, RefusesControlCharactersAndBrokenTextBeforeTyping) {
    start_server(Server::TigerVnc);
    const auto platform = open_entry();
    ASSERT_TRUE(platform);
    const auto typed = platform->type_text("abc\x1b[A", {});
    ASSERT_TRUE(typed);
    EXPECT_EQ(typed->certainty, Certainty::Refused);
    EXPECT_NE(typed->reason.find("U+001B at character 3"), std::string::npos) << typed->reason;
    const auto broken = platform->type_text("abc\xff", {});
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(broken.error().message.find("byte 3"), std::string::npos);
    expect_typed(*platform, "x", "x");
}

TEST_F(VncTyping, StopsBetweenTwoCharacters) {
    start_server(Server::TigerVnc);
    const auto platform = open_entry();
    ASSERT_TRUE(platform);
    std::stop_source stop;
    stop.request_stop();
    for (const std::string text : {"never", "nie wäre"}) {
        const auto typed = platform->type_text(text, stop.get_token());
        ASSERT_TRUE(typed) << typed.error().message;
        EXPECT_EQ(typed->certainty, Certainty::Partial);
        EXPECT_EQ(typed->characters_sent, 0U);
        EXPECT_EQ(typed->reason.substr(0, 15), "stopped after 0") << typed->reason;
    }
    expect_typed(*platform, "x", "x");
}

} // namespace
} // namespace handeye::vnc
