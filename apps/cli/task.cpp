// SPDX-License-Identifier: Apache-2.0
// `handeye task`: what the daemon's tasks do, and telling them to wait, go on or stop; and task files (task_file.h).
#include "apps/cli/daemon_call.h"
#include "apps/cli/task_file.h"

#include <array>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

struct TaskCommand {
    const char* name;
    const char* help;
    const char* method;
};
constexpr std::array<TaskCommand, 7> kCommands{{
    {"status", "How it stands", "task.get"},
    {"wait", "Wait for its end; exits as the task did", "task.wait"},
    {"pause", "Hold it between two events", "task.pause"},
    {"resume", "Let it go on", "task.resume"},
    {"step", "Let it do one step and pause again", "task.step"},
    {"cancel", "Stop it", "task.cancel"},
    {"amend", "Tell it something more", "task.amend"},
}};

std::string line_of(const json& task) {
    std::string out = fmt::format("{}  {}", task.value("task", ""), task.value("state", ""));
    if (task.value("finished", false)) {
        out += fmt::format("  {} after {} steps: {}", task.value("outcome", ""), task.value("steps", 0), task.value("message", ""));
    }
    return out + fmt::format("\n    {}", task.value("goal", ""));
}

std::string list_text(const json& result) {
    std::string out;
    for (const json& task : result.at("tasks")) {
        out += (out.empty() ? "" : "\n") + line_of(task);
    }
    return out.empty() ? "no tasks" : out;
}

/// Who keeps the task from going on, and how that ends; empty when nobody does.
std::string holder_text(const json& control) {
    const std::string holder = control.value("holder", ""), by = control.value("by", ""), session = control.value("session", "");
    if (holder != "human" && holder != "script") {
        return {};
    }
    const std::int64_t left_ms = control.value("expires_in_ms", std::int64_t{0});
    return fmt::format("\n    {}{} has mouse and keyboard of session {}{}. The task goes on when they are given back:\n"
                       "    `handeye lease release {} LEASE` with the lease as it was printed, or \"Give back\" in the console",
                       holder == "human" ? "a person" : "a script", by.empty() ? "" : " (" + by + ")", session,
                       left_ms > 0 ? fmt::format(" for {} s more", (left_ms + 999) / 1000) : "", session);
}

// Of a task that is told to go on a person wants to know what still holds it.
Result<int> tell(const DaemonAddress& daemon, const std::string& method, const json& params, const Context& context) {
    const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(daemon, "handeye", context));
    const json task = TRY(ask(*client, method, params, context));
    if (context.json) {
        print_json(task);
        return 0;
    }
    std::string text = line_of(task);
    if (!task.value("finished", false)) {
        text += holder_text(TRY(ask(*client, "control.status", {{"session", task.value("session", "")}}, context)));
    }
    print(text);
    return 0;
}

// The daemon answers after ten minutes at most; waiting goes on until the task has ended.
Result<int> wait(const DaemonAddress& daemon, const std::string& id, const Context& context) {
    constexpr int kWaitMs = 600'000;
    const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(daemon, "handeye", context));
    json task;
    do {
        task = TRY(ask(*client, "task.wait", {{"task", id}, {"timeout_ms", kWaitMs}}, context));
    } while (!task.value("finished", false));
    if (context.json) {
        print_json(task);
    } else {
        print(line_of(task));
    }
    return task.value("exit_code", 5);
}

} // namespace

Runner declare_task(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string id;
        std::string note;
        std::array<CLI::App*, kCommands.size()> commands{};
        CLI::App* list = nullptr;
        std::shared_ptr<TaskFileCommands> files;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    app.require_subcommand(1);
    options->list = app.add_subcommand("list", "All tasks of open sessions");
    for (std::size_t i = 0; i < kCommands.size(); ++i) {
        CLI::App* const command = options->commands[i] = app.add_subcommand(kCommands[i].name, kCommands[i].help);
        command->add_option("ID", options->id, "Task")->required();
        if (std::string_view(kCommands[i].name) == "amend") {
            command->add_option("NOTE", options->note, "What the model reads from its next step on")->required();
        }
    }
    options->files = add_task_file_commands(app);
    return [options](const Context& context) -> Result<int> {
        if (options->files->is_asked()) {
            return options->files->run(context);
        }
        if (options->list->parsed()) {
            return ask_and_print(*options->daemon, "task.list", json::object(), context, list_text);
        }
        for (std::size_t i = 0; i < kCommands.size(); ++i) {
            if (!options->commands[i]->parsed()) {
                continue;
            }
            if (std::string_view(kCommands[i].name) == "wait") {
                return wait(*options->daemon, options->id, context);
            }
            json params{{"task", options->id}};
            if (!options->note.empty()) {
                params["note"] = options->note;
            }
            return tell(*options->daemon, kCommands[i].method, params, context);
        }
        return 2;
    };
}

Runner declare_tasks(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    return [daemon](const Context& context) -> Result<int> { return ask_and_print(*daemon, "task.list", json::object(), context, list_text); };
}

} // namespace handeye::cli
