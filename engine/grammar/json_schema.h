// SPDX-License-Identifier: Apache-2.0
// JSON Schema as a grammar: every text of the grammar is valid JSON and valid under the schema. A keyword that cannot be kept is an
// error that names it; docs/grammar.md lists those that are.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace handeye {

enum class JsonSpacing {
    Flexible, ///< after brackets, commas and colons at most one space, or a line break and its indentation
    Compact,  ///< none: fewer tokens
};

/// The grammar of a schema's documents: properties in the schema's order, those that are not required may be left out.
/// ParseFailed: not JSON, or a keyword's value makes no sense. Unsupported: names the keyword and its JSON pointer.
/// LimitExceeded: the schema or its grammar is too large.
Result<std::string> schema_grammar(std::string_view json_schema, JsonSpacing spacing = JsonSpacing::Flexible);

/// Any JSON object: `response_format: {"type": "json_object"}`.
std::string json_object_grammar(JsonSpacing spacing = JsonSpacing::Flexible);

} // namespace handeye
