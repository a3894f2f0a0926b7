// SPDX-License-Identifier: Apache-2.0
// `handeye run`: one task on one target, inside this program or in a running daemon, with live progress.
#include "agent/task_program.h"
#include "apps/cli/command.h"
#include "apps/cli/run_here.h"
#include "apps/cli/run_remote.h"
#include "apps/cli/secret_option.h"
#include "base/file.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr std::size_t kGoalBytesMax = 64U << 10U;

/// What a daemon decides for itself: with any of these the task runs in this program.
constexpr std::array kLocalOptions{"--in-process", "--model", "--adapter", "--quantize",           "--record",         "--prompt",      "--prompts-dir",
                                   "--api-key-env", "--api-key-file", "--model-ca", "--allow-plain-http", "--first-token-timeout",
                                   "--threads",    "--no-checksums",   "--thinking-budget", "--max-new-tokens", "--temperature", "--seed", "--no-grammar", "--zoom-below"};

Result<void> check_goal(const std::string& goal) {
    if (goal.empty() || goal.size() > kGoalBytesMax) {
        return Error{goal.empty() ? ErrorCode::InvalidArgument : ErrorCode::LimitExceeded,
                     fmt::format("a goal has 1 to {} bytes, this one has {}", kGoalBytesMax, goal.size())};
    }
    return {};
}

// What ends in .yaml, .yml or .json and is one word is a file, there or not: nobody's goal.
bool names_task_file(const std::string& goal) {
    const std::string extension = goal.size() < 4096 && goal.find('\n') == std::string::npos ? std::filesystem::path(goal).extension().string() : "";
    std::error_code problem;
    const bool is_named_so = extension == ".yaml" || extension == ".yml" || extension == ".json";
    return is_named_so && (goal.find(' ') == std::string::npos || std::filesystem::exists(goal, problem));
}

Result<std::map<std::string, std::string>> variables_of(const std::vector<std::string>& options) {
    std::map<std::string, std::string> out;
    for (const std::string& option : options) {
        const std::size_t equals = option.find('=');
        if (equals == std::string::npos || equals == 0) {
            return Error{ErrorCode::InvalidArgument, fmt::format("--var {}: write NAME=VALUE", option)};
        }
        if (!out.emplace(option.substr(0, equals), option.substr(equals + 1)).second) {
            return Error{ErrorCode::InvalidArgument, fmt::format("--var {}: given twice", option.substr(0, equals))};
        }
    }
    return out;
}

/// An option that only this program can follow; empty: there is none. InvalidArgument beside --daemon.
Result<std::string> local_option(const RunOptions& options, const CLI::App& app) {
    const auto local = std::find_if(kLocalOptions.begin(), kLocalOptions.end(), [&app](const char* name) { return app.count(name) > 0; });
    const bool has_own_secret = std::any_of(options.secrets.begin(), options.secrets.end(), [](const std::string& text) { return text.find('=') != std::string::npos; });
    const std::string found = has_own_secret ? "--secret NAME=..." : local != kLocalOptions.end() ? *local : "";
    if (!found.empty() && !options.daemon.text.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--daemon cannot be combined with {}: that is the daemon's own", found)};
    }
    // A client may not name files and programs, a person may: where no daemon is named, this program takes them itself.
    const bool is_tied = !options.target.password_file.empty() || !check_client_target(options.target, {});
    return found.empty() && is_tied && options.daemon.text.empty() ? "a target with files or programs of this user" : found;
}

// nullopt: the file runs in this program, since it is tied to this machine or no daemon listens.
Result<std::optional<int>> run_file_in_daemon(const RunOptions& options, const TaskProgram& program, const std::map<std::string, std::string>& vars, const Context& context) {
    TaskBundleFiles parts = TRY(find_task_bundle(options.goal));
    const bool is_named = !options.daemon.text.empty(); // then the daemon says what it does not do
    if (!is_named && !parts.ties.empty()) {
        if (is_daemon_there(options.daemon, context)) {
            fmt::print(stderr, "this runs here and not in the daemon, because of what the file names: {}\n", to_text(parts.ties.front()));
        }
        return std::optional<int>();
    }
    RemoteTask task{.daemon = options.daemon,
                    .target = options.target,
                    .goal = program.name(),
                    .file = RemoteFile{std::move(parts), vars, options.languages, options.results},
                    .secrets = options.secrets,
                    .session = TRY(to_session_options(options, "")),
                    .has_own_steps_max = options.max_steps != RunOptions().max_steps};
    for (const auto& [name, source] : program.secrets()) {
        if (std::find(task.secrets.begin(), task.secrets.end(), name) == task.secrets.end()) {
            task.secrets.push_back(name);
        }
    }
    return run_in_daemon(task, context);
}

Result<int> run_file(RunOptions& options, const CLI::App& app, const Context& context) {
    if (app.count("--surface") > 0) {
        return Error{ErrorCode::InvalidArgument, "--surface is for goals in words"};
    }
    const std::map<std::string, std::string> vars = TRY(variables_of(options.vars));
    const std::unique_ptr<TaskProgram> program = TRY(TaskProgram::load(options.goal, vars));
    for (const std::string& warning : program->warnings()) {
        fmt::print(stderr, "{}\n", warning);
    }
    TRY(check(options.results));
    const std::string local = TRY(local_option(options, app));
    program->set_languages(options.languages);
    TRY(take_over(program->platform(), app, options));
    if (local.empty()) {
        if (const std::optional<int> code = TRY(run_file_in_daemon(options, *program, vars, context))) {
            return *code;
        }
    }
    return run_here(options, program.get(), context);
}

