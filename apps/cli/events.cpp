// SPDX-License-Identifier: Apache-2.0
// `handeye events`: a session's log, as it is or as it grows.
#include "apps/cli/daemon_call.h"

#include "base/clock.h"
#include "base/json.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr Duration kForever = std::chrono::hours(24 * 365);
constexpr int kPage = 1000;

void show(const json& event, const Context& context) {
    if (context.json) {
        print_json(event);
    } else {
        print(fmt::format("{:6}  {}  {:24} {}", event.value("seq", 0), event.value("t_wall", ""), event.value("type", ""), dump_json(event.at("data"))));
    }
}

Result<int> read_all(JsonRpcClient& client, const std::string& session, std::uint64_t from, const Context& context) {
    for (bool is_end = false; !is_end;) {
        const json page = TRY(ask(client, "events.replay", {{"session", session}, {"from_seq", from}, {"n", kPage}}, context));
        for (const json& event : page.at("events")) {
            show(event, context);
        }
        from = page.at("next_seq").get<std::uint64_t>();
        is_end = page.at("is_end").get<bool>();
    }
    return 0;
}

Result<int> follow(JsonRpcClient& client, const std::string& session, std::uint64_t from, const Context& context) {
    json params{{"from_seq", from}};
    if (!session.empty()) {
        params["sessions"] = {session};
    }
    TRY(ask(client, "events.subscribe", params, context));
    for (;;) {
        const auto note = client.next_notification(SystemClock().now() + kForever, context.stop);
        if (!note) {
            return context.stop.stop_requested() ? Result<int>(0) : Result<int>(note.error());
        }
        if (note->method == "event") {
            show(TRY(parse_json(note->params_json, {.bytes_max = 64U << 20U, .depth_max = 128})), context);
        }
    }
}

} // namespace

Runner declare_events(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string session;
        std::uint64_t from = 1;
        bool follow = false;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    app.add_option("SESSION", options->session, "Session; with --follow all when absent");
    app.add_option("--from", options->from, "First event number")->capture_default_str();
    app.add_flag("--follow,-f", options->follow, "Go on as events come");
    return [options](const Context& context) -> Result<int> {
        if (options->session.empty() && !options->follow) {
            return Error{ErrorCode::InvalidArgument, "name a session, or follow all with --follow"};
        }
        const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(*options->daemon, "handeye events", context));
        return options->follow ? follow(*client, options->session, options->from, context) : read_all(*client, options->session, options->from, context);
    };
}

} // namespace handeye::cli
