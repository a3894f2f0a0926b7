// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/daemon_call.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#include <cstdlib>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr Duration kCallDeadline = std::chrono::minutes(11); // task.wait may take ten

TimePoint deadline() { return SystemClock().now() + kCallDeadline; }

} // namespace

std::shared_ptr<std::string> add_daemon_option(CLI::App& app) {
    auto daemon = std::make_shared<std::string>();
    app.add_option("--daemon", *daemon, "unix:PATH or HOST:PORT (default: this user's handeyed)");
    return daemon;
}

Result<std::unique_ptr<WebSocketClient>> connect_socket(const std::string& daemon, const std::stop_token& stop) {
    Endpoint endpoint;
    if (daemon.empty()) {
        endpoint.unix_path = runtime_dir() / "handeyed.sock";
    } else {
        endpoint = TRY(parse_endpoint(daemon));
    }
    return WebSocketClient::connect(endpoint, {}, stop);
}

std::string daemon_token(const std::string& daemon) {
    if (daemon.empty() || daemon.starts_with("unix:")) {
        return {};
    }
    if (const char* const token = std::getenv("HANDEYE_TOKEN"); token != nullptr) {
        return token;
    }
    std::string token = read_file(config_dir() / "token", 4096).value_or("");
    token.erase(token.find_last_not_of(" \n") + 1);
    return token;
}

Result<std::unique_ptr<JsonRpcClient>> connect_daemon(const std::string& daemon, const std::string& client, const Context& context) {
    std::unique_ptr<WebSocketClient> socket = TRY(connect_socket(daemon, context.stop).with_context("is handeyed running?"));
    auto rpc = std::make_unique<JsonRpcClient>(std::move(socket));
    TRY(rpc->identify(client, daemon_token(daemon), deadline(), context.stop));
    return rpc;
}

Result<nlohmann::json> ask(JsonRpcClient& client, const std::string& method, const nlohmann::json& params, const Context& context) {
    const std::string text = TRY(client.call(method, dump_json(params), deadline(), context.stop));
    return parse_json(text, {.bytes_max = 64U << 20U, .depth_max = 128});
}

Result<int> ask_and_print(const std::string& daemon, const std::string& method, const nlohmann::json& params, const Context& context,
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
