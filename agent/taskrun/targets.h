// SPDX-License-Identifier: Apache-2.0
// From what a task file says of a target to its place on the screen. Inside this folder only.
#pragma once

#include "agent/taskrun/context.h"

#include <string>
#include <vector>

namespace handeye::taskrun {

constexpr Duration kTargetWithin = std::chrono::seconds(5);

/// `look` is needed where the region is given by what is beside it.
Attempt<TargetQuery> query_of(const Node& target, Context& context, const Look& look);
Attempt<Rect> region_of(const Node& region, Context& context, const Look& look);
/// The picture beside the task file, with the areas of `mask` taken out of account.
Attempt<Image> picture_of(const Node& map, Context& context);

/// Where it is in this look. TargetNotFound with what was tried; also for several that nothing tells apart, and for one that is
/// not enabled.
Attempt<Found> find_in(const Node& target, Context& context, const Look& look);
/// Looks until it is found; `within` of the target.
Outcome wait_for(const Node& target, Context& context);
/// The rung that the file means: the surest of those that what it says of the target allows.
Rung meant_rung(const Node& target);
/// Notes in the record of the step how the target was found, and how far that is from what was recorded of it.
void note_found(Context& context, const Node& target, const Found& found);
std::string found_json(const Found& found, const std::optional<Drift>& drift, bool is_irreversible = false);

} // namespace handeye::taskrun
