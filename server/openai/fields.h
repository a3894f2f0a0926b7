// SPDX-License-Identifier: Apache-2.0
// Fields of a request's JSON: which there are, and each read under its bounds. A field that is null counts as one that is not there.
// All throw Refused with the field's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

inline constexpr int kTokensMax = 1 << 24;

enum class FieldUse {
    Read,
    PassedOver, ///< it changes nothing here, whatever it says
    Undone,     ///< known to other servers and not done here: an error unless it says what is the case anyhow
};
struct FieldRow {
    std::string_view name;
    FieldUse use = FieldUse::Read;
    std::string_view harmless_json = {}; ///< Undone: the value that asks for nothing
};
using FieldTable = std::span<const FieldRow>;
/// Refuses what none of the tables has.
void check_fields(const nlohmann::json& body, std::initializer_list<FieldTable> tables);

/// nullptr: it is not there.
const nlohmann::json* find_field(const nlohmann::json& object, const char* name);
/// What may not be nan, and is not.
struct Range {
    double from = 0;
    double to = 0;
};
double number(const nlohmann::json& object, const char* name, Range range, double otherwise);
std::optional<int> whole(const nlohmann::json& object, const char* name, int from, int to);
std::optional<bool> flag(const nlohmann::json& object, const char* name);
/// A text of at most so many bytes.
std::optional<std::string> text(const nlohmann::json& object, const char* name, std::size_t bytes_max);

} // namespace handeye
