// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/daemon_call.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "server/listen_socket.h"

#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr Duration kCallDeadline = std::chrono::minutes(11); // task.wait may take ten

constexpr std::size_t kTokenBytesMax = 4096;

std::string given_or(const std::string& given, const char* variable) {
    const char* const set = given.empty() ? std::getenv(variable) : nullptr;
    return set != nullptr ? set : given;
}

/// Whether nothing but a daemon that does not run keeps us from connecting: no certificate is looked at there.
bool is_plain(const DaemonAddress& daemon) {
    const Result<Endpoint> endpoint = daemon.text.empty() ? Result<Endpoint>(Endpoint{.unix_path = runtime_dir()}) : parse_endpoint(daemon.text);
    return endpoint && (!endpoint->unix_path.empty() || (!endpoint->is_tls && is_loopback(*endpoint)));
}

TimePoint deadline() { return SystemClock().now() + kCallDeadline; }

} // namespace

void add_daemon_options(CLI::App& app, DaemonAddress& daemon) {
    const char* const group = "Daemon";
    app.add_option("--daemon", daemon.text, "unix:PATH, HOST:PORT or tls:HOST:PORT (default: this user's handeyed)")->group(group);
    app.add_option("--token-file", daemon.token_file, "Holds the token for TCP (default: $HANDEYE_TOKEN, else this user's own)")->group(group);
    app.add_option("--ca", daemon.ca, "PEM file of who may vouch for the daemon's certificate (default: $HANDEYE_CA, else the system's)")->group(group);
    app.add_option("--cert", daemon.cert, "PEM file: our certificate, for a daemon that asks for one (default: $HANDEYE_CERT)")->group(group);
    app.add_option("--key", daemon.key, "PEM file: its key (default: $HANDEYE_KEY)")->group(group);
}

std::shared_ptr<DaemonAddress> add_daemon_option(CLI::App& app) {
    auto daemon = std::make_shared<DaemonAddress>();
    add_daemon_options(app, *daemon);
    return daemon;
}

Result<std::unique_ptr<WebSocketClient>> connect_socket(const DaemonAddress& daemon, const std::stop_token& stop) {
    Endpoint endpoint;
    if (daemon.text.empty()) {
        endpoint.unix_path = runtime_dir() / "handeyed.sock";
    } else {
        endpoint = TRY(parse_endpoint(daemon.text));
    }
    WebSocketOptions options;
    options.tls = {.ca_file = given_or(daemon.ca, "HANDEYE_CA"), .cert = given_or(daemon.cert, "HANDEYE_CERT"), .key = given_or(daemon.key, "HANDEYE_KEY")};
    if (options.tls.cert.empty() != options.tls.key.empty()) {
        return Error{ErrorCode::InvalidArgument, "--cert and --key go together"};
    }
    // The token never leaves this machine in the clear.
    endpoint.is_tls = endpoint.is_tls || (endpoint.unix_path.empty() && !is_loopback(endpoint));
    return WebSocketClient::connect(endpoint, options, stop);
}

Result<std::string> daemon_token(const DaemonAddress& daemon) {
    if (daemon.text.empty() || daemon.text.starts_with("unix:")) {
        return std::string();
    }
    if (const char* const token = std::getenv("HANDEYE_TOKEN"); token != nullptr && daemon.token_file.empty()) {
        return std::string(token);
    }
    const bool is_named = !daemon.token_file.empty();
    Result<std::string> held = read_file(is_named ? std::filesystem::path(daemon.token_file) : config_dir() / "token", kTokenBytesMax);
    if (!held && is_named) {
        return Error{ErrorCode::InvalidArgument, "--token-file: " + held.error().message};
    }
    std::string token = held ? *std::move(held) : "";
    token.erase(token.find_last_not_of(" \n") + 1);
    return token;
}

Result<void> enter(JsonRpcClient& client, const std::string& name, const DaemonAddress& daemon, const Context& context) {
    const Result<std::string> entered = client.identify(name, TRY(daemon_token(daemon)), deadline(), context.stop);
    if (entered) {
        return {};
    }
    const std::optional<RpcFailure>& failure = client.last_failure();
    if (failure && failure->kind == "unauthorized") { // bad input, not somebody's no
        return Error{ErrorCode::InvalidArgument, entered.error().message + "; the daemon's token comes in --token-file FILE or $HANDEYE_TOKEN"};
    }
    return entered.error();
}

Result<std::unique_ptr<JsonRpcClient>> connect_daemon(const DaemonAddress& daemon, const std::string& client, const Context& context) {
    Result<std::unique_ptr<WebSocketClient>> socket = connect_socket(daemon, context.stop);
    if (!socket) { // where a certificate is looked at the cause may be that
        const bool is_absent = socket.error().code == ErrorCode::Unavailable && (is_plain(daemon) || socket.error().message.ends_with("Connection refused"));
        return is_absent ? Error{socket.error().code, socket.error().message + "; is handeyed running?"} : socket.error();
    }
    auto rpc = std::make_unique<JsonRpcClient>(std::move(*socket));
    TRY(enter(*rpc, client, daemon, context));
    return rpc;
}

Error with_advice(const Error& error) {
    return error.code == ErrorCode::Unavailable ? Error{error.code, error.message + "; is handeyed still running? its log says why it ended"} : error;
}

Result<nlohmann::json> ask(JsonRpcClient& client, const std::string& method, const nlohmann::json& params, const Context& context) {
    const Result<RpcReply> reply = client.request(method, dump_json(params), deadline(), context.stop);
    if (!reply) {
        return with_advice(reply.error());
    }
    if (reply->failure) {
        return Error{reply->failure->error_code, fmt::format("{}: {}", reply->failure->kind, reply->failure->message)};
    }
    return parse_json(reply->result_json, {.bytes_max = 64U << 20U, .depth_max = 128});
}

Result<int> ask_and_print(const DaemonAddress& daemon, const std::string& method, const nlohmann::json& params, const Context& context,
                          const std::function<std::string(const nlohmann::json&)>& to_text) {
    const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(daemon, "handeye", context));
    const nlohmann::json result = TRY(ask(*client, method, params, context));
    if (context.json) {
        print_json(result);
    } else {
        print(to_text(result));
    }
    return 0;
}

} // namespace handeye::cli
