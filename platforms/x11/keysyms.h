// SPDX-License-Identifier: Apache-2.0
// Keysyms, their names and their characters. Pure: needs no server.
#pragma once

#include "base/result.h"
#include "platforms/x11/xlib.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye::x11 {

/// The keysym of an X name ("Return", "U20AC") or of one character ("ä"). InvalidArgument names what is unknown.
Result<KeySym> keysym_of_name(const std::string& name);
/// The keysym that clients turn into `character`: Return and Tab for newline and tab.
KeySym keysym_of_character(char32_t character);
/// The character that pressing a key with this keysym types; 0 for keys that type none (function keys, dead keys).
char32_t character_of_keysym(KeySym keysym);

/// The code points; ParseFailed with the byte's position where the text is no UTF-8.
Result<std::vector<char32_t>> decode_utf8(std::string_view text_utf8);
/// "U+1F600"
std::string describe_character(char32_t character);

} // namespace handeye::x11
