// SPDX-License-Identifier: Apache-2.0
// The command line as a client of the daemon: where it is, how to get in, one call and its answer.
#pragma once

#include "apps/cli/command.h"
#include "base/net/json_rpc.h"

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye::cli {

/// Where the daemon is and how to get in.
struct DaemonAddress {
    std::string text;       ///< as parse_endpoint() reads it; empty: this user's own socket
    std::string token_file; ///< empty: $HANDEYE_TOKEN, else the one of a handeyed of this user
    std::string ca;         ///< PEM files of TLS; empty: the system's authorities, no certificate of our own
    std::string cert;
    std::string key;
};
/// `--daemon`, `--token-file`, `--ca`, `--cert` and `--key`, with the variables that stand for them.
void add_daemon_options(CLI::App& app, DaemonAddress& daemon);
/// The same, for a command that keeps nothing else.
std::shared_ptr<DaemonAddress> add_daemon_option(CLI::App& app);

/// Not identified yet. Unavailable when nobody listens there. An address beyond this machine is spoken to through TLS only.
Result<std::unique_ptr<WebSocketClient>> connect_socket(const DaemonAddress& daemon, const std::stop_token& stop);
/// What opens TCP; empty for a Unix socket. InvalidArgument when a file that was named cannot be read.
Result<std::string> daemon_token(const DaemonAddress& daemon);
/// Shows the token. InvalidArgument when it is not the daemon's.
Result<void> enter(JsonRpcClient& client, const std::string& name, const DaemonAddress& daemon, const Context& context);
/// Connected and identified.
Result<std::unique_ptr<JsonRpcClient>> connect_daemon(const DaemonAddress& daemon, const std::string& client, const Context& context);

/// The connection's error, with what a person can do when it is lost.
Error with_advice(const Error& error);
/// One call; the daemon's "no" becomes an Error.
Result<nlohmann::json> ask(JsonRpcClient& client, const std::string& method, const nlohmann::json& params, const Context& context);
/// Connects, calls, prints: JSON with --json, else `to_text` of the result. Exit code 0.
Result<int> ask_and_print(const DaemonAddress& daemon, const std::string& method, const nlohmann::json& params, const Context& context,
                          const std::function<std::string(const nlohmann::json&)>& to_text);

} // namespace handeye::cli
