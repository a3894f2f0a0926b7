// SPDX-License-Identifier: Apache-2.0
// Which keywords, types and constants a schema speaks of. Inside engine/grammar/ only.
#pragma once

#include "engine/grammar/json_schema_merge.h"

#include <string>
#include <vector>

namespace handeye {

/// Unsupported for a keyword that no grammar keeps.
Result<void> check_keywords(const Schema& schema, const std::string& pointer);

/// The types that a schema allows; without `type` those whose keywords it has, or none, which is all.
Result<std::vector<std::string>> schema_types(const Schema& schema, const std::string& pointer);

/// One constant, spaces between its parts as anywhere.
std::string constant_expression(const Schema& one);
/// Beside constants only the type is looked at; more would need a validator.
Result<bool> is_valid_constant(const Schema& one, const Schema& schema, const std::string& pointer);

} // namespace handeye
