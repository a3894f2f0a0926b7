// SPDX-License-Identifier: Apache-2.0
// Texts and numbers of a schema, and how its faults are told.
#include "engine/grammar/json_schema_scalars.h"

#include "engine/grammar/json_schema_parts.h"
#include "engine/grammar/regex.h"

#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::int64_t kCountMax = 1'000'000;
constexpr double kIntegerMax = 9e15; ///< bounds beyond are not exact as JSON numbers

/// A bound as a whole number; nullopt: it is not given.
Result<std::optional<NumberBound>> bound(const Schema& schema, const char* plain, const char* exclusive, bool is_low, bool is_integer, const std::string& pointer) {
    std::optional<NumberBound> out;
    for (const char* keyword : {plain, exclusive}) {
        if (!schema.contains(keyword)) {
            continue;
        }
        if (!schema[keyword].is_number()) {
            return schema_refused(pointer, keyword, "it must be a number");
        }
        const double given = schema[keyword].get<double>();
        const bool is_whole = given == std::floor(given);
        if (std::abs(given) > kIntegerMax || (!is_whole && !is_integer)) {
            return schema_refused(pointer, keyword, "bounds are whole numbers up to 9e15");
        }
        NumberBound next{static_cast<std::int64_t>(is_low ? std::ceil(given) : std::floor(given)), keyword == exclusive && is_whole};
        if (is_integer && next.is_exclusive) {
            next = {next.value + (is_low ? 1 : -1), false};
        }
        const bool is_tighter = !out || (is_low ? next.value > out->value : next.value < out->value) || (next.value == out->value && next.is_exclusive);
        out = is_tighter ? next : *out;
    }
    return out;
}

} // namespace

Error schema_fault(std::string_view pointer, std::string_view what, ErrorCode code) {
    return {code, fmt::format("schema, at '{}': {}", pointer.substr(0, 200), what)};
}

Error schema_refused(std::string_view pointer, std::string_view keyword, std::string_view why) {
    return schema_fault(pointer, fmt::format("'{}' is not supported{}{}", keyword.substr(0, 80), why.empty() ? "" : ": ", why), ErrorCode::Unsupported);
}

Result<std::int64_t> schema_count(const Schema& schema, const char* keyword, std::int64_t fallback, const std::string& pointer) {
    if (!schema.contains(keyword)) {
        return fallback;
    }
    const Schema& n = schema[keyword];
    const double number = n.is_number() ? n.get<double>() : -1;
    if (number < 0 || number != std::floor(number)) {
        return schema_fault(pointer, fmt::format("'{}' is a whole number from 0", keyword));
    }
    if (number > static_cast<double>(kCountMax)) {
        return schema_fault(pointer, fmt::format("'{}' is {:g}, more than {}", keyword, number, kCountMax), ErrorCode::LimitExceeded);
    }
    return static_cast<std::int64_t>(number);
}
std::string repeats(std::int64_t low, std::int64_t high) {
    return high < 0 ? fmt::format("{{{},}}", low) : fmt::format("{{{},{}}}", low, high);
}

Result<std::string> string_expression(const Schema& schema, const std::string& pointer) {
    const std::int64_t low = TRY(schema_count(schema, "minLength", 0, pointer));
    const std::int64_t high = TRY(schema_count(schema, "maxLength", -1, pointer));
    const bool is_counted = schema.contains("minLength") || schema.contains("maxLength");
    const bool has_pattern = schema.contains("pattern");
    if (static_cast<int>(is_counted) + static_cast<int>(has_pattern) + static_cast<int>(schema.contains("format")) > 1) {
        return schema_refused(pointer, has_pattern ? "pattern" : "format", "together with another limit on the text; put the length into the pattern");
    }
    if (has_pattern) {
        if (!schema["pattern"].is_string()) {
            return schema_fault(pointer, "'pattern' must be a text");
        }
        auto pattern = regex_expression(schema["pattern"].get<std::string>(), RegexScope::Anywhere, RegexText::JsonString);
        if (!pattern) {
            return std::move(pattern).error().with_context(fmt::format("schema, at '{}/pattern'", pointer));
        }
        return std::string(fmt::format("\"\\\"\" {} \"\\\"\"", *pattern));
    }
    if (schema.contains("format")) {
        const auto format = schema["format"].is_string() ? format_expression(schema["format"].get<std::string>()) : std::nullopt;
        return format ? Result<std::string>((fmt::format("\"\\\"\" {} \"\\\"\"", *format)))
                      : schema_refused(pointer, "format: " + schema["format"].dump(), "there are date-time, date, time, email, hostname, ipv4, uuid, uri");
    }
    if (high >= 0 && high < low) {
        return schema_fault(pointer, "'maxLength' is less than 'minLength'");
    }
    return is_counted ? std::string(fmt::format("\"\\\"\" json-char{} \"\\\"\"", repeats(low, high))) : Result<std::string>("json-string");
}

Result<std::string> number_expression(const Schema& schema, const std::string& pointer, NumberKind kind) {
    const bool is_integer = kind == NumberKind::Integer;
    if (schema.contains("multipleOf") && !(is_integer && schema["multipleOf"] == Schema(1))) {
        return schema_refused(pointer, "multipleOf", "");
    }
    const auto low = TRY(bound(schema, "minimum", "exclusiveMinimum", true, is_integer, pointer));
    const auto high = TRY(bound(schema, "maximum", "exclusiveMaximum", false, is_integer, pointer));
    if (!low && !high) {
        return std::string(is_integer ? "json-integer" : "json-number");
    }
    const auto whole = [](const std::optional<NumberBound>& b) { return b ? std::optional(b->value) : std::nullopt; };
    const std::string range = is_integer ? integer_range(whole(low), whole(high)) : number_range(low, high);
    return range.empty() ? schema_fault(pointer, "no number lies between its bounds") : Result<std::string>(range);
}

} // namespace handeye
