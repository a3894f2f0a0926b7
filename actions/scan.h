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
    bool was_repaired = false; ///< quotes or brackets were missing
};

/// Places in the text that scanning needs to know beforehand; both lists are sorted.
struct ScanGuide {
    std::vector<std::size_t> stops;        ///< where a known call's name or a label begins: a string with broken quotes ends before it
    std::vector<std::size_t> action_begins;///< behind a label "Action:", where a line's action can begin
};
ScanGuide find_guide(std::string_view text, const std::vector<FieldLabel>& labels);

/// Characters that may be looked at for a text, failed attempts included.
Work work_for(std::string_view text);

/// Appends the candidates of `span`. Stops early, with work.left == 0, when `work` is spent or candidates are absurdly many.
void scan_actions(std::string_view text, TextSpan span, const ScanGuide& guide, Work& work, std::vector<Candidate>& candidates);

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
