// SPDX-License-Identifier: Apache-2.0
// Which steps of two runs belong together. Pure. Inside this folder only.
#pragma once

#include "agent/report_model.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace handeye::report {

enum class Likeness { Same, Unknown, Different };
/// Whether two steps went to the same thing: by what lay there (role and label), by what the action calls it, and only then by place,
/// which may be a twentieth of the screen apart.
Likeness compare_targets(const StepRecord& mine, const StepRecord& other);
/// What a step went to, for a sentence: "“Save” (push button)", "line 3", "500, 312".
std::string target_words(const StepRecord& step);

struct Alignment {
    bool is_by_number = false;
    /// Indices of this run's and the other's step; nullopt: that run has none.
    std::vector<std::pair<std::optional<std::size_t>, std::optional<std::size_t>>> pairs;
};
/// The pairing in order that has most in common (Needleman and Wunsch). Beyond some thousand differing steps on both sides it goes by
/// number, and says so.
Alignment align(const std::vector<StepRecord>& mine, const std::vector<StepRecord>& other);

} // namespace handeye::report
