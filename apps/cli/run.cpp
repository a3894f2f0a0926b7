// SPDX-License-Identifier: Apache-2.0
// `handeye run`: one task on one target, inside this program or in a running daemon, with live progress.
#include "actions/vocabulary.h"
#include "agent/recorder.h"
#include "agent/secret_platform.h"
#include "agent/session.h"
#include "apps/cli/command.h"
#include "apps/cli/event_printer.h"
#include "apps/cli/run_remote.h"
#include "apps/cli/secret_option.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/engine.h"

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
constexpr std::array kLocalOptions{"--in-process", "--model",           "--record",         "--prompt",      "--prompts-dir",
                                   "--threads",    "--no-checksums",   "--thinking-budget", "--max-new-tokens", "--temperature", "--seed"};

struct RunOptions {
    TargetSpec target;
    std::string goal;
    std::string model;
    std::string record;
    std::string surface = "desktop";
    std::string prompt;
    std::string prompts_dir;
    DaemonAddress daemon;
    bool skips_checksums = false;
    bool in_process = false;
    int max_steps = 50;
    double max_seconds = 3600;
    std::int64_t max_tokens = 1'000'000;
    int thinking_budget = 4096;
    int max_new_tokens = 8192;
    double temperature = 0;
    std::uint64_t seed = 0;
    int threads = 0;
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::vector<std::string> secrets;
};

/// Records, then shows: nothing is shown that is not stored.
class PrintingSink final : public StepSink {
public:
    PrintingSink(Recorder& recorder, EventPrinter& printer) : recorder_(recorder), printer_(printer) {}
    Result<std::uint64_t> on_event(const SessionEvent& event) override {
        const std::uint64_t seq = TRY(recorder_.on_event(event));
        printer_.print_event(seq, format_utc(event.wall), event.mono.time_since_epoch().count(), event.type, event.data_json);
        return seq;
    }

private:
    Recorder& recorder_;
    EventPrinter& printer_;
};

Result<Surface> surface_from_name(const std::string& name) {
    for (const Surface surface : {Surface::Mobile, Surface::Desktop, Surface::Web}) {
        if (surface_name(surface) == name) {
            return surface;
        }
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("surface \"{}\" is none of mobile, desktop, web", name)};
}

// A verb may be named as a dialect calls it; what nothing is called stays, for the policy to refuse by its name.
std::vector<std::string> canonical(const std::vector<std::string>& names) {
    std::vector<std::string> out;
    for (const std::string& name : names) {
        const std::vector<std::string_view> verbs = verbs_called(name);
        out.insert(out.end(), verbs.begin(), verbs.end());
        if (verbs.empty()) {
            out.push_back(name);
        }
    }
    return out;
}

Result<SessionOptions> to_session_options(const RunOptions& options, const std::string& session_id) {
    SessionOptions session;
    session.session_id = session_id;
    session.prompt = options.prompt;
    session.surface = TRY(surface_from_name(options.surface));
    session.budget.steps_max = options.max_steps;
    session.budget.wall_max = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.max_seconds));
    session.budget.tokens_max = options.max_tokens;
    session.policy = {.allow_verbs = canonical(options.allow), .deny_verbs = canonical(options.deny), .origin = "the command line"};
    session.sampling.temperature = options.temperature;
    session.sampling.seed = options.seed;
    session.max_new_tokens = options.max_new_tokens;
    session.thinking_budget = options.thinking_budget > 0 ? std::optional<int>(options.thinking_budget) : std::nullopt;
    session.render.override_dir = options.prompts_dir;
    TRY(check_policy(session.policy));
    return session;
}

Result<void> check_goal(const std::string& goal) {
    if (goal.empty() || goal.size() > kGoalBytesMax) {
        return Error{goal.empty() ? ErrorCode::InvalidArgument : ErrorCode::LimitExceeded,
                     fmt::format("a goal has 1 to {} bytes, this one has {}", kGoalBytesMax, goal.size())};
    }
    const std::filesystem::path as_path(goal.size() < 4096 ? goal : "");
    const std::string extension = as_path.extension().string();
    std::error_code problem;
    if ((extension == ".yaml" || extension == ".yml" || extension == ".json") && std::filesystem::is_regular_file(as_path, problem)) {
        return Error{ErrorCode::Unsupported,
                     fmt::format("{} is a file: this version runs goals in words, task files come with a later one", goal)};
    }
    return {};
}

Result<std::unique_ptr<ChatModel>> load_model(const RunOptions& options) {
    EngineOptions engine;
    engine.model_dir = TRY(find_model(options.model));
    engine.threads = options.threads;
    engine.checksums = options.skips_checksums ? Checksums::Skip : Checksums::Verify;
    engine.on_progress = [](std::string_view stage, double share) {
        print_progress(fmt::format("{} {:.0f} %", stage, share * 100));
    };
    Result<std::unique_ptr<ChatModel>> model = open_engine(engine);
    print_progress("");
    return model;
}

