// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/thinking.h"

#include <algorithm>

namespace handeye {

ThinkingTags ThinkingTags::of(const Tokenizer& tokenizer) {
    return {tokenizer.added_token("<think>"), tokenizer.added_token("</think>"), tokenizer.added_token("<answer>"),
            tokenizer.added_token("</answer>")};
}

std::vector<TokenId> forced_close(const std::vector<TokenId>& new_ids, const ThinkingTags& tags, PauseCause cause) {
    const auto has = [&](std::optional<TokenId> id) {
        return id && std::find(new_ids.begin(), new_ids.end(), *id) != new_ids.end();
    };
    if (!tags.think_end || has(tags.answer_end)) {
        return {};
    }
    const bool is_open = has(tags.think) && !has(tags.think_end);
    if (cause == PauseCause::StoppedByItself && !is_open) {
        return {};
    }
    std::vector<TokenId> ids;
    if (!has(tags.think_end)) {
        ids.push_back(*tags.think_end);
    }
    if (tags.answer && !has(tags.answer)) {
        ids.push_back(*tags.answer);
    }
    return ids;
}

} // namespace handeye
