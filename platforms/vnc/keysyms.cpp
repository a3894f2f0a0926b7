// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/keysyms.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <xkbcommon/xkbcommon.h>

namespace handeye::vnc {
namespace {

constexpr char32_t kUnicodeMax = 0x10FFFF;
constexpr std::string_view kPlain = "`1234567890-=[]\\;',./", kShifted = "~!@#$%^&*()_+{}|:\"<>?";

} // namespace

Result<std::uint32_t> keysym_of_name(const std::string& name) {
    if (const xkb_keysym_t keysym = xkb_keysym_from_name(name.c_str(), XKB_KEYSYM_NO_FLAGS); keysym != XKB_KEY_NoSymbol) {
        return keysym;
    }
    const auto characters = decode_utf8(name);
    if (characters && characters->size() == 1 && characters->front() >= 0x20) {
        return keysym_of_character(characters->front());
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("unknown key \"{}\": neither an X keysym name nor one character", name.substr(0, 64))};
}

std::uint32_t keysym_of_character(char32_t character) {
    if (character == U'\n') {
        return XKB_KEY_Return;
    }
    return character == U'\t' ? XKB_KEY_Tab : xkb_utf32_to_keysym(character);
}

std::uint32_t shifted(std::uint32_t keysym) {
    const std::size_t at = keysym < 0x7f ? kPlain.find(static_cast<char>(keysym)) : std::string_view::npos;
    return at != std::string_view::npos ? static_cast<unsigned char>(kShifted[at]) : xkb_keysym_to_upper(keysym);
}

bool is_shift(std::uint32_t keysym) { return keysym == XKB_KEY_Shift_L || keysym == XKB_KEY_Shift_R; }

Result<std::vector<char32_t>> decode_utf8(std::string_view text_utf8) {
    constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    std::vector<char32_t> characters;
    for (std::size_t at = 0; at < text_utf8.size();) {
        const auto lead = static_cast<unsigned char>(text_utf8[at]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
        char32_t character = length == 1 ? lead : lead & (0x7fU >> length);
        bool is_good = length > 0 && at + length <= text_utf8.size();
        for (std::size_t i = 1; is_good && i < length; ++i) {
            const auto next = static_cast<unsigned char>(text_utf8[at + i]);
            is_good = (next & 0xc0U) == 0x80U;
            character = character << 6U | (next & 0x3fU);
        }
        if (!is_good || character < kSmallest[length] || character > kUnicodeMax || (character >= 0xd800 && character <= 0xdfff)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("the text is not UTF-8 at byte {}", at)};
        }
        characters.push_back(character);
        at += length;
    }
    return characters;
}

std::string encode_utf8(std::span<const char32_t> text) {
    std::string out;
    for (const char32_t c : text) {
        const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3fU)); };
        if (c < 0x80) {
            out += static_cast<char>(c);
        } else if (c < 0x800) {
            out += static_cast<char>(0xc0U | (c >> 6U));
            tail(0);
        } else if (c < 0x10000) {
            out += static_cast<char>(0xe0U | (c >> 12U));
            tail(6);
            tail(0);
        } else {
            out += static_cast<char>(0xf0U | (c >> 18U));
            tail(12);
            tail(6);
            tail(0);
        }
    }
    return out;
}

std::string describe_character(char32_t character) { return fmt::format("U+{:04X}", static_cast<std::uint32_t>(character)); }

bool is_invisible(char32_t c) {
    constexpr std::array<std::pair<char32_t, char32_t>, 12> kRanges{{{0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},
                                                                     {0x180b, 0x180f}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f},
                                                                     {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xe0000, 0xe0fff}}};
    return std::any_of(kRanges.begin(), kRanges.end(), [&](const auto& range) { return c >= range.first && c <= range.second; });
}

} // namespace handeye::vnc
