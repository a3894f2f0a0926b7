// SPDX-License-Identifier: Apache-2.0
// The thinking budget: when a thought is not finished in time, which ids close it. Pure.
#pragma once

#include "engine/tokenizer/tokenizer.h"

#include <optional>
#include <vector>

namespace handeye {

/// The ids of the tags, where the tokenizer has them.
struct ThinkingTags {
    std::optional<TokenId> think, think_end, answer, answer_end;
    static ThinkingTags of(const Tokenizer& tokenizer);
};

/// Why generation pauses to look at its thinking.
enum class PauseCause { BudgetSpent, StoppedByItself };

/// What to append to the new ids so that an answer follows; empty when nothing is missing.
/// As the reference's script: with `</answer>` nothing; without, when the budget is spent or `<think>` stands open,
/// `</think><answer>`, or `<answer>` alone after a closed thought. Models without `<answer>` get `</think>` alone.
std::vector<TokenId> forced_close(const std::vector<TokenId>& new_ids, const ThinkingTags& tags, PauseCause cause);

} // namespace handeye
