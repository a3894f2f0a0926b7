// SPDX-License-Identifier: Apache-2.0
// The windows that an action is about: what the rules on programs, classes, titles and domains look at.
#pragma once

#include "agent/policy_gate.h"
#include "platforms/platform.h"

namespace handeye {

/// Fills facts.windows: what lies under each point, and for keys alone the window with the focus. Keys that follow a click go where
/// the click puts the focus: to the window under it. An error of the platform leaves the windows unset, which no allow rule takes.
void add_windows(ActionFacts& facts, Platform& platform);

} // namespace handeye
