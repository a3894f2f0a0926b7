// SPDX-License-Identifier: Apache-2.0
// The command line as a client of the daemon: where it is, how to get in, one call and its answer.
#pragma once

#include "apps/cli/command.h"
#include "base/net/json_rpc.h"

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye::cli {

/// `--daemon unix:PATH | HOST:PORT` of every command that asks the daemon.
std::shared_ptr<std::string> add_daemon_option(CLI::App& app);

/// Not identified yet. Unavailable when nobody listens there; empty: this user's own socket.
Result<std::unique_ptr<WebSocketClient>> connect_socket(const std::string& daemon, const std::stop_token& stop);
/// What opens TCP: $HANDEYE_TOKEN, else the token file of a handeyed of this user; empty for a Unix socket.
std::string daemon_token(const std::string& daemon);
/// Connected and identified.
Result<std::unique_ptr<JsonRpcClient>> connect_daemon(const std::string& daemon, const std::string& client, const Context& context);

/// One call; the daemon's "no" becomes an Error.
Result<nlohmann::json> ask(JsonRpcClient& client, const std::string& method, const nlohmann::json& params, const Context& context);
/// Connects, calls, prints: JSON with --json, else `to_text` of the result. Exit code 0.
Result<int> ask_and_print(const std::string& daemon, const std::string& method, const nlohmann::json& params, const Context& context,
                          const std::function<std::string(const nlohmann::json&)>& to_text);

} // namespace handeye::cli
