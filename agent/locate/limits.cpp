// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/limits.h"

#include "base/result.h"

#include <algorithm>
#include <array>

namespace handeye {
namespace locate {
namespace {

constexpr std::array<RungLimits, 7> kLimits{{
    {Rung::Structure, "structure", 0.70, 0.10},
    {Rung::LocalTemplate, "local_template", 0.95, 0.03},
    {Rung::Template, "template", 0.95, 0.03},
    {Rung::Text, "text", 0.80, 0.08},
    {Rung::Landmark, "landmark", 0.50, 0.25},
    {Rung::Model, "model", 0.50, 0.0},
    {Rung::Coordinates, "coordinates", 0.0, 0.0},
}};

} // namespace

const RungLimits& limits_of(Rung rung) {
    const auto found = std::find_if(kLimits.begin(), kLimits.end(), [&](const RungLimits& l) { return l.rung == rung; });
    CHECK(found != kLimits.end());
    return *found;
}

} // namespace locate

std::string_view rung_name(Rung rung) { return locate::limits_of(rung).name; }

} // namespace handeye
