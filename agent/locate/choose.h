// SPDX-License-Identifier: Apache-2.0
// Which of a rung's candidates is meant: score, region, neighbour, index, and whether that is one. Pure. Inside this folder only.
#pragma once

#include "agent/locate/limits.h"
#include "agent/locate/rungs.h"

#include <optional>

namespace handeye::locate {

struct Choice {
    std::optional<Found> found;      ///< without `tried`
    std::vector<Candidate> several;  ///< they fit, and nothing tells them apart; in reading order
    std::string miss;                ///< why not, in words, when there is neither
};
/// `neighbours`: where query.near is; not looked at without one.
Choice choose(const Matches& matches, const Look& look, const RungLimits& limits, const std::vector<Rect>& neighbours);

/// Pixels between the two on that side; nullopt when `box` does not lie there or not beside it (Any: rows and columns come before
/// what lies askew).
std::optional<double> distance_to(const Rect& neighbour, const Rect& box, Side side);
/// From the top, then from the left; what overlaps by half of its height is one row.
void sort_for_reading(std::vector<Candidate>& candidates);
/// The first three, where they are: "button "Save" at 40,60; ...".
std::string listed(const std::vector<Candidate>& several);

} // namespace handeye::locate