void declare_options(CLI::App& app, RunOptions& options) {
    app.add_option("GOAL", options.goal, "What to do, in words, or a task file (.yaml, .json)")->required();
    add_target_options(app, options.target);
    add_secret_option(app, options.secrets);
    app.add_option("--model", options.model, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelOrServerHelp))->join(',');
    app.add_option("--record", options.record, "Recording to write (default: a new file in the state folder)");
    app.add_option("--surface", options.surface, "Action space to speak: desktop, mobile, web, web-points (default: the platform's, as far as the model's prompt has it)");
    app.add_option("--prompt", options.prompt, "Prompt to use (default: the one that the model was trained on)");
    app.add_option("--prompts-dir", options.prompts_dir, "Folder whose prompt files win over the built-in ones");
    add_checksums_option(app, options.skips_checksums);
    add_model_options(app, options.extra);
    add_remote_options(app, options.remote);
    app.add_option("--threads", options.threads, "Threads of the engine, 0: one per core")->check(CLI::Range(0, 1024));
    add_daemon_options(app, options.daemon); // without --daemon: the user's own, if it runs
    app.add_flag("--in-process", options.in_process, "Run in this program, whether a daemon runs or not");
    const char* const files = "Task files";
    app.add_option("--var", options.vars, "NAME=VALUE: a variable of the file (repeatable)")->allow_extra_args(false)->group(files);
    app.add_option("--result", options.results.json, "Write what became of each step there, as JSON")->group(files);
    app.add_option("--junit", options.results.junit, "Write it as JUnit XML, for build servers")->group(files);
    app.add_option("--languages", options.languages, "Of the text on the screen, as Tesseract calls them: eng+deu")->capture_default_str()->group(files);
    add_heal_options(app, options);
    const char* const limits = "Limits";
    app.add_option("--max-steps", options.max_steps, "Steps at most")->check(CLI::Range(1, 100000))->capture_default_str()->group(limits);
    app.add_option("--max-seconds", options.max_seconds, "Wall time at most; waiting for a person does not count")->check(CLI::Range(0.001, 1e7))->capture_default_str()->group(limits);
    app.add_option("--max-tokens", options.max_tokens, "Prompt and answer tokens at most, all steps together")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 50))->capture_default_str()->group(limits);
    app.add_option("--allow", options.allow, "Only these verbs (repeatable)")->allow_extra_args(false)->group(limits);
    app.add_option("--deny", options.deny, "Never these verbs (repeatable)")->allow_extra_args(false)->group(limits);
    const char* const sampling = "Model";
    app.add_option("--thinking-budget", options.thinking_budget, "Tokens after which thinking is closed by force, 0: never")
        ->check(CLI::Range(0, 1 << 20))->capture_default_str()->group(sampling);
    app.add_option("--max-new-tokens", options.max_new_tokens, "Tokens of one answer at most")->check(CLI::Range(1, 1 << 20))->capture_default_str()->group(sampling);
    app.add_option("--temperature", options.temperature, "0: greedy")->check(CLI::Range(0.0, 2.0))->capture_default_str()->group(sampling);
    app.add_option("--seed", options.seed, "Of sampling")->capture_default_str()->group(sampling);
    app.add_flag("--no-grammar", options.is_free, "Let the model write its action as it likes, not only as this program reads it")->group(sampling);
    app.add_option("--zoom-below", options.zoom_below, "Ask again on a closer look where the model is less certain than this of a place, 0 to 1; 0: never")
        ->check(CLI::Range(0.0, 1.0))->capture_default_str()->group(sampling);
}

} // namespace

Runner declare_run(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    declare_options(app, *options);
    app.footer("A running daemon carries the task out unless one of these is given: --in-process --model --record --prompt\n"
               "--prompts-dir --api-key-env --api-key-file --model-ca --allow-plain-http --threads --no-checksums --thinking-budget --max-new-tokens --temperature --seed --no-grammar --zoom-below --secret NAME=SOURCE;\n"
               "or the target names files or programs of yours (--browser --uploads --downloads --ca-file --password-file, a file: page);\n"
               "or the task file names files, a model, a locale or secrets of this machine (docs/task-files.md).\n"
               "Example: handeye run \"Set Name to Ada, tick Agree and click Save.\" --headless 336x224 --launch \"my-form\"\n"
               "Example: handeye run fill_form.yaml --var who=Ada --headless 800x600 --junit result.xml\n"
               "Example: handeye run \"Click Save.\" --window \"My form\" --model http://127.0.0.1:8000/v1\n"
               "The outcome is the model's own claim, bounded by the limits; the recording shows each step.");
    return [options, &app](const Context& context) -> Result<int> {
        if (names_task_file(options->goal)) {
            return run_file(*options, app, context);
        }
        for (const char* const of_files : {"--var", "--result", "--junit", "--heal"}) {
            if (app.count(of_files) > 0) {
                return Error{ErrorCode::InvalidArgument, fmt::format("{} is for task files (.yaml, .yml, .json)", of_files)};
            }
        }
        TRY(check_goal(options->goal));
        if (std::error_code problem; std::filesystem::exists(options->goal, problem)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is there as a {}, so it is no goal in words; a recording is done again by `handeye replay`, a task file ends in .yaml, .yml or .json",
                                                                 options->goal, std::filesystem::is_directory(options->goal, problem) ? "folder" : "file")};
        }
        const std::string local = TRY(local_option(*options, app));
        if (local.empty()) {
            const RemoteTask task{.daemon = options->daemon,
                                  .target = options->target,
                                  .goal = options->goal,
                                  .secrets = options->secrets,
                                  .session = TRY(to_session_options(*options, ""))};
            const std::optional<int> code = TRY(run_in_daemon(task, context));
            if (code) {
                return *code;
            }
        }
        return run_here(*options, nullptr, context);
    };
}

} // namespace handeye::cli
