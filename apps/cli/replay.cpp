// SPDX-License-Identifier: Apache-2.0
// `handeye replay`: what was recorded as a task file, and that file carried out.
#include "agent/compile.h"
#include "agent/model_replay.h"
#include "agent/task_program.h"
#include "apps/cli/command.h"
#include "apps/cli/run_here.h"
#include "apps/cli/secret_option.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/engine.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

std::string name_of(const std::filesystem::path& file) { return file.stem().string(); }

void tell_left_out(const CompiledTask& task) {
    for (const std::string& step : task.left_out) {
        std::fprintf(stderr, "handeye: left out, it had no effect: %s\n", step.c_str());
    }
}

/// A private folder that goes with it.
class ScratchFolder {
public:
    static Result<ScratchFolder> make() {
        SystemClock clock;
        ScratchFolder out;
        TRY(make_private_dir(runtime_dir())); // the daemon wants it so
        out.path_ = runtime_dir() / ("replay-" + TRY(make_ulid(clock.wall_now())));
        TRY(make_private_dir(out.path_));
        return out;
    }
    ScratchFolder() = default;
    ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchFolder& operator=(ScratchFolder&&) = delete;
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder() {
        std::error_code ignored;
        if (!path_.empty()) {
            std::filesystem::remove_all(path_, ignored);
        }
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

nlohmann::json to_json(const ReplayedAnswer& answer) {
    const auto point = [](const std::optional<Point>& at) { return at ? nlohmann::json{{"x", at->x}, {"y", at->y}} : nlohmann::json(); };
    return {{"step", answer.step}, {"same", answer.is_same}, {"why", answer.why}, {"prompt_same", answer.is_prompt_same}, {"seconds", std::chrono::duration<double>(answer.took).count()},
            {"then", {{"call", answer.call_then}, {"at", point(answer.at_then)}}}, {"now", {{"call", answer.call_now}, {"at", point(answer.at_now)}}}};
}

void print_answer(const ReplayedAnswer& answer) {
    print_progress("");
    const std::string call = answer.call_now.empty() ? "(no action)" : answer.call_now;
    print(fmt::format("{} step {:>2}  {}  ({:.2f} s){}", answer.is_same ? "same   " : "CHANGED", answer.step, call, std::chrono::duration<double>(answer.took).count(),
                      answer.is_prompt_same ? "" : "  [the prompt is another one]"));
    if (!answer.is_same) {
        print(fmt::format("                 {}; it was {}", answer.why, answer.call_then.empty() ? "no action" : answer.call_then));
    }
    print_progress("thinking ...");
}

Result<std::unique_ptr<ChatModel>> open_model(const RunOptions& options, Clock& clock, const Context& context) {
    RemoteSettings settings = options.remote;
    settings.prompt = options.prompt;
    if (const auto remote = TRY(remote_model_options(wanted_model(options.model), options.extra, settings))) {
        return reach_model(*remote, clock, context.stop);
    }
    EngineOptions engine;
    const LocalCheckpoint checkpoint = TRY(find_model(options.model));
    TRY(put_model_options(options.extra, checkpoint, engine));
    engine.on_progress = [](std::string_view stage, double share) { print_progress(fmt::format("{} {:.0f} %", stage, share * 100)); };
    return open_engine(engine);
}

/// 1 when an answer is another one now.
Result<int> ask_model_again(const RunOptions& options, const Context& context) {
    const Recording recording = TRY(Recording::open(options.goal));
    SystemClock clock;
    const std::unique_ptr<ChatModel> model = TRY(open_model(options, clock, context));
    ModelReplayOptions replay{.prompt = options.prompt, .render = {.override_dir = options.prompts_dir}, .on_answer = {}};
    if (!context.json) {
        replay.on_answer = print_answer;
    }
    const Result<std::vector<ReplayedAnswer>> answers = replay_model(recording, *model, clock, replay, context.stop);
    print_progress("");
    TRY(answers);
    const auto changed = std::count_if(answers->begin(), answers->end(), [](const ReplayedAnswer& answer) { return !answer.is_same; });
    if (context.json) {
        nlohmann::json out{{"recording", options.goal}, {"model", model->info().name}, {"steps", answers->size()}, {"changed", changed}, {"answers", nlohmann::json::array()}};
        for (const ReplayedAnswer& answer : *answers) {
            out["answers"].push_back(to_json(answer));
        }
        print_json(out);
    } else {
        print(fmt::format("{} of {} answers are others now ({})", changed, answers->size(), model->info().name));
    }
    return changed == 0 ? 0 : 1;
}

Result<int> replay(const RunOptions& options, const Context& context) {
    const Recording recording = TRY(Recording::open(options.goal));
    const std::unique_ptr<Locator> reader = Locator::create({.languages = options.languages});
    const CompiledTask task = TRY(compile_task(recording, {.name = name_of(options.goal)}, *reader));
    const ScratchFolder scratch = TRY(ScratchFolder::make());
    const bool heals = !options.heal_dir.empty(); // then the file that the diff is about is kept beside it
    const std::filesystem::path file = TRY(write_compiled(task, heals ? std::filesystem::path(options.heal_dir) / "task" : scratch.path() / "task"));
    tell_left_out(task);
    const std::unique_ptr<TaskProgram> program = TRY(TaskProgram::load(file, {}, heals ? "" : std::filesystem::path(options.goal).filename().string()));
    program->set_languages(options.languages);
    RunOptions run = options;
    run.heal_dir = heals ? (std::filesystem::path(options.heal_dir) / "healed").string() : "";
    const int code = TRY(run_here(run, program.get(), context));
    if (code == 1 && !heals && !context.json) {
        print(fmt::format("the lines are those of the task file that it was replayed by: handeye export {} --to task -o DIR", options.goal));
    }
    return code;
}

} // namespace

Runner declare_replay(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    app.add_option("FILE", options->goal, "Recording of a task that ended done")->required();
    add_target_options(app, options->target);
    add_secret_option(app, options->secrets);
    app.add_option("--record", options->record, "Recording of the replay (default: a new file in the state folder)");
    app.add_option("--result", options->results.json, "Write what became of each step there, as JSON");
    app.add_option("--junit", options->results.junit, "Write it as JUnit XML, for build servers");
    app.add_option("--languages", options->languages, "Of the text on the screen, as Tesseract calls them: eng+deu")->capture_default_str();
    app.add_option("--model", options->model, fmt::format("{}, for --heal and --model-only (default: $HANDEYE_MODEL, else the bundled model)", kModelOrServerHelp))->join(',');
    add_heal_options(app, *options);
    add_model_options(app, options->extra);
    add_remote_options(app, options->remote);
    auto is_model_only = std::make_shared<bool>(false);
    auto* const model_only = app.add_flag("--model-only", *is_model_only, "Do nothing: ask the model of today about each recorded screen, and say which of its actions are others (exit code 1)");
    app.add_option("--prompt", options->prompt, "Prompt for --model-only (default: the one that the model was trained on)")->needs(model_only);
    app.add_option("--prompts-dir", options->prompts_dir, "Folder whose prompt files win over the built-in ones, for --model-only")->needs(model_only);
    app.footer("Targets are found by id, role and label, or by their picture, wherever they are now; without --heal no model is loaded.\n"
               "What cannot be found stops it, with what was looked for. Start the programs that the recording started: --launch.\n"
               "Example: handeye replay run.handeye --headless 800x600 --launch \"my-form\"\n"
               "Example: handeye replay run.handeye --model-only --model ~/models/GLM-4.1V-9B-Thinking");
    return [options, is_model_only](const Context& context) { return *is_model_only ? ask_model_again(*options, context) : replay(*options, context); };
}

} // namespace handeye::cli
