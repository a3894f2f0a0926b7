// SPDX-License-Identifier: Apache-2.0
// Finds every action that stands in a stretch of text, in whatever notation, from left to right. What lies inside an action's own
// strings is covered and never taken for another action.
#pragma once

#include "actions/build.h"
#include "actions/reply.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct Candidate {
    TextSpan span;
    Built built;
    Dialect dialect = Dialect::GlmDesktop;
    std::vector<std::string> warnings;
};

/// Sorted places where a known call's name begins and where labels do: a string with broken quotes ends before them.
std::vector<std::size_t> find_stops(std::string_view text, const std::vector<FieldLabel>& labels);

/// Appends the candidates of `span`. Stops early when `work` is spent (work.left == 0 afterwards).
void scan_actions(std::string_view text, TextSpan span, std::span<const std::size_t> stops, Work& work,
                  std::vector<Candidate>& candidates);

/// A set-of-marks line ("Click [12]", "ANSWER; ...") that begins at `begin`; nullopt when the line is none.
struct MarkLine {
    Action action;
    std::size_t begin = 0; ///< of the verb, after labels and bullets
    std::size_t end = 0;
};
std::optional<MarkLine> read_mark_line(std::string_view text, std::size_t begin, std::size_t limit, Work& work);

/// A lone closing word ("DONE", "Finished.", "wait"), when it stands alone on the last line or, in capitals, closes a sentence.
std::optional<Candidate> find_bare_word(std::string_view text, TextSpan span);

/// {"verb":...}: strict JSON, every field checked. Errors: ParseFailed for JSON, InvalidArgument for its contents.
Result<Action> parse_canonical(std::string_view json);

} // namespace handeye
