// SPDX-License-Identifier: Apache-2.0
// Hands a goal to a running handeyed and prints what happens, through the client library in base/net.
//     ws_client DAEMON PLATFORM GOAL [TARGET]     e.g.  ws_client unix:/run/user/1000/handeye/handeyed.sock x11 "Click Save."
// TARGET is the JSON object of session.create, e.g. '{"headless":"336x224","launch":["xterm"]}'.
// Over TCP the token comes from the environment variable HANDEYE_TOKEN.
#include "base/net/json_rpc.h"

#include <cstdlib>
#include <iostream>

#include <nlohmann/json.hpp>

namespace {

using handeye::Error;
using handeye::Result;
using nlohmann::json;

handeye::TimePoint in_an_hour() { return std::chrono::steady_clock::now() + std::chrono::hours(1); }

Result<json> call(handeye::JsonRpcClient& client, const std::string& method, const json& params) {
    const std::string result = TRY(client.call(method, params.dump(), in_an_hour()));
    return json::parse(result);
}

Result<int> run(const std::string& daemon, const std::string& platform, const std::string& goal,
                const std::string& target) {
    const handeye::Endpoint endpoint = TRY(handeye::parse_endpoint(daemon));
    handeye::JsonRpcClient client(TRY(handeye::WebSocketClient::connect(endpoint)));
    const char* const token = std::getenv("HANDEYE_TOKEN");
    TRY(client.identify("ws_client", token != nullptr ? token : "", in_an_hour()));
    json create = {{"platform", platform}};
    if (!target.empty()) {
        create["target"] = json::parse(target, nullptr, false);
        if (create["target"].is_discarded()) {
            return Error{handeye::ErrorCode::ParseFailed, "TARGET is not JSON: " + target};
        }
    }
    const json session = TRY(call(client, "session.create", create));
    TRY(call(client, "events.subscribe", {{"sessions", {session.at("session")}}, {"from_seq", 1}}));
    TRY(call(client, "task.run", {{"session", session.at("session")}, {"goal", goal}}));
    for (;;) {
        const handeye::RpcNotification note = TRY(client.next_notification(in_an_hour()));
        if (note.method != "event") {
            continue;
        }
        const json event = json::parse(note.params_json);
        const json& data = event.at("data");
        if (event.at("type") == "action.proposed") {
            std::cout << "step " << data.value("step", 0) << "  " << data.value("summary", "") << std::flush;
        } else if (event.at("type") == "task.step_finished") {
            std::cout << "  " << data.value("result", "") << std::endl;
        } else if (event.at("type") == "task.finished") {
            const std::string outcome = data.at("outcome");
            std::cout << "outcome: " << outcome << std::endl;
            TRY(call(client, "session.close", {{"session", session.at("session")}}));
            return outcome == "done" ? 0 : 1;
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4 || argc > 5) {
        std::cerr << "usage: ws_client unix:PATH|HOST:PORT PLATFORM GOAL [TARGET]\n";
        return 2;
    }
    const Result<int> code = run(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : "");
    if (!code) {
        std::cerr << "ws_client: " << code.error().message << '\n';
        return 5;
    }
    return *code;
}
