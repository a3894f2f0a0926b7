// SPDX-License-Identifier: Apache-2.0
// Text as a person sees it: two texts that look the same are compared as the same. Inside this folder and apps/batch only.
#pragma once

#include <string>
#include <string_view>

namespace handeye {

/// Unicode NFKC, without what is not seen: zero-width signs, marks of the writing direction, soft hyphens, variation selectors, NUL. Bytes
/// that are not UTF-8 become U+FFFD. Letters of other alphabets that look alike stay different.
std::string plain_text(std::string_view text_utf8);

/// A PCRE2 pattern in the same form. What would become a sign with a meaning (a full-width asterisk) stands for that sign itself.
std::string plain_pattern(std::string_view pattern_utf8);

} // namespace handeye
