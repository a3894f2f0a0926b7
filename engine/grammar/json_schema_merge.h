// SPDX-License-Identifier: Apache-2.0
// Two schemas that must both hold, as one. Inside engine/grammar/ only.
#pragma once

#include "base/result.h"

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

using Schema = nlohmann::ordered_json;

/// Keywords that say nothing about which documents are valid.
bool is_annotation(std::string_view keyword);
/// Both of two schemas. Unsupported: a keyword that stands in both cannot be merged; `pointer` is where for the message.
Result<Schema> merged(const Schema& a, const Schema& b, std::string_view pointer);
/// Whether no document can be valid under both, as far as types, constants and a telling property show.
bool are_disjoint(const Schema& a, const Schema& b);

} // namespace handeye
