// SPDX-License-Identifier: Apache-2.0
// `handeye`: the command line. This file only knows which commands there are.
#include "apps/cli/command.h"
#include "apps/cli/eval.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/shrunk_file.h"
#include "base/suggest.h"
#include "platforms/open_platform.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr const char* kTasks = "On a screen";
constexpr const char* kDaemon = "With the daemon (handeyed)";
constexpr const char* kRecordings = "Recordings";
constexpr const char* kMachine = "Models and this machine";
constexpr std::array<CommandRow, 31> kCommands{{
    {"run", "Carry out a task in natural language on a screen", declare_run, kTasks},
    {"screenshot", "Capture a target into a PNG file", declare_screenshot, kTasks},
    {"act", "Perform one action on a target", declare_act, kTasks},
    {"console", "Open the daemon's page in a browser", declare_console, kDaemon},
    {"sessions", "What the daemon has open, and what was recorded: list, prune, close", declare_sessions, kDaemon},
    {"task", "Check and explain task files; follow, pause, step or cancel tasks", declare_task, kDaemon},
    {"tasks", "All tasks of open sessions", declare_tasks, kDaemon},
    {"approve", "What waits for a person's yes or no", declare_approve, kDaemon},
    {"answer", "What task files ask people, and the answers", declare_answer, kDaemon},
    {"lease", "Who may act in a session", declare_lease, kDaemon},
    {"policy", "What a session allows, and what it says to an action", declare_policy, kDaemon},
    {"events", "A session's log, as it is or as it grows", declare_events, kDaemon},
    {"engine", "The daemon's model", declare_engine, kDaemon},
    {"stop", "Stop everything and let go of all keys", declare_stop, kDaemon},
    {"reset-stop", "Let tasks start again", declare_reset_stop, kDaemon},
    {"token", "Tokens with scopes and an end, for the daemon's TCP addresses", declare_token, kDaemon},
    {"mcp", "Serve the daemon's tools to an MCP client on stdin and stdout", declare_mcp, kDaemon},
    {"recordings", "List, show, export or delete what the daemon recorded", declare_recordings, kRecordings},
    {"record", "Show a task yourself, for replay, report and export", declare_record, kRecordings},
    {"replay", "Do again what was recorded, without a model", declare_replay, kRecordings},
    {"export", "Turn a recording into a task file, training data, traces or lines of JSON", declare_export, kRecordings},
    {"report", "Write a recording as one HTML page", declare_report, kRecordings},
    {"verify", "Check that nobody changed a recording", declare_verify, kRecordings},
    {"doctor", "Prove the whole chain on this machine: capture, click, type, engine", declare_doctor, kMachine},
    {"platforms", "List what can be looked at and acted on here", declare_platforms, kMachine},
    {"models", "Work with checkpoints", declare_models, kMachine},
    {"chat", "A conversation with a model in the terminal, about pictures, videos, PDFs and presentations", declare_chat, kMachine},
    {"serve", "A model behind an OpenAI-compatible endpoint", declare_serve, kMachine},
    {"bench", "Measure speed as a share of this machine's limits", declare_bench, kMachine},
    {"eval", "How good a model is: on the web tasks of MiniWoB++, on a file of questions", declare_eval, kMachine},
    {"completion", "Completion for bash, zsh or fish", declare_completion, kMachine},
}};

/// Later lines of a message are set in: what a stranger said in it begins no line of ours.
std::string set_in(std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) {
        text.insert(at + 1, "    ");
    }
    return text;
}

int report_error(const Error& error, bool json) {
    if (json) {
        print_json({{"error", {{"kind", error_code_name(error.code)}, {"message", error.message}}}});
    }
    fmt::print(stderr, "handeye: {}\n", set_in(printable(error.message)));
    return exit_code(error.code);
}

/// The first word of `words` that is neither an option nor an option's value; end() when there is none.
std::vector<std::string_view>::const_iterator first_word(const CLI::App& app, std::vector<std::string_view>::const_iterator from, std::vector<std::string_view>::const_iterator end) {
    for (auto word = from; word != end; ++word) {
        if (!word->starts_with('-')) {
            return word;
        }
        const CLI::Option* const option = word->find('=') == std::string_view::npos ? app.get_option_no_throw(std::string(*word)) : nullptr;
        if (option != nullptr && option->get_items_expected_min() > 0 && std::next(word) != end) {
            ++word; // its value
        }
    }
    return end;
}

