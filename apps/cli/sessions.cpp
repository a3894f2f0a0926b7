// SPDX-License-Identifier: Apache-2.0
// `handeye sessions`: what the daemon has open; what was recorded is in session_folder.cpp.
#include "apps/cli/daemon_call.h"
#include "apps/cli/session_folder.h"

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
    bool has_idle = false;
    for (const json& session : result.at("sessions")) {
        out += (out.empty() ? "" : "\n") + line_of(session);
        has_idle = has_idle || session.value("state", "") == "idle";
    }
    if (has_idle) {
        out += "\nAn idle session keeps its screen until `handeye sessions close ID`, also when the program that opened it is gone.";
    }
    return out.empty() ? "no sessions" : out;
}

std::string windows_text(const json& result) {
    std::string out;
    for (const json& window : result.at("windows")) {
        const json& area = window.at("area");
        out += fmt::format("{}{:>5}x{:<5} at {},{}  {}  {}{}", out.empty() ? "" : "\n", area.value("width", 0), area.value("height", 0), area.value("x", 0),
                           area.value("y", 0), window.value("class", ""), window.value("title", ""), window.value("focused", false) ? "  (focus)" : "");
    }
    return out.empty() ? "no windows" : out;
}

Result<int> examine(const DaemonAddress& daemon, const std::string& id, const Context& context) {
    const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(daemon, "handeye", context));
    const json result = TRY(ask(*client, "session.doctor", {{"session", id}}, context));
    if (context.json) {
        print_json(result);
    } else {
        for (const json& check : result.at("checks")) {
            print(fmt::format("{:4}  {:8} {}", check.value("pass", false) ? "ok" : "FAIL", check.value("name", ""), check.value("detail", "")));
        }
    }
    return result.value("pass", false) ? 0 : 1;
}

} // namespace

Runner declare_sessions(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    const auto id = std::make_shared<std::string>();
    const auto name = std::make_shared<std::string>();
    app.require_subcommand(0, 1);
    const auto in_folder = declare_folder_commands(app);
    CLI::App* const show = app.add_subcommand("show", "One session");
    CLI::App* const close = app.add_subcommand("close", "Stop what runs there, let go of all keys, seal the recording");
    CLI::App* const doctor = app.add_subcommand("doctor", "Whether its parts work; exits with 1 when one does not");
    CLI::App* const windows = app.add_subcommand("windows", "The windows on its screen");
    CLI::App* const rename = app.add_subcommand("name", "Give it a name for people");
    for (CLI::App* const command : {show, close, doctor, windows, rename}) {
        command->add_option("ID", *id, "Session")->required();
    }
    rename->add_option("NAME", *name, "At most 128 characters")->required();
    app.footer("Alone it lists what the daemon has open; `list` shows what was recorded, also by daemons that have ended.");
    return [=](const Context& context) -> Result<int> {
        for (const auto& [command, runner] : in_folder) {
            if (command->parsed()) {
                return runner(context);
            }
        }
        if (show->parsed()) {
            return ask_and_print(*daemon, "session.get", {{"session", *id}}, context, line_of);
        }
        if (doctor->parsed()) {
            return examine(*daemon, *id, context);
        }
        if (windows->parsed()) {
            return ask_and_print(*daemon, "screen.windows", {{"session", *id}}, context, windows_text);
        }
        if (rename->parsed()) {
            return ask_and_print(*daemon, "session.update", {{"session", *id}, {"name", *name}}, context, line_of);
        }
        if (close->parsed()) {
            return ask_and_print(*daemon, "session.close", {{"session", *id}}, context, [](const json& result) { return result.value("session", "") + " closes"; });
        }
        Result<int> listed = ask_and_print(*daemon, "session.list", json::object(), context, list_text);
        if (!listed && listed.error().code == ErrorCode::Unavailable && daemon->text.empty()) {
            return Error{ErrorCode::Unavailable, "handeyed does not run, so no session is open; `handeye sessions list` shows what was recorded"};
        }
        return listed;
    };
}

} // namespace handeye::cli
