// SPDX-License-Identifier: Apache-2.0
// The values that a task file writes as words: durations, counts, texts with ${references}, chords.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::taskfile {

/// "250ms", "1.5s", "10m", "2h". ParseFailed says what would do.
Result<Duration> parse_duration(std::string_view text);
/// "200", "200k", "1.5M". ParseFailed says what would do.
Result<std::int64_t> parse_count(std::string_view text);

/// A piece of a text: as it stands, or the value of an expression (usually one name).
struct TextPiece {
    bool is_reference = false;
    std::string text;       ///< or the expression between "${" and "}"
    std::size_t offset = 0; ///< of it in the text
};
/// "Report ${vars.month}": two pieces. "$${" is "${" as it stands. ParseFailed for a reference without end or that is no expression.
Result<std::vector<TextPiece>> parse_text(std::string_view text);

} // namespace handeye::taskfile
