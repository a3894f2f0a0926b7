// SPDX-License-Identifier: Apache-2.0
// A model's answer, in any of the dialects and with the mistakes that models make, to one Action.
#pragma once

#include "actions/action.h"
#include "actions/vocabulary.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct ParsedReply {
    Action action;
    std::string thinking;    ///< between <think> and </think>; never searched for an action
    std::string thought;     ///< visible text before the action
    std::string call;        ///< the action as the model wrote it, box tokens removed
    /// What the next prompt shows of this step: the answer without thinking and box tokens, up to a closing "Memory:" part.
    /// (Mobile answers begin with their memory, and it stays: that is how it travels.)
    std::string history_text;
    std::string memory;      ///< after "Memory:", raw; empty: none
    Dialect dialect = Dialect::GlmDesktop; ///< the dialect it turned out to be written in
    std::vector<std::string> warnings;     ///< what was repaired or ignored ("multiple actions: took the last")
};

/// What to make of typing followed at once by the Return key in one answer.
enum class Sequence {
    LastOnly,      ///< the last action of an answer is the one, whatever stood before it
    TypeThenEnter, ///< both, as one TypeText with press_enter
};

/// Whether the model came to its own end.
enum class ReplyEnd { Complete, Truncated };

/// One text from a server that returns the thinking apart. With a complete reply and no content the reasoning is the answer
/// (a reasoning parser that saw no </think> files everything under reasoning); a truncated one stays unfinished thinking.
std::string join_reasoning(std::string_view reasoning, std::string_view content, ReplyEnd end);

/// Pure. Tries the `expected` dialect first, then the others. ParseFailed explains, in words fit for the model's next
/// prompt, what was missing; an answer without an action is always an error, never Finish.
/// Text over 1 MiB is refused (LimitExceeded). Time is linear in the text.
/// An action that had to be repaired counts only in a complete reply: in a truncated one it is half of something.
Result<ParsedReply> parse_reply(std::string_view reply_utf8, Dialect expected, Sequence sequence = Sequence::LastOnly,
                                ReplyEnd end = ReplyEnd::Complete);

/// One action alone, in any dialect or in canonical JSON: command line, API, task files.
Result<Action> parse_action(std::string_view text_utf8);

} // namespace handeye
