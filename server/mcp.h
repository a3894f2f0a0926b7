// SPDX-License-Identifier: Apache-2.0
// The daemon's tools for MCP clients, revisions 2025-11-25 (initialize first) and 2026-07-28 (stateless: version and
// capabilities in _meta, server/discover). Knows neither sockets nor sessions: a message comes in, methods of the control API are
// called, a message goes out. State travels as handles in the tools' arguments.
#pragma once

#include "server/call.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

class McpServer {
public:
    /// Calls one method of the control API; the outcome comes now or later, once.
    using CallMethod = std::function<void(const std::string& method, const nlohmann::json& params, std::function<void(Outcome)> done)>;
    explicit McpServer(CallMethod call) : call_(std::move(call)) {}

    /// `done` gets the answer's text, or nothing for a notification; now or later, once.
    void take(std::string_view message, std::function<void(std::optional<std::string>)> done) const;

private:
    void call_tool(const std::string& id_json, const nlohmann::json& params, bool is_modern, std::function<void(std::optional<std::string>)> done) const;
    CallMethod call_;
};

} // namespace handeye
