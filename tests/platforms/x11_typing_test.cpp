// SPDX-License-Identifier: Apache-2.0
// Text of any Unicode arrives exactly in a GTK text field and in a terminal, on every layout and with Caps Lock on.
#include "platforms/x11/input_gate.h"
#include "platforms/x11/keymap.h"
#include "platforms/x11/keysyms.h"
#include "tests/platforms/random_input.h"
#include "tests/platforms/x11_fixture.h"

#include "platforms/x11/xlib.h"

#include <array>

namespace handeye::x11 {
namespace {

class X11Typing : public X11Test, public ::testing::WithParamInterface<bool> {
protected:
    /// A text field that has the keyboard; its content is in file().
    std::unique_ptr<Platform> open_entry() {
        start_app("entry_app", {file().string()});
        auto platform = open();
        const WindowInfo window = wait_for_window(*platform, "handeye entry");
        click(*platform, window.area.center());
        return platform;
    }
    std::unique_ptr<Platform> open_terminal() {
        const std::string reader = std::string(HANDEYE_BINARY_DIR) + "/bin/raw_reader";
        start_app("xterm", {"-u8", "-title", "handeye terminal", "-e", reader, file().string()});
        auto platform = open();
        const WindowInfo window = wait_for_window(*platform, "handeye terminal");
        click(*platform, window.area.center());
        EXPECT_TRUE(wait_for([&] { return content(file()).empty(); }));
        return platform;
    }
    void expect_typed(Platform& platform, const std::string& text, const std::string& want) {
        const auto typed = platform.type_text(text, {});
        ASSERT_TRUE(typed) << typed.error().message;
        ASSERT_EQ(typed->certainty, Certainty::Unverifiable) << typed->reason;
        ASSERT_TRUE(wait_for([&] { return content(file()) == want; })) << "want " << want << "\ngot  " << content(file());
    }
    void empty_entry(Platform& platform) {
        press_chord(platform, {"Return"});
        ASSERT_TRUE(wait_for([&] { return content(file()).empty(); }));
    }
    void type_random_strings(Platform& platform, bool is_terminal, int count) {
        RandomText random(seeded_generator());
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

TEST_P(X11Typing, RandomStringsArriveExactlyInAGtkEntry) {
    start_display(GetParam());
    const auto platform = open_entry();
    type_random_strings(*platform, false, count_of(1000, 20));
}

TEST_P(X11Typing, RandomStringsArriveExactlyInATerminal) {
    start_display(GetParam());
    const auto platform = open_terminal();
    type_random_strings(*platform, true, count_of(1000, 20));
}

INSTANTIATE_TEST_SUITE_P(Managers, X11Typing, ::testing::Values(true, false),
                         [](const auto& param) { return param.param ? "WithOpenbox" : "WithoutManager"; });

using X11TypingOnce = X11Typing;
TEST_P(X11TypingOnce, LatinCapitalsStayCapitals) { // a lone capital bound to a key comes out small
    start_display(GetParam());
    const auto platform = open_entry();
    expect_typed(*platform, "aÄÖÜÅÆŁŽŠПЛÑÇΩäłžп", "aÄÖÜÅÆŁŽŠПЛÑÇΩäłžп");
}

TEST_P(X11TypingOnce, MoreCharactersThanFreeKeysArriveInOneText) {
    start_display(GetParam());
    const auto platform = open_entry();
    std::string text;
    for (char32_t c = 0x4e00; c < 0x4e00 + 300; ++c) {
        text += utf8(c);
    }
    expect_typed(*platform, text, text);
}

TEST_P(X11TypingOnce, BindingAgainAndAgainLosesNoKey) {
    start_display(GetParam());
    auto gate = InputGate::open({});
    ASSERT_TRUE(gate);
    auto keymap = Keymap::open({}, **gate);
    ASSERT_TRUE(keymap);
    const auto nobody_to_wait_for = [] { return Result<void>(); };
    for (char32_t first = 0x4e00; first < 0x4e00 + 60 * 30; first += 30) {
        std::vector<char32_t> text;
        for (char32_t c = first; c < first + 30; c += 1 + (first / 30) % 7) { // more and fewer than last time
            text.push_back(c);
        }
        const auto count = (*keymap)->make_typeable(text, nobody_to_wait_for);
        ASSERT_TRUE(count);
        ASSERT_EQ(*count, text.size());
    }
}

TEST_P(X11TypingOnce, CapsLockDoesNotTurnTheText) {
    start_display(GetParam());
    const auto platform = open_entry();
    press_chord(*platform, {"Caps_Lock"});
    expect_typed(*platform, "aBc äÖ łŁ", "aBc äÖ łŁ");
    empty_entry(*platform);
    press_chord(*platform, {"a"}); // the lock itself is back afterwards
    EXPECT_TRUE(wait_for([&] { return content(file()) == "A"; })) << content(file());
}

TEST_P(X11TypingOnce, GermanLayoutTypesTheSameText) {
    start_display(GetParam());
    if (!find_program("setxkbmap")) {
        GTEST_SKIP() << "SKIPPED: no setxkbmap here (package x11-xkb-utils)";
    }
    const auto platform = open_entry();
    for (const std::string layout : {"de", "ru", "fr", "us,gr"}) {
        ASSERT_EQ(std::system(("setxkbmap " + layout).c_str()), 0);
        empty_entry(*platform);
        expect_typed(*platform, "yz YZ @[]{}\\|~ äöü éè д \" ' ^ `", "yz YZ @[]{}\\|~ äöü éè д \" ' ^ `");
    }
}

TEST_P(X11TypingOnce, PastesWhereNoKeyIsFree) {
    start_display(GetParam());
    const auto platform = open_entry();
    const auto connection = Connection::open({});
    ASSERT_TRUE(connection);
    int low = 0, high = 0;
    XDisplayKeycodes((*connection)->get(), &low, &high);
    for (int code = low; code <= high; ++code) { // gives every free key a symbol
        int width = 0;
        KeySym* symbols = XGetKeyboardMapping((*connection)->get(), static_cast<KeyCode>(code), 1, &width);
        if (symbols[0] == NoSymbol) {
            KeySym filler = XK_F35;
            XChangeKeyboardMapping((*connection)->get(), code, 1, &filler, 1);
        }
        XFree(symbols);
    }
    ASSERT_TRUE((*connection)->sync("filling the keyboard"));
    const auto typed = platform->type_text("abc 字符 def", {});
    ASSERT_TRUE(typed) << typed.error().message;
    EXPECT_EQ(typed->route, "paste");
    EXPECT_TRUE(wait_for([&] { return content(file()) == "abc 字符 def"; })) << content(file());
}

TEST_P(X11TypingOnce, RefusesControlCharactersBeforeTyping) {
    start_display(GetParam());
    const auto platform = open_entry();
    const auto typed = platform->type_text("abc\x1b[A", {});
    ASSERT_TRUE(typed);
    EXPECT_EQ(typed->certainty, Certainty::Refused);
    EXPECT_NE(typed->reason.find("U+001B at character 3"), std::string::npos) << typed->reason;
    expect_typed(*platform, "x", "x");
}

TEST_P(X11TypingOnce, RefusesTextThatIsNotUtf8) {
    start_display(GetParam());
    const auto platform = open_entry();
    const auto typed = platform->type_text("abc\xff", {});
    ASSERT_FALSE(typed);
    EXPECT_EQ(typed.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(typed.error().message.find("byte 3"), std::string::npos);
}

TEST_P(X11TypingOnce, StopsBetweenTwoCharacters) {
    start_display(GetParam());
    const auto platform = open_entry();
    std::stop_source stop;
    stop.request_stop();
    const auto typed = platform->type_text("never", stop.get_token());
    ASSERT_TRUE(typed);
    EXPECT_EQ(typed->certainty, Certainty::Partial);
    EXPECT_EQ(typed->characters_sent, 0U);
    EXPECT_EQ(typed->reason, "stopped after 0 of 5 characters");
}

TEST_P(X11TypingOnce, BindingsAreGoneAfterTheSession) {
    start_display(GetParam());
    {
        const auto platform = open_entry();
        expect_typed(*platform, "字符", "字符");
    }
    EXPECT_TRUE(wait_for([&] { return content(file()) == "字符"; }));
    const auto connection = Connection::open({});
    ASSERT_TRUE(connection);
    EXPECT_EQ(XKeysymToKeycode((*connection)->get(), keysym_of_character(U'字')), 0);
}

INSTANTIATE_TEST_SUITE_P(Once, X11TypingOnce, ::testing::Values(true), [](const auto&) { return "WithOpenbox"; });

} // namespace
} // namespace handeye::x11
