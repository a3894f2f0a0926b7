// SPDX-License-Identifier: Apache-2.0
// One step through text that may not be UTF-8: the maximal-subpart rule of the Unicode standard (section 3.9).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace handeye {

enum class Utf8Kind {
    Valid,      ///< one complete character
    Invalid,    ///< bytes that cannot begin or continue a character: one U+FFFD stands for them
    Incomplete, ///< a character's beginning, cut off by the end of the text
};
struct Utf8Step {
    std::size_t length = 0;
    Utf8Kind kind = Utf8Kind::Valid;
};

/// What stands at the beginning of `text`, which is not empty.
Utf8Step utf8_step(std::string_view text);

/// The bytes of the longest valid beginning.
std::size_t utf8_valid_length(std::string_view text);

/// The text with every invalid stretch, an incomplete end included, replaced by U+FFFD.
std::string utf8_repaired(std::string_view text);

inline constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

} // namespace handeye
