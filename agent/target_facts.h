// SPDX-License-Identifier: Apache-2.0
// What was at the place to which an action went: for a later run that has to find it again. Inside this folder only.
#pragma once

#include "platforms/platform.h"

#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// The innermost thing there that a person can act on, else the innermost that has a name; null: nothing is known.
const Element* innermost_at(const std::vector<Element>& elements, Point at);
/// {"role","label","id","box","index","of"}: `index` of the `of` elements with this role and label, in reading order; of a field without
/// a label also "beside", the words next to it, which then count as its label. Null where no element is known.
nlohmann::json describe_element_at(const std::vector<Element>& elements, Point at);

} // namespace handeye
