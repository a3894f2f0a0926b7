// SPDX-License-Identifier: Apache-2.0
#include "platforms/web/keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

namespace handeye::web {

namespace {

constexpr char32_t kUnicodeMax = 0x10FFFF;

/// A key that types a character without and another with Shift, and X's names of the two.
struct SignKey {
    char plain;
    char shifted;
    const char* code;
    int windows_code;
    const char* plain_name;
    const char* shifted_name;
};
constexpr SignKey kSigns[] = {
    {'1', '!', "Digit1", 49, "1", "exclam"},        {'2', '@', "Digit2", 50, "2", "at"},
    {'3', '#', "Digit3", 51, "3", "numbersign"},    {'4', '$', "Digit4", 52, "4", "dollar"},
    {'5', '%', "Digit5", 53, "5", "percent"},       {'6', '^', "Digit6", 54, "6", "asciicircum"},
    {'7', '&', "Digit7", 55, "7", "ampersand"},     {'8', '*', "Digit8", 56, "8", "asterisk"},
    {'9', '(', "Digit9", 57, "9", "parenleft"},     {'0', ')', "Digit0", 48, "0", "parenright"},
    {'-', '_', "Minus", 189, "minus", "underscore"}, {'=', '+', "Equal", 187, "equal", "plus"},
    {'[', '{', "BracketLeft", 219, "bracketleft", "braceleft"}, {']', '}', "BracketRight", 221, "bracketright", "braceright"},
    {'\\', '|', "Backslash", 220, "backslash", "bar"}, {';', ':', "Semicolon", 186, "semicolon", "colon"},
    {'\'', '"', "Quote", 222, "apostrophe", "quotedbl"}, {'`', '~', "Backquote", 192, "grave", "asciitilde"},
    {',', '<', "Comma", 188, "comma", "less"},      {'.', '>', "Period", 190, "period", "greater"},
    {'/', '?', "Slash", 191, "slash", "question"},  {' ', ' ', "Space", 32, "space", "space"},
};

/// Keys that type nothing, or what their name says.
struct NamedKey {
    const char* name; ///< X's
    const char* key;
    const char* code;
    int windows_code;
    const char* text = "";
    int location = 0;
    unsigned modifier = kNoModifier;
};
constexpr NamedKey kNamed[] = {
    {"Return", "Enter", "Enter", 13, "\r"}, {"KP_Enter", "Enter", "NumpadEnter", 13, "\r", 3}, {"Tab", "Tab", "Tab", 9},
    {"ISO_Left_Tab", "Tab", "Tab", 9}, {"BackSpace", "Backspace", "Backspace", 8}, {"Delete", "Delete", "Delete", 46},
    {"Insert", "Insert", "Insert", 45}, {"Escape", "Escape", "Escape", 27}, {"Home", "Home", "Home", 36}, {"End", "End", "End", 35},
    {"Page_Up", "PageUp", "PageUp", 33}, {"Page_Down", "PageDown", "PageDown", 34}, {"Prior", "PageUp", "PageUp", 33},
    {"Next", "PageDown", "PageDown", 34}, {"Left", "ArrowLeft", "ArrowLeft", 37}, {"Up", "ArrowUp", "ArrowUp", 38},
    {"Right", "ArrowRight", "ArrowRight", 39}, {"Down", "ArrowDown", "ArrowDown", 40},
    {"Control_L", "Control", "ControlLeft", 17, "", 1, kControl}, {"Control_R", "Control", "ControlRight", 17, "", 2, kControl},
    {"Shift_L", "Shift", "ShiftLeft", 16, "", 1, kShift}, {"Shift_R", "Shift", "ShiftRight", 16, "", 2, kShift},
    {"Alt_L", "Alt", "AltLeft", 18, "", 1, kAlt}, {"Alt_R", "Alt", "AltRight", 18, "", 2, kAlt},
    {"ISO_Level3_Shift", "AltGraph", "AltRight", 18, "", 2}, {"Super_L", "Meta", "MetaLeft", 91, "", 1, kMeta},
    {"Super_R", "Meta", "MetaRight", 92, "", 2, kMeta}, {"Meta_L", "Meta", "MetaLeft", 91, "", 1, kMeta},
    {"Meta_R", "Meta", "MetaRight", 92, "", 2, kMeta}, {"Caps_Lock", "CapsLock", "CapsLock", 20}, {"Num_Lock", "NumLock", "NumLock", 144},
    {"Scroll_Lock", "ScrollLock", "ScrollLock", 145}, {"Print", "PrintScreen", "PrintScreen", 44}, {"Pause", "Pause", "Pause", 19},
    {"Menu", "ContextMenu", "ContextMenu", 93}, {"KP_Add", "+", "NumpadAdd", 107, "+", 3}, {"KP_Subtract", "-", "NumpadSubtract", 109, "-", 3},
    {"KP_Multiply", "*", "NumpadMultiply", 106, "*", 3}, {"KP_Divide", "/", "NumpadDivide", 111, "/", 3}, {"KP_Decimal", ".", "NumpadDecimal", 110, ".", 3},
    {"XF86AudioRaiseVolume", "AudioVolumeUp", "AudioVolumeUp", 175}, {"XF86AudioLowerVolume", "AudioVolumeDown", "AudioVolumeDown", 174},
    {"XF86AudioMute", "AudioVolumeMute", "AudioVolumeMute", 173},
};

KeyStroke sign_stroke(const SignKey& row, bool is_shifted) {
    const std::string sign(1, is_shifted ? row.shifted : row.plain);
    return {sign, row.code, row.windows_code, sign, 0, kNoModifier, is_shifted && row.shifted != row.plain};
}

KeyStroke letter_stroke(char letter) {
    const bool is_capital = letter >= 'A' && letter <= 'Z';
    const char capital = is_capital ? letter : static_cast<char>(letter - 'a' + 'A');
    const std::string text(1, letter);
    return {text, fmt::format("Key{}", capital), capital, text, 0, kNoModifier, is_capital};
}

std::optional<int> number_after(std::string_view prefix, std::string_view name) {
    if (!name.starts_with(prefix) || name.size() == prefix.size()) {
        return std::nullopt;
    }
    int value = 0;
    const auto [end, problem] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), value);
    return problem == std::errc() && end == name.data() + name.size() ? std::optional(value) : std::nullopt;
}

