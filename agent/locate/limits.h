// SPDX-License-Identifier: Apache-2.0
// The numbers of each rung, in one table. Inside this folder only.
#pragma once

#include "agent/locate/locate.h"

namespace handeye::locate {

struct RungLimits {
    Rung rung;
    std::string_view name;
    double score_min;  ///< below: a miss
    double margin_min; ///< what the best must have over the second best, or they are several
};
/// docs/targets.md has the same numbers.
const RungLimits& limits_of(Rung rung);

constexpr std::size_t kTextBytesMax = 1024;  ///< of a label or a text that is compared; of longer ones the beginning
constexpr std::size_t kElementsMax = 20'000; ///< of a screen; the rest is not looked at

} // namespace handeye::locate
