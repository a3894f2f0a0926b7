// SPDX-License-Identifier: Apache-2.0
// What the grammar of a schema is put together from. Inside engine/grammar/ only.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// The rules that every grammar of JSON shares: json-value, json-object, json-string, json-char, ws and so on.
std::string json_rules(bool is_compact);

/// Integers from `low` to `high`, both included; unset: no bound.
std::string integer_range(std::optional<std::int64_t> low, std::optional<std::int64_t> high);

/// A bound of a number that may have a fraction.
struct NumberBound {
    std::int64_t value = 0;
    bool is_exclusive = false;
};
/// Decimal numbers without an exponent between the bounds; empty: there is none.
std::string number_range(std::optional<NumberBound> low, std::optional<NumberBound> high);

/// The inside of a string of one of the named formats (date-time, date, time, email, hostname, ipv4, uuid, uri); nullopt: not known.
std::optional<std::string> format_expression(std::string_view format);

/// Rules for a key that is none of `names`, as `rule`: a string without \u escapes.
std::string other_key_rules(std::string_view rule, const std::vector<std::string>& names);

} // namespace handeye
