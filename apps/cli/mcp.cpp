// SPDX-License-Identifier: Apache-2.0
// `handeye mcp`: an MCP server on stdin and stdout, and a client of the daemon. One message a line.
#include "apps/cli/daemon_call.h"

#include "base/clock.h"
#include "base/json.h"
#include "server/mcp.h"

#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr Duration kDeadline = std::chrono::minutes(11);

Outcome ask_daemon(JsonRpcClient& daemon, const std::string& method, const nlohmann::json& params, const Context& context) {
    const auto reply = daemon.request(method, dump_json(params), SystemClock().now() + kDeadline, context.stop);
    if (!reply) {
        return {"", to_rpc_error(reply.error())};
    }
    if (!reply->failure) {
        return {reply->result_json, std::nullopt};
    }
    RpcError error{ErrorKind::Internal, reply->failure->message, reply->failure->field};
    for (const ErrorKindRow& row : error_kind_table()) {
        if (row.name == reply->failure->kind) {
            error.kind = row.kind;
        }
    }
    return {"", error};
}

} // namespace

Runner declare_mcp(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    app.footer("In an MCP client's configuration: command \"handeye\", arguments [\"mcp\"].");
    return [daemon](const Context& context) -> Result<int> {
        const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(*daemon, "handeye mcp", context));
        const McpServer server([&](const std::string& method, const nlohmann::json& params, const std::function<void(Outcome)>& done) {
            done(ask_daemon(*client, method, params, context));
        });
        for (std::string line; !context.stop.stop_requested() && std::getline(std::cin, line);) {
            if (line.find_first_not_of(" \t\r") == std::string::npos) {
                continue;
            }
            server.take(line, [](const std::optional<std::string>& answer) {
                if (answer) {
                    print(*answer);
                }
            });
        }
        return 0;
    };
}

} // namespace handeye::cli
