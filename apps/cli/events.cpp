// SPDX-License-Identifier: Apache-2.0
// `handeye events`: a session's log, as it is or as it grows.
#include "apps/cli/daemon_call.h"

#include "agent/history.h"
#include "base/clock.h"
#include "base/json.h"

#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr Duration kForever = std::chrono::hours(24 * 365);
constexpr std::uint64_t kFirst = 1;
constexpr int kPage = 1000;
constexpr std::size_t kDataBytesMax = 200; // a line that can be read; --json has all

/// `before` starts a line for people: which session, where there are several.
void show(const json& event, const std::string& before, const Context& context) {
    if (context.json) {
        print_json(event);
    } else {
        print(fmt::format("{}{:6}  {}  {:24} {}", before, event.value("seq", 0), event.value("t_wall", ""), event.value("type", ""),
                          clip_utf8(dump_json(event.at("data")), kDataBytesMax)));
    }
}

Result<int> read_all(JsonRpcClient& client, const std::string& session, std::uint64_t from, const Context& context) {
    for (bool is_end = false; !is_end;) {
        const json page = TRY(ask(client, "events.replay", {{"session", session}, {"from_seq", from}, {"n", kPage}}, context));
        for (const json& event : page.at("events")) {
            show(event, "", context);
        }
        from = page.at("next_seq").get<std::uint64_t>();
        is_end = page.at("is_end").get<bool>();
    }
    return 0;
}

Result<int> follow(JsonRpcClient& client, const std::string& session, std::optional<std::uint64_t> from, const Context& context) {
    json params = json::object();
    if (!session.empty()) {
        params["sessions"] = {session};
        params["from_seq"] = from.value_or(kFirst);
    } else if (from) {
        params["from_seq"] = *from;
    }
    TRY(ask(client, "events.subscribe", params, context));
    for (;;) {
        const auto note = client.next_notification(SystemClock().now() + kForever, context.stop);
        if (!note) {
            return context.stop.stop_requested() ? Result<int>(0) : Result<int>(with_advice(note.error()));
        }
        if (note->method == "event") {
            const json event = TRY(parse_json(note->params_json, {.bytes_max = 64U << 20U, .depth_max = 128}));
            show(event, session.empty() ? event.value("session", "") + "  " : "", context);
            if (!session.empty() && event.value("type", "") == "session.closed") {
                return 0; // its last event
            }
        }
    }
}

} // namespace

Runner declare_events(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string session;
        std::optional<std::uint64_t> from;
        bool follow = false;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    app.add_option("SESSION", options->session, "Session; with --follow all when absent");
    app.add_option("--from", options->from, "First event number (default: a session's first; of all sessions those from now on)");
    app.add_flag("--follow,-f", options->follow, "Go on as events come, until the session is closed");
    return [options](const Context& context) -> Result<int> {
        if (options->session.empty() && !options->follow) {
            return Error{ErrorCode::InvalidArgument, "name a session, or follow all with --follow"};
        }
        const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(*options->daemon, "handeye events", context));
        return options->follow ? follow(*client, options->session, options->from, context) : read_all(*client, options->session, options->from.value_or(kFirst), context);
    };
}

} // namespace handeye::cli
