// SPDX-License-Identifier: Apache-2.0
// Words as people compare them: letter case, blanks, mnemonics, ellipses and colons folded away. Pure. Inside this folder only.
#pragma once

#include <string>
#include <string_view>

namespace handeye::locate {

/// Unicode code points; what is no UTF-8 becomes U+FFFD. At most kTextBytesMax bytes are looked at.
std::u32string decoded(std::string_view utf8);
/// Lower case (Latin, Greek, Cyrillic), one blank for many, no mnemonics ("_File", "&File"), nothing of "…", "...", ":" and "*" at
/// the end.
std::u32string folded(std::string_view utf8);
/// Letters and digits, of any script.
bool is_word_letter(char32_t c);

/// How well `has` answers to `wanted`: 1 the same, 0.85 all of it as whole words of `has`, 0.7 from the beginning of a word,
/// at most 0.6 when it does not fit. With `is_exact` only the same text fits, blanks around it apart.
double label_score(std::string_view wanted, std::string_view has, bool is_exact);

/// For messages: at most 60 characters, no control characters; the second in quotes.
std::string printable(std::string_view utf8);
std::string in_quotes(std::string_view utf8);

} // namespace handeye::locate
