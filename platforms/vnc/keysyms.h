// SPDX-License-Identifier: Apache-2.0
// Keysyms, which RFB takes from X, and text in characters. Pure.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::vnc {

/// The keysym of an X name ("Return", "U20AC") or of one character ("ä"). InvalidArgument names what is unknown.
Result<std::uint32_t> keysym_of_name(const std::string& name);
/// What viewers send for `character`: Return and Tab for newline and tab.
std::uint32_t keysym_of_character(char32_t character);
/// The keysym that the same key has with Shift down on a US keyboard, which is what viewers send then; the same one where it has none.
std::uint32_t shifted(std::uint32_t keysym);
bool is_shift(std::uint32_t keysym);

/// The code points; InvalidArgument with the byte's position where the text is no UTF-8.
Result<std::vector<char32_t>> decode_utf8(std::string_view text_utf8);
std::string encode_utf8(std::span<const char32_t> text);
/// "U+1F600"
std::string describe_character(char32_t character);
/// Nothing of it is seen where it stands: joiners, marks of direction, variation selectors.
bool is_invisible(char32_t character);

} // namespace handeye::vnc
