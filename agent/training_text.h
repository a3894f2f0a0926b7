// SPDX-License-Identifier: Apache-2.0
// The words of a training record: prompts with their pictures' places, answers as a model family writes them. Pure.
// Inside this folder only.
#pragma once

#include "agent/export.h"
#include "base/geometry.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye::training {

/// A recorded prompt with "<image>" in place of each "<picture WxH>"; everything else in it that a trainer would take for a
/// picture's place or for a special token is altered ("<image>" to "< image>"). ParseFailed when the places of `pictures` cannot
/// be told from the text.
Result<std::string> question_text(std::string_view prompt_utf8, const std::vector<Size>& pictures);

/// Text that stands in no special place, altered likewise.
std::string plain_text(std::string_view text_utf8);

/// An answer as it came, in the given form. Its box tokens stay. ParseFailed: it was cut off while thinking, says nothing, or its
/// box tokens do not balance.
Result<std::string> answer_text(std::string_view raw_utf8, AnswerForm form);

} // namespace handeye::training
