// SPDX-License-Identifier: Apache-2.0
// The one way from a method's name to its handler, for the WebSocket, HTTP and MCP alike: scope, schema, request key, handler.
#pragma once

#include "server/call.h"

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

struct Core;
class Peer;

/// Answers through `reply` in every case. `peer` is identified, or the method needs no scope. The I/O thread only.
void dispatch(Core& core, const std::shared_ptr<Peer>& peer, const std::string& method,
              const std::shared_ptr<const nlohmann::json>& params, const Reply& reply);

} // namespace handeye
