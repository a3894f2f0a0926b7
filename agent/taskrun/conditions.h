// SPDX-License-Identifier: Apache-2.0
// Whether something is so: on the screen, in a file, among the names, in the model's eyes. Inside this folder only.
#pragma once

#include "agent/taskrun/context.h"

#include <string>

namespace handeye::taskrun {

/// One look.
Attempt<bool> holds(const Node& condition, Context& context);
/// Looks until it holds. A Failure of `kind` when it does not in time, with what was waited for.
Outcome wait_until(const Node& condition, Context& context, Duration within, FailureKind kind);
/// The condition in a few words, with the values that its references stand for now: `text "Save"`. No secret has a value here.
std::string describe(const Node& condition, const Values& values);

} // namespace handeye::taskrun
