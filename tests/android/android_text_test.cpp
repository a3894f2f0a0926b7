// SPDX-License-Identifier: Apache-2.0
// Typing: what arrives in the field is what was asked for, or the result says what did not.
#include "tests/android/phone_fixture.h"

#include <fstream>
#include <iostream>
#include <random>

namespace handeye::android {
namespace {

constexpr const char* kLatin = "com.android.inputmethod.latin/.LatinIME";
constexpr const char* kAdbKeyboard = "com.android.adbkeyboard/.AdbIME";

std::string utf8(char32_t c) {
    std::string out;
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6U)), out += static_cast<char>(0x80 | (c & 0x3FU));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12U)), out += static_cast<char>(0x80 | ((c >> 6U) & 0x3FU)), out += static_cast<char>(0x80 | (c & 0x3FU));
    } else {
        out += static_cast<char>(0xF0 | (c >> 18U)), out += static_cast<char>(0x80 | ((c >> 12U) & 0x3FU));
        out += static_cast<char>(0x80 | ((c >> 6U) & 0x3FU)), out += static_cast<char>(0x80 | (c & 0x3FU));
    }
    return out;
}

class AndroidText : public PhoneTest {
protected:
    void SetUp() override {
        start_phone({});
        open_notes();
    }
    void open_notes() {
        phone_->focus("com.example.notes/.Main");
        ASSERT_TRUE(phone_->wait_until_handled());
        platform_ = open_phone();
        ASSERT_TRUE(platform_ && platform_->capture());
        focus_note();
    }
    void focus_note() {
        x11::click(*platform_, {180, 70});
        ASSERT_TRUE(platform_->release_all());
    }
    void clear() {
        x11::press_chord(*platform_, {"Control_L", "a"});
        x11::press_chord(*platform_, {"BackSpace"});
    }
    TextResult type(const std::string& text) {
        const auto typed = platform_->type_text(text, {});
        EXPECT_TRUE(typed) << typed.error().message;
        return typed ? *typed : TextResult{Certainty::Refused, "", 0, "failed"};
    }
    std::unique_ptr<Platform> platform_;
};

TEST_F(AndroidText, UnicodeStringsArriveExactly) {
    std::mt19937 random = x11::seeded_generator();
    const std::vector<std::pair<char32_t, char32_t>> scripts = {{0x20, 0x7E},     {0xA1, 0xFF},     {0x391, 0x3C9},   {0x410, 0x44F},     {0x5D0, 0x5EA},    {0x627, 0x63A},
                                                               {0x905, 0x939},   {0x3041, 0x3096}, {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},   {0x1F600, 0x1F64F}, {0x20000, 0x2A6DF}};
    const int count = x11::count_of(1000, 20);
    int exact = 0;
    for (int i = 0; i < count; ++i) {
        std::string text;
        const auto length = std::uniform_int_distribution<int>(1, 30)(random);
        for (int k = 0; k < length; ++k) {
            const auto& [first, last] = scripts[std::uniform_int_distribution<std::size_t>(0, scripts.size() - 1)(random)];
            const auto c = static_cast<char32_t>(std::uniform_int_distribution<std::uint32_t>(first, last)(random));
            text += utf8(c == 0x378 || c == 0x3A2 ? U'x' : c); // unassigned among the Greek
        }
        clear();
        const TextResult result = type(text);
        ASSERT_EQ(text_of("note"), text) << "string " << i << ": " << result.reason;
        EXPECT_EQ(result.certainty, Certainty::Confirmed) << text << ": " << result.reason;
        ++exact;
    }
    std::cout << exact << " of " << count << " strings arrived exactly\n";
}

TEST_F(AndroidText, AsciiNeedsNoInputMethod) {
    std::string all;
    for (char c = ' '; c <= '~'; ++c) {
        all += c;
    }
    for (const std::string& text : {all, std::string("100%s of 50%%s %s"), std::string("a'b\"c\\d`e$f;g|h&i<j>k(l)#m *n"), std::string(230, 'x')}) {
        clear();
        const TextResult result = type(text);
        EXPECT_EQ(text_of("note"), text);
        EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
        EXPECT_EQ(result.route, "input text");
        EXPECT_EQ(result.characters_sent, text.size());
    }
    EXPECT_EQ(phone_->get("ime"), kLatin);
    clear();
    happened();
    type("one\ntwo");
    EXPECT_EQ(happened("enter"), std::vector<std::string>{"enter one"});
}

