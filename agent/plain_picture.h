// SPDX-License-Identifier: Apache-2.0
// Pictures on which nothing is to be seen. Inside this folder only.
#pragma once

#include "base/image.h"

namespace handeye {

/// Whether its pixels differ by less than a target's picture must (agent/locate/alike.h): it could be anywhere. So has an empty one.
bool is_of_one_colour(const Image& picture);

} // namespace handeye
