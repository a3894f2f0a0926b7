// SPDX-License-Identifier: Apache-2.0
// Single words and numbers that models write as arguments. Inside this folder only.
#pragma once

#include "actions/action.h"
#include "actions/literal.h"

#include <optional>
#include <string>
#include <string_view>

namespace handeye {

/// ASCII letters only.
std::string lowered(std::string_view text);
/// "up", "Down"; nullopt: it names no direction.
std::optional<Direction> find_direction(std::string_view name);
/// The first number in a value: 5, "5", "5 seconds".
std::optional<double> number_in(const Literal& value);
/// "complete", "done", "true" and the like, or their opposites, in lower case; nullopt: neither.
std::optional<bool> truth_of(std::string_view word);

} // namespace handeye
