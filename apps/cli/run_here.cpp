// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/run_here.h"

#include "actions/vocabulary.h"
#include "agent/recorder.h"
#include "agent/secret_platform.h"
#include "apps/cli/event_printer.h"
#include "apps/cli/person.h"
#include "apps/cli/secret_option.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/suggest.h"
#include "engine/checkpoints.h"

#include <algorithm>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {
namespace {

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

Result<std::optional<Surface>> surface_from_name(const std::string& name) {
    const std::optional<Surface> found = find_surface(name);
    if (name.empty() || found) {
        return found;
    }
    std::vector<std::string_view> names;
    std::transform(kSurfaces.begin(), kSurfaces.end(), std::back_inserter(names), surface_name);
    return Error{ErrorCode::InvalidArgument, fmt::format("there is no --surface \"{}\"; {}", name, suggestion(name, "surfaces", names))};
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

/// For a file that asks no model: none is loaded, and what would ask one fails.
class NoModel final : public ChatModel {
public:
    NoModel() { info_.name = "none"; }
    Result<Completion> generate(const ChatRequest&, const OnText&, std::stop_token) override {
        return Error{ErrorCode::Unsupported, "no model was loaded: the task file asks none"};
    }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    ModelInfo info_;
};

/// nullopt: the file asks no model.
Result<std::optional<EngineOptions>> engine_options(const RunOptions& options, const TaskProgram* program) {
    if (program != nullptr && !program->needs_model()) {
        return std::optional<EngineOptions>();
    }
    EngineOptions engine;
    const LocalCheckpoint checkpoint = TRY(find_model(options.model.empty() && program != nullptr ? program->model() : options.model));
    engine.threads = options.threads;
    engine.checksums = options.skips_checksums ? Checksums::Skip : Checksums::Verify;
    TRY(put_model_options(options.extra, checkpoint, engine));
    engine.on_progress = [](std::string_view stage, double share) {
        print_progress(fmt::format("{} {:.0f} %", stage, share * 100));
    };
    return std::optional(std::move(engine));
}

/// A file must not choose who sees the screen.
Result<void> check_who_chose(const RunOptions& options, const TaskProgram* program) {
    if (program != nullptr && options.model.empty() && names_servers(program->model())) {
        return Error{ErrorCode::PermissionDenied, fmt::format("the task file names a model on a server, {}, which would get every screenshot: say it yourself with --model", program->model())};
    }
    return {};
}

/// nullopt: it is loaded here, or none is asked.
Result<std::optional<RemoteOptions>> remote_options(const RunOptions& options, const TaskProgram* program) {
    const bool is_asked = program == nullptr || program->needs_model();
    const std::string model = wanted_model(options.model);
    if (!is_asked || !names_servers(model) || (options.model.empty() && program != nullptr && !program->model().empty())) {
        return std::optional<RemoteOptions>();
    }
    RemoteSettings settings = options.remote;
    settings.prompt = options.prompt;
    return remote_model_options(model, options.extra, settings);
}

/// From its headers, before a load of minutes. What is wrong with them, loading says.
Result<void> check_sight(const std::optional<EngineOptions>& engine) {
    const auto report = engine ? inspect_model(*engine) : Result<ModelReport>(Error{ErrorCode::NotFound, "no model is asked"});
    if (!report || report->vision) {
        return {};
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("{} is a {} model of text alone and sees no screen; `handeye run` needs one that reads pictures (\"vision\" in `handeye models list`), "
                                                     "and `handeye serve` serves this one", engine->model_dir.string(), report->family)};
}

Result<std::unique_ptr<ChatModel>> load_model(const std::optional<EngineOptions>& engine) {
    if (!engine) {
        return std::unique_ptr<ChatModel>(std::make_unique<NoModel>());
    }
    Result<std::unique_ptr<ChatModel>> model = open_engine(*engine);
    print_progress("");
    return model;
}

// A word that a command line would cut, in quotes.
std::string quoted(const std::string& word) {
    std::string out = "'";
    for (const char c : word) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

/// The secrets of the file as `--secret` would name them.
Result<std::vector<std::string>> secret_options(const RunOptions& options, const TaskProgram* program) {
    std::vector<std::string> out = options.secrets;
    if (program == nullptr) {
        return out;
    }
    for (const auto& [name, from] : program->secrets()) {
        const std::string kind = from.substr(0, from.find(':'));
        const std::string rest = from.substr(from.find(':') + 1);
        out.push_back(kind == "file" ? fmt::format("{}=@{}", name, rest) : kind == "env" ? fmt::format("{}=env:{}", name, rest) : name);
    }
    return out;
}

void narrow_to(const TaskProgram& program, const RunOptions& options, SessionOptions& session) {
    const Budget own = program.budget();
    const RunOptions standard;
    Budget& budget = session.budget;
    budget.steps_max = options.max_steps == standard.max_steps ? own.steps_max : std::min(budget.steps_max, own.steps_max);
    budget.wall_max = std::min(budget.wall_max, own.wall_max);
    budget.tokens_max = std::min(budget.tokens_max, own.tokens_max);
    budget.actions_per_minute_max = own.actions_per_minute_max;
    budget.same_action_max = own.same_action_max;
    session.policy = narrowed(session.policy, program.policy());
}

/// New or empty: what is in it then is of this run.
Result<void> check_heal_dir(const std::string& folder) {
    std::error_code problem;
    if (folder.empty() || !std::filesystem::exists(folder, problem)) {
        return {};
    }
    const bool is_empty_dir = std::filesystem::is_directory(folder, problem) && std::filesystem::is_empty(folder, problem);
    return is_empty_dir ? Result<void>() : Error{ErrorCode::InvalidArgument, fmt::format("--heal {}: it is there, and is no empty folder", folder)};
}

Result<void> write_healed(const RunOptions& options, const TaskProgram& program, const Context& context) {
    if (program.healed_steps() == 0) {
        return {};
    }
    TRY(make_private_dir(options.heal_dir));
    const std::filesystem::path diff = TRY(program.write_healed(options.heal_dir));
    if (!context.json) {
        print(fmt::format("healed {} step{}; nothing was changed in the task file. Look at it, then take it over: {}", program.healed_steps(), program.healed_steps() == 1 ? "" : "s", diff.string()));
    }
    return {};
}

void print_end(const Context& context, const TaskReport& report, const std::filesystem::path& recording) {
    if (context.json) {
        return; // task.finished was the last line
    }
    const std::string message = report.message.substr(0, report.message.find('\n')); // the rest stands at its step
    print(fmt::format("{}: {} ({} action{}, {:.1f} s)", task_outcome_name(report.outcome), message, report.steps, report.steps == 1 ? "" : "s",
                      std::chrono::duration<double>(report.wall).count()));
    if (!report.answer_utf8.empty()) {
        print("answer: " + report.answer_utf8);
    }
    print(fmt::format("recording: {0}\nreport:    handeye report {0}", recording.string()));
}

Result<std::filesystem::path> recording_path(const RunOptions& options, const std::string& session_id) {
    std::error_code problem;
    if (!options.record.empty()) {
        return std::filesystem::exists(options.record, problem)
                   ? Result<std::filesystem::path>(Error{ErrorCode::InvalidArgument, fmt::format("{} exists: name a new file with --record", options.record)})
                   : std::filesystem::path(options.record);
    }
    const std::filesystem::path file = session_file_path(session_id);
    TRY(make_private_dir(file.parent_path()));
    return file;
}

} // namespace

void add_heal_options(CLI::App& app, RunOptions& options) {
    app.add_option("--heal", options.heal_dir, "Let the model look for a target that is not found, and write what it changes in the task file to this new folder, as a diff")->type_name("DIR");
    app.add_option("--heal-max", options.heal_max, "Steps that may be healed")->check(CLI::Range(1, 100))->capture_default_str();
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
    session.constrains_answers = !options.is_free;
    session.zoom_below = options.zoom_below;
    session.thinking_budget = options.thinking_budget > 0 ? std::optional<int>(options.thinking_budget) : std::nullopt;
    session.render.override_dir = options.prompts_dir;
    TRY(check_policy(session.policy));
    return session;
}

Result<void> take_over(const TaskFilePlatform& wanted, const CLI::App& app, RunOptions& options) {
    TargetSpec& target = options.target;
    if (!wanted.kind.empty() && app.count("--platform") > 0 && target.platform != wanted.kind) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the task file is for the platform {}, not for {}", wanted.kind, target.platform)};
    }
    target.platform = wanted.kind.empty() ? target.platform : wanted.kind;
    if (!wanted.attach.empty()) {
        return Error{ErrorCode::Unsupported, fmt::format("the task file attaches to {}: this version runs task files on x11", wanted.attach)};
    }
    if (target.display.empty() && target.headless.empty()) {
        target.display = wanted.display;
    }
    target.window = target.window.empty() ? wanted.window : target.window;
    if (!wanted.launch.empty()) {
        std::string line;
        for (const std::string& word : wanted.launch) {
            line += (line.empty() ? "" : " ") + quoted(word);
        }
        target.launch.push_back(line);
    }
    if (!wanted.locale.empty()) { // before any other thread: programs that are launched inherit it
        ::setenv("LC_ALL", (wanted.locale + ".UTF-8").c_str(), 1);
        ::setenv("LANGUAGE", wanted.locale.c_str(), 1);
    }
    return {};
}

Result<int> run_here(const RunOptions& options, TaskProgram* program, const Context& context) {
    TRY(check(options.results));
    TRY(check_heal_dir(options.heal_dir));
    if (program != nullptr && !options.heal_dir.empty()) {
        program->allow_healing(options.heal_max);
    }
    TRY(check_who_chose(options, program));
    const std::optional<RemoteOptions> remote = TRY(remote_options(options, program));
    const std::optional<EngineOptions> engine = remote ? std::nullopt : TRY(engine_options(options, program));
    TRY(check_sight(engine));
    tell_of_rules_that_do_not_hold("this task");
    SystemClock clock;
    const std::string session_id = TRY(make_ulid(clock.wall_now()));
    SessionOptions session_options = TRY(to_session_options(options, session_id));
    const std::vector<std::string> secret_names = TRY(secret_options(options, program));
    const SecretUse secrets = TRY(take_secrets(secret_names));
    session_options.secrets = secrets.grants;
    session_options.redactor = secrets.redactor;
    const std::shared_ptr<Person> person = std::make_shared<Person>();
    if (program != nullptr) {
        narrow_to(*program, options, session_options);
        session_options.ask = [person](const auto& request, const auto& announce, const auto& stop) { return person->approve(request, announce, stop); };
        session_options.ask_text = [person](const auto& question, const auto& choices, const auto& stop) { return person->answer(question, choices, stop); };
    }
    const std::filesystem::path file = TRY(recording_path(options, session_id));
    const std::unique_ptr<ChatModel> model = TRY((remote ? reach_model(*remote, clock, context.stop) : load_model(engine)));
    std::unique_ptr<Platform> target = TRY(open_target(options.target, clock, context.stop));
    const auto platform = std::make_unique<SecretPlatform>(std::move(target), secrets.grants);
    const std::unique_ptr<Recorder> recorder = TRY(Recorder::open(file, session_id));
    EventPrinter printer(session_id, context.json, true);
    PrintingSink sink(*recorder, printer);
    const std::unique_ptr<Session> session = TRY(Session::create(session_options, *platform, *model, clock, sink));
    const TaskReport report = program != nullptr ? TRY(session->run_program(program->name(), *program, context.stop)) : TRY(session->run_task(options.goal, context.stop));
    TRY(recorder->seal());
    if (program != nullptr) {
        TRY(write(options.results, program->result_json(), program->result_junit()));
        TRY(write_healed(options, *program, context));
        const Recording recorded = TRY(Recording::open(file));
        for (const std::string& line : program->keep_paths(recorded)) {
            std::fprintf(stderr, "handeye: %s\n", line.c_str());
        }
    }
    print_end(context, report, file);
    const bool lacked_person = report.outcome == TaskOutcome::Denied && person->was_missed() && program->holds_without_approver();
    return task_exit_code(lacked_person ? TaskOutcome::NeedsPerson : report.outcome);
}

} // namespace handeye::cli
