// SPDX-License-Identifier: Apache-2.0
// The JSON-RPC 2.0 envelope: text to request, result or error to text. Pure.
#pragma once

#include "server/error_kind.h"

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// One request. `params` is always an object; `id_json` is empty for a notification, which gets no answer.
struct RpcRequest {
    std::string id_json;
    std::string method;
    std::shared_ptr<const nlohmann::json> params;
};

/// A request that cannot be read, with the id to answer under ("null" where it has none).
struct RpcRefusal {
    std::string id_json;
    RpcError error;
};

/// Limits: `bytes_max`, 64 levels, method of 64 bytes, string id of 128 bytes; integer ids; no batches, no positional params.
std::variant<RpcRequest, RpcRefusal> parse_request(std::string_view text, std::size_t bytes_max);

/// `result_json` is taken as it is.
std::string result_text(std::string_view id_json, std::string_view result_json);
std::string error_text(std::string_view id_json, const RpcError& error);
/// `params_json` is one JSON object, taken as it is.
std::string notification_text(std::string_view method, std::string_view params_json);

/// A value, or why not.
template <class T>
using RpcResult = std::variant<T, RpcError>;

} // namespace handeye
