// SPDX-License-Identifier: Apache-2.0
// `handeye sessions`: what the daemon has open.
#include "apps/cli/daemon_call.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

std::string line_of(const json& session) {
    return fmt::format("{}  {:8}  {:10}  {}x{}  {} events{}{}", session.value("session", ""), session.value("state", ""), session.value("platform", ""),
                       session.value("width_px", 0), session.value("height_px", 0), session.value("last_seq", 0),
                       session.contains("task") ? "  task " + session.value("task", "") : "",
                       session.value("name", "").empty() ? "" : "  " + session.value("name", ""));
}

std::string list_text(const json& result) {
    std::string out;
    for (const json& session : result.at("sessions")) {
        out += (out.empty() ? "" : "\n") + line_of(session);
    }
    return out.empty() ? "no sessions" : out;
}

} // namespace

Runner declare_sessions(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    const auto id = std::make_shared<std::string>();
    app.require_subcommand(0, 1);
    app.add_subcommand("list", "All sessions (the default)");
    CLI::App* const show = app.add_subcommand("show", "One session");
    show->add_option("ID", *id, "Session")->required();
    CLI::App* const close = app.add_subcommand("close", "Stop what runs there, let go of all keys, seal the recording");
    close->add_option("ID", *id, "Session")->required();
    return [=](const Context& context) -> Result<int> {
        if (show->parsed()) {
            return ask_and_print(*daemon, "session.get", {{"session", *id}}, context, line_of);
        }
        if (close->parsed()) {
            return ask_and_print(*daemon, "session.close", {{"session", *id}}, context, [](const json& result) { return result.value("session", "") + " closes"; });
        }
        return ask_and_print(*daemon, "session.list", json::object(), context, list_text);
    };
}

} // namespace handeye::cli
