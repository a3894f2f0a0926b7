// SPDX-License-Identifier: Apache-2.0
// What a task may do and how much of it. The gate looks at resolved actions; nothing a model says can change it.
#pragma once

#include "actions/action.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace handeye {

struct Budget {
    int steps_max = 50;
    Duration wall_max = std::chrono::minutes(60);
    std::int64_t tokens_max = 1'000'000; ///< prompt and completion tokens of all steps
    int parse_failures_max = 5;          ///< in a row
};

/// Verbs by canonical name. An empty allow list allows every verb that is not denied.
struct Policy {
    std::vector<std::string> allow_verbs;
    std::vector<std::string> deny_verbs;
};
/// InvalidArgument names a verb that is not in the table.
Result<void> check_policy(const Policy& policy);

enum class Gate { Allow, Deny };
struct GateDecision {
    Gate gate = Gate::Allow;
    std::string rule;   ///< which line decided: "deny_verbs: type"
    std::string reason; ///< for a person and for the model's next prompt
};
/// Pure.
GateDecision gate_action(const Policy& policy, const Action& action);

} // namespace handeye
