// SPDX-License-Identifier: Apache-2.0
// The policy and the budgets of a task file as the agent's own values.
#pragma once

#include "agent/policy.h"
#include "agent/taskfile/tree.h"

namespace handeye::taskfile {

/// InvalidArgument names the rule and its field, as policy_from_json() does. "apps", "window_classes" and "domains" become one rule
/// that allows what fits all of them, after what is denied and what is asked; everything else is then denied.
Result<Policy> policy_of(const Node& policy);
/// `base` with what the file sets.
Result<Budget> budget_of(const Node& budget, Budget base);

} // namespace handeye::taskfile
