// SPDX-License-Identifier: Apache-2.0
// "did you mean ...?": the nearest of some names to a misspelt one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// The name with the smallest edit distance to `given`, of at most 3 and less than half of its length; empty where none is near.
std::string_view nearest_name(std::string_view given, std::span<const std::string_view> names);
/// The `count` names that are nearest to `given`, however far, in the order of their distance; of equal ones the first first.
std::vector<std::string_view> nearest_names(std::string_view given, std::span<const std::string_view> names, std::size_t count);
/// `did you mean "x"?`, else `the WHAT are a, b, c`.
std::string suggestion(std::string_view given, std::string_view what, std::span<const std::string_view> names);

} // namespace handeye