/// What is wrong with the word after a command that has commands of its own; nullopt: it is one of them, or nothing is there.
std::optional<Error> misspelt(const CLI::App& command, const std::vector<std::string_view>& words, std::vector<std::string_view>::const_iterator at) {
    std::vector<std::string> all;
    for (const CLI::App* const sub : command.get_subcommands([](const CLI::App*) { return true; })) {
        all.push_back(sub->get_name());
    }
    const auto word = first_word(command, std::next(at), words.end());
    if (command.get_require_subcommand_min() == 0 || word == words.end() || std::find(all.begin(), all.end(), *word) != all.end()) {
        return std::nullopt;
    }
    const std::vector<std::string_view> names(all.begin(), all.end());
    return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no command of {}; {}", *word, command.get_name(), suggestion(*word, "commands of " + command.get_name(), names))};
}

/// --help and --version end here too, with 0.
int report_bad_use(const CLI::App& app, const CLI::ParseError& problem, int argc, char** argv) {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    const bool is_json = std::find(words.begin(), words.end(), "--json") != words.end();
    const auto first = std::find_if(words.begin(), words.end(), [](std::string_view word) { return !word.starts_with('-'); });
    const bool is_command = std::any_of(kCommands.begin(), kCommands.end(), [&](const CommandRow& row) {
        return first != words.end() && *first == row.name;
    });
    if (problem.get_exit_code() != 0 && first != words.end() && !is_command) {
        std::vector<std::string_view> names;
        std::transform(kCommands.begin(), kCommands.end(), std::back_inserter(names), [](const CommandRow& row) { return row.name; });
        const std::string_view nearest = nearest_name(*first, names);
        const std::string remedy = nearest.empty() ? "`handeye --help` lists them" : fmt::format("did you mean \"{}\"?", nearest);
        return report_error({ErrorCode::InvalidArgument, fmt::format("\"{}\" is no command; {}", *first, remedy)}, is_json);
    }
    if (const auto error = problem.get_exit_code() != 0 && is_command ? misspelt(*app.get_subcommand(std::string(*first)), words, first) : std::nullopt; error) {
        return report_error(*error, is_json);
    }
    if (problem.get_exit_code() != 0 && is_json) {
        return report_error({ErrorCode::InvalidArgument, problem.what()}, is_json);
    }
    return app.exit(problem) == 0 ? 0 : 2;
}

int run(int argc, char** argv) {
    CLI::App app{"handeye looks at a screen, thinks with a local vision-reasoning model, and acts with mouse and keyboard."};
    app.name("handeye");
    app.set_version_flag("--version", "handeye " HANDEYE_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    Context context;
    bool verbose = false;
    app.add_flag("--json", context.json, "One JSON document (or JSON lines) on stdout and nothing else");
    app.add_flag("-v,--verbose", verbose, "Log what happens to stderr");
    app.footer("First try:  handeye doctor\n"
               "Then:       handeye run \"Set Name to Ada and click Save.\" --window \"My form\"\n"
               "Exit codes: 0 done, 1 fell short, 2 bad use or input, 3 stopped, 4 needs a person, 5 backend missing or failed.");
    std::array<std::pair<CLI::App*, Runner>, kCommands.size()> commands;
    for (std::size_t i = 0; i < kCommands.size(); ++i) {
        CLI::App* const sub = app.add_subcommand(kCommands[i].name, kCommands[i].help)->group(kCommands[i].group);
        commands[i] = {sub, kCommands[i].declare(*sub)};
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return report_bad_use(app, problem, argc, argv);
    }
    log::set_level(verbose ? log::Level::Debug : log::Level::Warn);
    StopSignals signals;
    context.stop = signals.token();
    context.on_interrupt = [&signals](std::function<bool()> handler) { signals.on_interrupt(std::move(handler)); };
    context.is_hung_up = [&signals] { return signals.is_hung_up(); };
    for (const auto& [sub, runner] : commands) {
        if (sub->parsed()) {
            const Result<int> code = runner(context);
            return code ? *code : report_error(code.error(), context.json);
        }
    }
    return 2;
}

} // namespace
} // namespace handeye::cli

int main(int argc, char** argv) {
    handeye::take_environment(); // before anything else can be started
    handeye::explain_shrunk_files(handeye::cli::exit_code(handeye::ErrorCode::IoFailed));
    try {
        return handeye::cli::run(argc, argv);
    } catch (const std::exception& problem) {
        fmt::print(stderr, "handeye: unexpected: {}\n", problem.what());
        return 5;
    }
}