/// "U20AC", the way X names a character that has no older name.
std::optional<char32_t> unicode_name(std::string_view name) {
    std::uint32_t code = 0;
    if (name.size() < 5 || name.size() > 7 || name.front() != 'U') {
        return std::nullopt;
    }
    const auto [end, problem] = std::from_chars(name.data() + 1, name.data() + name.size(), code, 16);
    const bool is_code = problem == std::errc() && end == name.data() + name.size() && code <= kUnicodeMax && code >= 0xA0 && (code < 0xD800 || code > 0xDFFF);
    return is_code ? std::optional(static_cast<char32_t>(code)) : std::nullopt;
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

std::optional<KeyStroke> key_of_character(char32_t character) {
    if (character == U'\n' || character == U'\r') {
        return key_of_name("Return").value();
    }
    if (character == U'\t') {
        return key_of_name("Tab").value();
    }
    if ((character >= U'a' && character <= U'z') || (character >= U'A' && character <= U'Z')) {
        return letter_stroke(static_cast<char>(character));
    }
    for (const SignKey& row : kSigns) {
        if (character == static_cast<char32_t>(row.plain) || character == static_cast<char32_t>(row.shifted)) {
            return sign_stroke(row, character != static_cast<char32_t>(row.plain));
        }
    }
    return std::nullopt;
}

Result<KeyStroke> key_of_name(const std::string& name) {
    if (const auto* row = std::find_if(std::begin(kNamed), std::end(kNamed), [&](const NamedKey& key) { return name == key.name; });
        row != std::end(kNamed)) {
        return KeyStroke{row->key, row->code, row->windows_code, row->text, row->location, row->modifier, false};
    }
    for (const SignKey& row : kSigns) {
        if (name == row.plain_name || name == row.shifted_name) {
            return sign_stroke(row, name != row.plain_name);
        }
    }
    if (const auto n = number_after("F", name); n && *n >= 1 && *n <= 24) {
        return KeyStroke{name, name, 111 + *n, "", 0, kNoModifier, false};
    }
    if (const auto n = number_after("KP_", name); n && *n >= 0 && *n <= 9) {
        return KeyStroke{std::to_string(*n), fmt::format("Numpad{}", *n), 96 + *n, std::to_string(*n), 3, kNoModifier, false};
    }
    const auto characters = decode_utf8(name);
    std::optional<char32_t> character = unicode_name(name);
    if (!character && characters && characters->size() == 1 && characters->front() >= 0x20 && characters->front() != 0x7f) {
        character = characters->front();
    }
    if (!character) {
        return Error{ErrorCode::InvalidArgument, fmt::format("unknown key \"{}\": neither an X keysym name nor one character", name.substr(0, 64))};
    }
    if (const auto stroke = key_of_character(*character)) {
        return *stroke;
    }
    std::string text;
    append_utf8(text, *character);
    return KeyStroke{text, "", 0, text, 0, kNoModifier, false};
}

void append_utf8(std::string& text, char32_t c) {
    const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80U | ((c >> shift) & 0x3fU)); };
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += static_cast<char>(0xc0U | (c >> 6U));
        tail(0);
    } else if (c < 0x10000) {
        text += static_cast<char>(0xe0U | (c >> 12U));
        tail(6);
        tail(0);
    } else {
        text += static_cast<char>(0xf0U | (c >> 18U));
        tail(12);
        tail(6);
        tail(0);
    }
}

Result<std::vector<char32_t>> decode_utf8(std::string_view text_utf8) {
    constexpr std::array<unsigned, 5> kLeadBits{0, 0x7f, 0x1f, 0x0f, 0x07};
    constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    std::vector<char32_t> characters;
    characters.reserve(text_utf8.size());
    for (std::size_t at = 0; at < text_utf8.size();) {
        const auto lead = static_cast<unsigned char>(text_utf8[at]);
        const std::size_t length = sequence_length(lead);
        bool is_good = length != 0 && at + length <= text_utf8.size();
        char32_t character = is_good ? lead & kLeadBits[length] : 0;
        for (std::size_t i = 1; is_good && i < length; ++i) {
            const auto next = static_cast<unsigned char>(text_utf8[at + i]);
            is_good = (next & 0xc0U) == 0x80U;
            character = (character << 6U) | (next & 0x3fU);
        }
        const bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
        if (!is_good || character < kSmallest[length] || character > kUnicodeMax || is_surrogate) {
            return Error{ErrorCode::ParseFailed, fmt::format("the text is not UTF-8 at byte {}", at)};
        }
        characters.push_back(character);
        at += length;
    }
    return characters;
}

} // namespace handeye::web
