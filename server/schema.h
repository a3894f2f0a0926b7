// SPDX-License-Identifier: Apache-2.0
// The protocol file docs/protocol.schema.json, embedded, and the check of a request's parameters against it.
#pragma once

#include "server/error_kind.h"

#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// The whole file; made from the one in docs/ at build time.
std::string_view protocol_schema_text();
/// Parsed once.
const nlohmann::json& protocol_schema();

/// InvalidParams naming the field, what it is and what it should be; nullopt: the parameters fit. Unknown fields pass.
std::optional<RpcError> check_params(std::string_view method, const nlohmann::json& params);

/// The part of JSON Schema that the protocol file uses: type, enum, required, properties, items, minimum, maximum,
/// minLength, maxLength, minItems, maxItems, additionalProperties (false). `path` is the field's name in the error.
std::optional<RpcError> check_value(const nlohmann::json& schema, const nlohmann::json& value, std::string_view path);

} // namespace handeye