TEST_F(AndroidText, TheInputMethodOfBeforeComesBack) {
    type("é");
    EXPECT_EQ(phone_->get("ime"), kAdbKeyboard);
    release_all_platforms(); // a signal
    EXPECT_EQ(phone_->get("ime"), kLatin);
    type("ü");
    EXPECT_EQ(phone_->get("ime"), kAdbKeyboard);
    platform_.reset();
    EXPECT_EQ(phone_->get("ime"), kLatin);
    EXPECT_FALSE(std::filesystem::exists(folder() / "phone/data/local/tmp/handeye-ime"));
}

TEST_F(AndroidText, WhatAKilledSessionLeftIsGivenBackByTheNext) {
    std::ofstream(folder() / "phone/data/local/tmp/handeye-ime") << kLatin << "\n";
    phone_->set({{"ime", kAdbKeyboard}});
    const auto next = open_phone();
    EXPECT_EQ(phone_->get("ime"), kLatin);
    EXPECT_FALSE(std::filesystem::exists(folder() / "phone/data/local/tmp/handeye-ime"));
}

TEST_F(AndroidText, WithoutTheInputMethodUnicodeIsRefusedByName) {
    phone_->set({{"adbkeyboard", "0"}});
    const TextResult result = type("caf\xC3\xA9 \xE4\xB8\x96");
    EXPECT_EQ(result.certainty, Certainty::Refused);
    EXPECT_EQ(result.characters_sent, 0U);
    EXPECT_NE(result.reason.find("\"é\""), std::string::npos) << result.reason;
    EXPECT_NE(result.reason.find("\"世\""), std::string::npos) << result.reason;
    EXPECT_NE(result.reason.find("ADBKeyboard"), std::string::npos) << result.reason;
    EXPECT_EQ(text_of("note"), "");
}

TEST_F(AndroidText, ACharacterThatTheFieldDoesNotTakeIsNamed) {
    phone_->set({{"lost_character", "ö"}});
    const TextResult result = type("größer");
    EXPECT_EQ(result.certainty, Certainty::Partial);
    EXPECT_NE(result.reason.find("\"ö\""), std::string::npos) << result.reason;
    EXPECT_EQ(result.reason.find("\"g\""), std::string::npos) << result.reason;
}

TEST_F(AndroidText, ABroadcastThatWasLostIsSentAgain) {
    phone_->set({{"drop", "1"}});
    const TextResult result = type("naïve");
    EXPECT_EQ(result.certainty, Certainty::Confirmed) << result.reason;
    EXPECT_EQ(text_of("note"), "naïve");
}

TEST_F(AndroidText, WhatCannotBeReadBackIsNotConfirmed) {
    x11::click(*platform_, {180, 200}); // the password
    ASSERT_TRUE(platform_->release_all());
    EXPECT_EQ(type("hunter2").certainty, Certainty::Unverifiable);
    EXPECT_EQ(text_of("pin"), "*******");
    phone_->set({{"idle", "0"}});
    focus_note();
    EXPECT_EQ(type("words").certainty, Certainty::Unverifiable);
    EXPECT_EQ(text_of("note"), "words");
    EXPECT_EQ(platform_->type_text("bell\a", {}).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(platform_->type_text("\xFF", {}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(AndroidText, AStopEndsTheTyping) {
    std::stop_source source;
    source.request_stop();
    const auto result = platform_->type_text("never", source.get_token());
    ASSERT_TRUE(result);
    EXPECT_EQ(result->certainty, Certainty::Partial);
    EXPECT_EQ(result->reason, "stopped");
    EXPECT_EQ(text_of("note"), "");
}

} // namespace
} // namespace handeye::android
