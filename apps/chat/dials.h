// SPDX-License-Identifier: Apache-2.0
// What can be turned before and during a conversation: `--top-p 0.9` and `/set top_p 0.9` are one row.
#pragma once

#include "base/result.h"
#include "engine/chat.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::chat {

struct Dials {
    SamplingOptions sampling{.repetition_penalty = 1.1}; ///< as the family's own terminal chat: greedy, with this penalty
    int max_new_tokens = 12288;
    int thinking_budget = 8192; ///< 0: never closed by force
    double dpi = 180;           ///< of pages
    std::optional<bool> thinks; ///< unset: as the model's template does
};

struct DialRow {
    std::string_view name;
    std::string_view help;
    double least;
    double most;
    bool is_whole;
    double (*get)(const Dials& dials);
    void (*set)(Dials& dials, double value);
};
const std::vector<DialRow>& dial_rows();

/// InvalidArgument names the nearest dial, or the range.
Result<void> turn_dial(Dials& dials, std::string_view name, std::string_view value);
/// "0.9", "8192".
std::string dial_text(const DialRow& row, const Dials& dials);
/// Its part of a request.
void put_dials(const Dials& dials, ChatRequest& request);

} // namespace handeye::chat
