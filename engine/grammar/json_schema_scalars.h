// SPDX-License-Identifier: Apache-2.0
// Texts and numbers of a schema, and how its faults are told. Inside engine/grammar/ only.
#pragma once

#include "engine/grammar/json_schema_merge.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace handeye {

Error schema_fault(std::string_view pointer, std::string_view what, ErrorCode code = ErrorCode::ParseFailed);
/// Unsupported, with what to do instead where `why` says it.
Error schema_refused(std::string_view pointer, std::string_view keyword, std::string_view why);

/// A keyword that counts (minLength and the like); `fallback` without it.
Result<std::int64_t> schema_count(const Schema& schema, const char* keyword, std::int64_t fallback, const std::string& pointer);
/// "{low,high}"; high below 0: no end.
std::string repeats(std::int64_t low, std::int64_t high);

/// The expression of a string under the schema's keywords for strings.
Result<std::string> string_expression(const Schema& schema, const std::string& pointer);
enum class NumberKind { Integer, Decimal };
Result<std::string> number_expression(const Schema& schema, const std::string& pointer, NumberKind kind);

} // namespace handeye
