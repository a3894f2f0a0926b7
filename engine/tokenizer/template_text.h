// SPDX-License-Identifier: Apache-2.0
// Python's string methods over text that remembers who wrote it, shared by the methods and the filters of templates.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/template_value.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace handeye::jinja {

enum class StripEnds { Left, Right, Both };
/// `characters` empty: white space.
Text stripped(const Text& text, StripEnds ends, std::string_view characters);

enum class SplitFrom { Left, Right };
/// At most `splits` cuts (negative: all). `separator` empty: runs of white space, none at the ends. Errors: never more than
/// `pieces_max` pieces.
Result<List> split(const Text& text, std::string_view separator, std::int64_t splits, SplitFrom from,
                   std::size_t pieces_max);
Result<List> split_lines(const Text& text, std::size_t pieces_max);

/// The first `count` occurrences (negative: all); `count` becomes how many there were.
/// Errors: a result above `bytes_max`, more than 2^17 occurrences.
Result<Text> replaced(const Text& text, std::string_view from, const Text& with, std::int64_t& count, std::size_t bytes_max);

/// ASCII letters only: other scripts are left as they are.
enum class LetterCase { Upper, Lower, Title, Capitalized };
Text with_case(const Text& text, LetterCase letter_case);

} // namespace handeye::jinja
