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
    std::string history_text;///< what the next prompt shows of this step: answer without thinking, memory and box tokens
    std::string memory;      ///< after "Memory:", raw; empty: none
    Dialect dialect = Dialect::GlmDesktop; ///< the dialect it turned out to be written in
    std::vector<std::string> warnings;     ///< what was repaired or ignored ("multiple actions: took the last")
};

/// Pure. Tries the `expected` dialect first, then the others. ParseFailed explains, in words fit for the model's next
/// prompt, what was missing; an answer without an action is always an error, never Finish.
/// Text over 1 MiB is refused (LimitExceeded). Time is linear in the text.
Result<ParsedReply> parse_reply(std::string_view reply_utf8, Dialect expected);

/// One action alone, in any dialect or in canonical JSON: command line, API, task files.
Result<Action> parse_action(std::string_view text_utf8);

} // namespace handeye
