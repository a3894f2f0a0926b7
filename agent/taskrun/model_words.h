// SPDX-License-Identifier: Apache-2.0
// Questions of a task file to the model about what is on the screen, and what its answers mean. Inside this folder only.
#pragma once

#include "agent/taskrun/context.h"

#include <string>

namespace handeye::taskrun {

/// Whether the claim is true of the screen (of `region`, where one is given). `vote` seeds the sampling: the first is greedy. An
/// answer that is neither yes nor no is a Failure.
Attempt<bool> ask_whether(const std::string& claim_utf8, int vote, const Node* region, Context& context);
/// What the question asks for, as the model writes it; at most a few words or a number.
Attempt<std::string> ask_for(const std::string& question_utf8, Context& context);
/// Where the model sees it, in the picture's pixels. NotFound when it sees nothing such, or says nothing that is a box.
Result<Rect> ask_where(Hands& hands, const Image& image, const std::string& description_utf8);

/// Of an answer: without thinking, tags and markers, and of a text in box markers only that.
std::string visible_answer(const std::string& text_utf8);

} // namespace handeye::taskrun
