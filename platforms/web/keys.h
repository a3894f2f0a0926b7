// SPDX-License-Identifier: Apache-2.0
// Keys as pages see them: `key`, `code` and the Windows key code of an American keyboard, from X names and from characters. Pure.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::web {

/// Bits of Input.dispatchKeyEvent's `modifiers`.
enum Modifier : unsigned { kNoModifier = 0, kAlt = 1, kControl = 2, kMeta = 4, kShift = 8 };

struct KeyStroke {
    std::string key;       ///< "a", "Enter", "ArrowLeft"
    std::string code;      ///< "KeyA", "Enter"; empty: no key of this keyboard types it
    int windows_code = 0;  ///< what scripts read as keyCode
    std::string text;      ///< what the key types; empty: nothing
    int location = 0;      ///< 1: left, 2: right, 3: keypad
    unsigned modifier = kNoModifier; ///< that it is
    bool needs_shift = false; ///< typed with Shift held
    bool operator==(const KeyStroke&) const = default;
};

/// Of an X keysym name ("Return", "a", "Control_L", "U20AC") or one character. InvalidArgument names what is unknown.
Result<KeyStroke> key_of_name(const std::string& name);
/// The key that types an ASCII character; Enter and Tab for newline and tab. nullopt: no key does.
std::optional<KeyStroke> key_of_character(char32_t character);

/// The code points; ParseFailed with the byte's position where the text is no UTF-8.
Result<std::vector<char32_t>> decode_utf8(std::string_view text_utf8);
void append_utf8(std::string& text, char32_t character);

} // namespace handeye::web
