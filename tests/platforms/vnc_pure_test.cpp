// SPDX-License-Identifier: Apache-2.0
// Addresses, keysyms, and the borders of RFB's messages, wherever the bytes are cut.
#include "platforms/vnc/address.h"
#include "platforms/vnc/keysyms.h"
#include "platforms/vnc/messages.h"
#include "platforms/vnc/text.h"
#include "platforms/vnc/wire.h"

#include <gtest/gtest.h>

namespace handeye::vnc {
namespace {

using Bytes = std::string;

Bytes big(std::uint64_t value, int size) {
    Bytes out;
    for (int i = size - 1; i >= 0; --i) {
        out += static_cast<char>(value >> (8 * i));
    }
    return out;
}

struct Spelling {
    std::string text, want;
};
void PrintTo(const Spelling& spelling, std::ostream* out) { *out << spelling.text; }
class VncAddress : public ::testing::TestWithParam<Spelling> {};

TEST_P(VncAddress, IsReadAsViewersReadIt) {
    const auto address = parse_address(GetParam().text);
    EXPECT_EQ(address ? describe(*address) : std::string(error_code_name(address.error().code)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Spellings, VncAddress,
                         ::testing::Values(Spelling{"box", "box::5900"}, Spelling{"box:1", "box::5901"}, Spelling{"box:99", "box::5999"},
                                           Spelling{"box:100", "box::100"}, Spelling{"box:5901", "box::5901"}, Spelling{"box::1", "box::1"},
                                           Spelling{":3", "localhost::5903"}, Spelling{"[::1]:2", "[::1]::5902"}, Spelling{"[fe80::1]", "[fe80::1]::5900"},
                                           Spelling{"/run/vnc", "/run/vnc"}, Spelling{"unix:/run/vnc", "/run/vnc"}, Spelling{"", "invalid_argument"},
                                           Spelling{"box:x", "invalid_argument"}, Spelling{"box:70000", "invalid_argument"}, Spelling{"box::0", "invalid_argument"},
                                           Spelling{"a b", "invalid_argument"}, Spelling{"[::1", "invalid_argument"}, Spelling{"::1:2", "invalid_argument"},
                                           Spelling{"box:-1", "invalid_argument"}, Spelling{"/" + std::string(200, 'a'), "invalid_argument"}));

/// Each message once: what follows the handshake of a server that was asked for everything.
const std::vector<Bytes>& server_messages() {
    static const std::vector<Bytes> messages = [] {
        const auto rect = [](int width, int height, std::int32_t encoding) {
            return big(1, 2) + big(2, 2) + big(static_cast<std::uint64_t>(width), 2) + big(static_cast<std::uint64_t>(height), 2) + big(static_cast<std::uint32_t>(encoding), 4);
        };
        const auto update = [](int rects) { return big(0, 2) + big(static_cast<std::uint64_t>(rects), 2); };
        const auto tight = [&](const Bytes& rest) { return update(1) + rect(20, 10, 7) + rest; };
        return std::vector<Bytes>{
            Bytes(1, 2),                                                                      // Bell
            big(0x03000000, 4) + big(5, 4) + "hello",                                          // a text
            big(0x01000000, 4) + big(2, 2) + Bytes(12, 'c'),                                   // colours
            update(0),
            update(2) + rect(3, 2, 0) + Bytes(24, '\3') + rect(3, 2, 1) + Bytes(4, '\3'),      // Raw, CopyRect
            update(1) + rect(3, 2, 2) + big(2, 4) + Bytes(4 + 24, '\3'),                       // RRE
            update(1) + rect(20, 17, 5) + Bytes(1, 1) + Bytes(16 * 16 * 4, '\3') + Bytes(1, 2 | 8) + Bytes(4, '\3') + Bytes(1, 2) + Bytes(4, '\3') +
                Bytes(1, 8 | 16) + Bytes(1, 1) + Bytes(6, '\3') + Bytes(1, 0),                  // Hextile of four tiles
            update(1) + rect(3, 2, 16) + big(7, 4) + Bytes(7, '\3'),                           // ZRLE
            tight(Bytes("\x80", 1) + Bytes(3, '\3')), tight(Bytes("\x90\x05", 2) + Bytes(5, '\3')), // Tight: one colour, JPEG
            tight(Bytes("\x00\x84\x01", 3) + Bytes(132, '\3')),                                 // all its pixels, compressed
            tight(Bytes("\x40\x02\x81\x80\x01", 5) + Bytes(1 + (1 << 14), '\3')),               // by differences, with a size of three bytes
            tight(Bytes("\x50\x01\x01", 3) + Bytes(6, '\3') + Bytes(1, 9) + Bytes(9, '\3')),    // two colours
            tight(Bytes("\x50\x01\x02", 3) + Bytes(9, '\3') + Bytes(1, 9) + Bytes(9, '\3')),    // three
            update(1) + rect(3, 2, 7) + Bytes("\x50\x01\x01", 3) + Bytes(6, '\3') + Bytes(2, '\3'), // so small that it is not compressed
            update(3) + rect(640, 480, -223) + rect(5, 3, -239) + Bytes(5 * 3 * 4 + 3, '\3') + rect(0, 0, -307) + big(2, 4) + "ab",
            update(0xffff) + rect(1, 1, 0) + Bytes(4, '\3') + rect(0, 0, -224),                // LastRect
        };
    }();
    return messages;
}

Bytes extended(const Bytes& payload) { return big(0x03000000, 4) + big(~static_cast<std::uint32_t>(payload.size()) + 1, 4) + payload; }

TEST(VncMessages, AnExtendedTextIsTakenOutAfterEachKindOfMessageWhereverBytesAreCut) {
    for (std::size_t i = 0; i < server_messages().size(); ++i) {
        const Bytes& message = server_messages()[i];
        const Bytes all = message + extended("\1\2\3\4word") + message + extended("\1\2\3\4last");
        for (std::size_t step = 1; step <= all.size(); step = step < 20 ? step + 1 : step * 3) {
            ServerMessages messages;
            std::vector<Bytes> taken;
            messages.on_extended = [&](std::string_view payload) { taken.emplace_back(payload); };
            Bytes passed;
            for (std::size_t at = 0; at < all.size(); at += step) {
                passed += messages.take(std::string_view(all).substr(at, step));
            }
            ASSERT_EQ(passed, message + message) << "message " << i << " in steps of " << step;
            ASSERT_EQ(taken, (std::vector<Bytes>{"\1\2\3\4word", "\1\2\3\4last"})) << "message " << i << " in steps of " << step;
            ASSERT_FALSE(messages.is_lost());
        }
    }
}

TEST(VncMessages, WhatIsNotKnownIsLeftToTheLibrary) {
    for (const Bytes& unknown : {Bytes(1, 99), big(0, 2) + big(1, 2) + Bytes(8, 0) + big(4711, 4), big(0x03000000, 4) + big(0x80000000, 4)}) {
        ServerMessages messages;
        EXPECT_EQ(messages.take(unknown + "rest"), unknown + "rest");
        EXPECT_TRUE(messages.is_lost());
    }
}

TEST(VncMessages, OursAreFollowedWhereverBytesAreCut) {
    const Bytes all = Bytes(1, 0) + Bytes(19, 'x') + Bytes("\2\0\0\2", 4) + Bytes(8, 'x') + Bytes(1, 3) + Bytes(9, 'x') + Bytes(1, 4) + Bytes(7, 'x') + Bytes(1, 5) +
                      Bytes(5, 'x') + Bytes("\6\0\0\0\0\0\0\3", 8) + "abc";
    for (std::size_t step = 1; step <= all.size(); ++step) {
        ClientMessages messages;
        for (std::size_t at = 0; at < all.size(); at += step) {
            messages.take(std::string_view(all).substr(at, step));
            ASSERT_EQ(messages.is_between(), [&] {
                const std::size_t end = std::min(at + step, all.size());
                for (const std::size_t border : {20U, 32U, 42U, 50U, 56U, 67U}) {
                    if (end == border) {
                        return true;
                    }
                }
                return false;
            }()) << at << " in steps of " << step;
        }
    }
}

TEST(VncMessages, AnExtendedTextComesBackAsItWas) {
    const std::string text = "eins\nzwölf 字符 😀";
    const std::string message = extended_provide(text);
    const ExtendedText read = read_extended(std::string_view(message).substr(8));
    EXPECT_TRUE(read.is_provide && read.has_text && !read.is_request && !read.is_caps);
    EXPECT_EQ(read.text_utf8, text);
    EXPECT_EQ(read_extended(big(1U << 28U | 1U, 4) + "no zlib").text_utf8, "");
    EXPECT_EQ(read_extended("abc").has_text, false);
    EXPECT_TRUE(read_extended(std::string_view(extended_request()).substr(8)).is_request);
    EXPECT_FALSE(read_extended(std::string_view(extended_notify(false)).substr(8)).has_text);
    EXPECT_TRUE(read_extended(std::string_view(extended_caps()).substr(8)).takes_notices);
    const ExtendedText without = read_extended(big(1U << 24U | 1U << 28U | 1U, 4) + big(0, 4));
    EXPECT_TRUE(without.is_caps && without.has_text && !without.takes_notices);
}

TEST(VncMessages, TextsAreUnpackedAsTheyWerePacked) {
    const std::vector<std::string> texts{"", "a", std::string("\0b", 2)};
    EXPECT_EQ(unpack_texts(pack_texts(texts)), texts);
    EXPECT_TRUE(unpack_texts(pack_texts(texts).substr(0, 7)).empty());
    EXPECT_TRUE(unpack_texts("\xff\xff\xff\xff").empty());
}

TEST(VncKeysyms, AreThoseThatViewersSend) {
    EXPECT_EQ(*keysym_of_name("Return"), 0xff0dU);
    EXPECT_EQ(*keysym_of_name("a"), 0x61U);
    EXPECT_EQ(*keysym_of_name("ä"), 0xe4U);
    EXPECT_EQ(keysym_of_character(U'\n'), 0xff0dU);
    EXPECT_EQ(keysym_of_character(U'字'), 0x01000000U + U'字');
    EXPECT_EQ(keysym_of_character(U'😀'), 0x01000000U + U'😀');
    EXPECT_EQ(keysym_of_name("NoSuchKey").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(shifted('t'), static_cast<std::uint32_t>('T'));
    EXPECT_EQ(shifted('5'), static_cast<std::uint32_t>('%'));
    EXPECT_EQ(shifted('/'), static_cast<std::uint32_t>('?'));
    EXPECT_EQ(shifted(0xff0d), 0xff0dU);
}

TEST(VncKeysyms, TextIsDecodedStrictly) {
    EXPECT_EQ(encode_utf8(*decode_utf8("aß字😀")), "aß字😀");
    for (const std::string bad : {"\xff", "\xc0\x80", "\xe5\xad", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"}) {
        EXPECT_EQ(decode_utf8("ab" + bad).error().code, ErrorCode::InvalidArgument);
        EXPECT_NE(decode_utf8("ab" + bad).error().message.find("byte 2"), std::string::npos);
    }
}

Image picture(Rect dark) {
    constexpr Size kSize{40, 30};
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kSize.area()) * 4, 255);
    for (int y = dark.y; y < dark.y + dark.height_px; ++y) {
        for (int x = dark.x; x < dark.x + dark.width_px; ++x) {
            pixels[(static_cast<std::size_t>(y) * 40 + static_cast<std::size_t>(x)) * 4] = 0;
        }
    }
    return *Image::from_pixels(kSize, PixelFormat::Bgrx, std::move(pixels));
}

TEST(VncSight, ABlinkingCaretIsNoCharacter) {
    EXPECT_FALSE(shows_more_than_caret(picture({}), picture({})));
    EXPECT_FALSE(shows_more_than_caret(picture({}), picture({10, 5, 1, 16})));
    EXPECT_FALSE(shows_more_than_caret(picture({10, 5, 2, 16}), picture({})));
    EXPECT_TRUE(shows_more_than_caret(picture({}), picture({10, 5, 2, 3})));  // a dot above a letter
    EXPECT_TRUE(shows_more_than_caret(picture({}), picture({10, 5, 7, 12})));
    EXPECT_TRUE(shows_more_than_caret(picture({10, 5, 1, 16}), picture({17, 5, 1, 16}))); // the caret has moved
    EXPECT_TRUE(shows_more_than_caret(picture({39, 0, 1, 1}), picture({0, 29, 1, 1})));
}

} // namespace
} // namespace handeye::vnc
