// SPDX-License-Identifier: Apache-2.0
// Latin-1 keysyms are their code points; newer ones are 0x01000000 plus the code point; the old ones in between are in a
// table that the build writes from the system's keysymdef.h.
#include "platforms/x11/keysyms.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr KeySym kUnicodeFlag = 0x01000000;
constexpr char32_t kUnicodeMax = 0x10FFFF;

struct LegacyKeysym {
    std::uint32_t keysym;
    char32_t character;
};
constexpr LegacyKeysym kLegacy[] = {
#include "x11_keysym_table.inc"
};

bool is_latin1(std::uint64_t code) {
    return (code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xff);
}

/// Length of the sequence that starts with `lead`; 0 where no sequence starts so.
std::size_t sequence_length(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        return 3;
    }
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

} // namespace

Result<KeySym> keysym_of_name(const std::string& name) {
    if (const KeySym keysym = XStringToKeysym(name.c_str()); keysym != NoSymbol) {
        return keysym;
    }
    const auto characters = decode_utf8(name);
    if (characters && characters->size() == 1 && characters->front() >= 0x20) {
        return keysym_of_character(characters->front());
    }
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("unknown key \"{}\": neither an X keysym name nor one character",
                             name.substr(0, 64))};
}

KeySym keysym_of_character(char32_t character) {
    if (character == U'\n') {
        return XK_Return;
    }
    if (character == U'\t') {
        return XK_Tab;
    }
    return is_latin1(character) ? KeySym{character} : kUnicodeFlag | KeySym{character};
}

char32_t character_of_keysym(KeySym keysym) {
    if (keysym == XK_Return) {
        return U'\n';
    }
    if (keysym == XK_Tab) {
        return U'\t';
    }
    if (is_latin1(keysym)) {
        return static_cast<char32_t>(keysym);
    }
    if (keysym > kUnicodeFlag && keysym <= (kUnicodeFlag | kUnicodeMax)) {
        return static_cast<char32_t>(keysym & ~kUnicodeFlag);
    }
    const auto* found = std::find_if(std::begin(kLegacy), std::end(kLegacy),
                                     [&](const auto& row) { return row.keysym == keysym; });
    return found == std::end(kLegacy) ? 0 : found->character;
}

Result<std::vector<char32_t>> decode_utf8(std::string_view text_utf8) {
    std::vector<char32_t> characters;
    characters.reserve(text_utf8.size());
    for (std::size_t at = 0; at < text_utf8.size();) {
        const auto lead = static_cast<unsigned char>(text_utf8[at]);
        const std::size_t length = sequence_length(lead);
        const auto broken = Error{ErrorCode::ParseFailed,
                                  fmt::format("the text is not UTF-8 at byte {}", at)};
        if (length == 0 || at + length > text_utf8.size()) {
            return broken;
        }
        constexpr std::array<unsigned, 5> lead_bits{0, 0x7f, 0x1f, 0x0f, 0x07};
        char32_t character = lead & lead_bits[length];
        for (std::size_t i = 1; i < length; ++i) {
            const auto next = static_cast<unsigned char>(text_utf8[at + i]);
            if ((next & 0xc0U) != 0x80U) {
                return broken;
            }
            character = (character << 6U) | (next & 0x3fU);
        }
        constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
        const bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
        if (character < smallest[length] || character > kUnicodeMax || is_surrogate) {
            return broken;
        }
        characters.push_back(character);
        at += length;
    }
    return characters;
}

std::string describe_character(char32_t character) {
    return fmt::format("U+{:04X}", static_cast<std::uint32_t>(character));
}

} // namespace handeye::x11
