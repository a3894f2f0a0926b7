// SPDX-License-Identifier: Apache-2.0
// Words with "*" for any characters, as rules write names. Inside this folder only.
#pragma once

#include <string_view>

namespace handeye {

/// Whole-text match; ASCII letter case does not matter.
bool matches_glob(std::string_view pattern, std::string_view text);

} // namespace handeye