void print_end(const Context& context, const TaskReport& report, const std::filesystem::path& recording) {
    if (context.json) {
        return; // task.finished was the last line
    }
    print(fmt::format("{}: {} ({} steps, {:.1f} s)", task_outcome_name(report.outcome), report.message, report.steps,
                      std::chrono::duration<double>(report.wall).count()));
    if (!report.answer_utf8.empty()) {
        print("answer: " + report.answer_utf8);
    }
    print(fmt::format("recording: {}\nreport:    handeye report {}", recording.string(), recording.string()));
}

Result<int> run_here(const RunOptions& options, const Context& context) {
    SystemClock clock;
    const std::string session_id = TRY(make_ulid(clock.wall_now()));
    SessionOptions session_options = TRY(to_session_options(options, session_id));
    const SecretUse secrets = TRY(take_secrets(options.secrets));
    session_options.secrets = secrets.grants;
    session_options.redactor = secrets.redactor;
    std::error_code problem;
    if (!options.record.empty() && std::filesystem::exists(options.record, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} exists: name a new file with --record", options.record)};
    }
    const std::filesystem::path file = options.record.empty() ? session_file_path(session_id) : std::filesystem::path(options.record);
    if (options.record.empty()) {
        TRY(make_private_dir(file.parent_path()));
    }
    const std::unique_ptr<ChatModel> model = TRY(load_model(options));
    std::unique_ptr<Platform> target = TRY(open_target(options.target, clock, context.stop));
    const auto platform = std::make_unique<SecretPlatform>(std::move(target), secrets.grants);
    const std::unique_ptr<Recorder> recorder = TRY(Recorder::open(file, session_id));
    EventPrinter printer(session_id, context.json);
    PrintingSink sink(*recorder, printer);
    const std::unique_ptr<Session> session = TRY(Session::create(session_options, *platform, *model, clock, sink));
    const TaskReport report = TRY(session->run_task(options.goal, context.stop));
    TRY(recorder->seal());
    print_end(context, report, file);
    return task_exit_code(report.outcome);
}

// A person who wrote rules for the daemon may believe that they hold here, too.
void tell_of_rules_that_do_not_hold() {
    std::error_code problem;
    if (const std::filesystem::path config = config_dir() / "config.yaml"; std::filesystem::exists(config, problem)) {
        print_progress("");
        std::fprintf(stderr, "handeye: this task runs in this program, not in handeyed: the rules of %s do not hold for it\n", config.c_str());
    }
}

void declare_options(CLI::App& app, RunOptions& options) {
    app.add_option("GOAL", options.goal, "What to do, in words")->required();
    add_target_options(app, options.target);
    add_secret_option(app, options.secrets);
    app.add_option("--model", options.model, "Checkpoint folder (default: $HANDEYE_MODEL, else the bundled model)");
    app.add_option("--record", options.record, "Recording to write (default: a new file in the state folder)");
    app.add_option("--surface", options.surface, "Action space to speak: desktop, mobile, web")->capture_default_str();
    app.add_option("--prompt", options.prompt, "Prompt to use (default: the one that the model was trained on)");
    app.add_option("--prompts-dir", options.prompts_dir, "Folder whose prompt files win over the built-in ones");
    add_checksums_option(app, options.skips_checksums);
    app.add_option("--threads", options.threads, "Threads of the engine, 0: one per core")->check(CLI::Range(0, 1024));
    add_daemon_options(app, options.daemon); // without --daemon: the user's own, if it runs
    app.add_flag("--in-process", options.in_process, "Run in this program, whether a daemon runs or not");
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
}

} // namespace

Runner declare_run(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    declare_options(app, *options);
    app.footer("A running daemon carries the task out unless one of these is given: --in-process --model --record --prompt\n"
               "--prompts-dir --threads --no-checksums --thinking-budget --max-new-tokens --temperature --seed --secret NAME=SOURCE.\n"
               "Example: handeye run \"Set Name to Ada, tick Agree and click Save.\" --headless 336x224 --launch \"my-form\"\n"
               "The outcome is the model's own claim, bounded by the limits; the recording shows each step.");
    return [options, &app](const Context& context) -> Result<int> {
        TRY(check_goal(options->goal));
        const auto local = std::find_if(kLocalOptions.begin(), kLocalOptions.end(), [&app](const char* name) { return app.count(name) > 0; });
        const bool has_own_secret = std::any_of(options->secrets.begin(), options->secrets.end(), [](const std::string& text) { return text.find('=') != std::string::npos; });
        const bool is_local = local != kLocalOptions.end() || has_own_secret;
        if (is_local && !options->daemon.text.empty()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("--daemon cannot be combined with {}: that is the daemon's own",
                                                                        has_own_secret ? "--secret NAME=..." : *local)};
        }
        if (!is_local) {
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
        tell_of_rules_that_do_not_hold();
        return run_here(*options, context);
    };
}

} // namespace handeye::cli
