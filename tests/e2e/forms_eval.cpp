// SPDX-License-Identifier: Apache-2.0
// Prints how many of the form tasks a checkpoint does, on real windows: the figure of the model's
// card.
#include "base/json.h"
#include "engine/engine.h"
#include "tests/e2e/forms_runner.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace handeye;

struct Options {
    std::string model = HANDEYE_SOURCE_DIR "/models/nano";
    std::string forms = HANDEYE_SOURCE_DIR "/models/nano/eval/forms-40.json";
    std::vector<std::string> tasks;
    std::size_t count = 0; ///< 0: all
    bool json = false;
    EngineOptions engine;
    e2e::FormRun run;
};

/// Counts what its model answers, and how long that takes.
class Counted final : public ChatModel {
public:
    explicit Counted(ChatModel& model) : model_(model) {}
    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override {
        const auto begun = std::chrono::steady_clock::now();
        Result<Completion> out = model_.generate(request, on_text, std::move(stop));
        took_ms_.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
        return out;
    }
    Result<TokenizedPrompt> tokenize(const ChatRequest& request) override { return model_.tokenize(request); }
    [[nodiscard]] EngineLoad load() const override { return model_.load(); }
    [[nodiscard]] const ModelInfo& info() const override { return model_.info(); }

    [[nodiscard]] nlohmann::json figures() const {
        std::vector<double> sorted = took_ms_;
        std::ranges::sort(sorted);
        const auto at = [&](double share) { return sorted.empty() ? 0.0 : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))]; };
        const EngineLoad load = model_.load();
        return {{"answers", sorted.size()}, {"median_ms", at(0.5)}, {"p90_ms", at(0.9)}, {"tokens", load.completion_tokens}, {"passes", load.passes},
                {"prompt_tokens", load.prompt_tokens}, {"reused_tokens", load.reused_tokens}};
    }

private:
    ChatModel& model_;
    std::vector<double> took_ms_;
};

/// Returns an exit code where the command line ended the program.
std::optional<int> parse(int argc, char** argv, Options& options) {
    CLI::App app{"Runs form tasks on real windows and counts those that the application confirms"};
    const std::map<std::string, e2e::Frames> frames{
        {"real", e2e::Frames::Real}, {"blank", e2e::Frames::Blank}, {"swap", e2e::Frames::Swapped}};
    app.add_option("--model", options.model, "Folder of the checkpoint");
    app.add_option("--forms", options.forms, "Task file");
    app.add_option("--app", options.run.app,
                   "handeye-form-app; the one beside this program by default");
    app.add_option("--tasks", options.tasks, "Only these, by id or number")->delimiter(',');
    app.add_option("--count", options.count, "Only the first N");
    app.add_option(
           "--frames", options.run.frames,
           "What the model is shown: real, blank or swap (the frame of a dialog of another layout)")
        ->transform(CLI::CheckedTransformer(frames, CLI::ignore_case));
    const std::map<std::string, e2e::Surface> surfaces{{"x11", e2e::Surface::X11}, {"vnc", e2e::Surface::Vnc}, {"web", e2e::Surface::Web}};
    app.add_option("--platform", options.run.surface, "Where the model sees and touches the forms: x11, vnc or web")
        ->transform(CLI::CheckedTransformer(surfaces, CLI::ignore_case));
    app.add_option("--zoom-below", options.run.zoom_below, "A click less certain than this is asked for again on a closer look, as by `handeye run`")
        ->check(CLI::Range(0.0, 1.0));
    const std::map<std::string, KvFormat> kv_formats{{"32bit", KvFormat::F32}, {"16bit", KvFormat::F16}, {"8bit", KvFormat::Q8}};
    app.add_option("--kv-cache", options.engine.kv_format, "Bits of cached keys and values")->transform(CLI::CheckedTransformer(kv_formats, CLI::ignore_case));
    const std::map<std::string, Quantize> packings{{"8bit", Quantize::Bits8}, {"4bit", Quantize::Bits4}};
    app.add_option("--quantize", options.engine.quantize, "Pack the model's layers while it is loaded")->transform(CLI::CheckedTransformer(packings, CLI::ignore_case));
    app.add_flag("--guesses,!--no-guesses", options.engine.guesses, "Guess tokens from what stands before");
    app.add_option("--thinking-budget", options.run.thinking_budget, "Tokens after which a thought is closed; none by default");
    app.add_option("--keep-recordings", options.run.recordings_dir,
                   "Keep the session files in this folder");
    app.add_flag("--json", options.json, "One JSON document and nothing else");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }
    if (options.run.app.empty()) {
        std::error_code ignored;
        options.run.app = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() /
                          "handeye-form-app";
    }
    return std::nullopt;
}

bool is_chosen(const Options& options, const e2e::FormTask& task, std::size_t index) {
    if (options.tasks.empty()) {
        return options.count == 0 || index < options.count;
    }
    return std::any_of(options.tasks.begin(), options.tasks.end(), [&](const std::string& name) {
        return name == task.id || name == std::to_string(index + 1);
    });
}

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

Result<int> evaluate(const Options& options) {
    const std::vector<e2e::FormTask> tasks = TRY(e2e::read_form_tasks(options.forms));
    EngineOptions engine = options.engine;
    engine.model_dir = options.model;
    const std::unique_ptr<ChatModel> opened = TRY(open_engine(engine));
    Counted model(*opened);
    SystemClock clock;
    nlohmann::json results = nlohmann::json::array();
    std::map<std::string, int> kinds;
    int right = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (!is_chosen(options, tasks[i], i)) {
            continue;
        }
        const e2e::FormTask& other = e2e::swap_partner(tasks, i);
        const e2e::FormResult result =
            TRY(e2e::run_form_task(tasks[i], other, model, clock, options.run));
        right += result.is_right ? 1 : 0;
        ++kinds[result.kind];
        results.push_back({{"id", result.id},
                           {"ok", result.is_right},
                           {"kind", result.kind},
                           {"outcome", result.outcome},
                           {"steps", result.steps},
                           {"seconds", seconds(result.wall)},
                           {"got", result.got_json}});
        if (!options.json) {
            std::cout << fmt::format("{} {:<6} {:>2} steps {:>5.1f} s  {}{}\n", result.id,
                                     result.kind, result.steps, seconds(result.wall), tasks[i].goal,
                                     result.is_right ? ""
                                                     : "\n        " + result.outcome + ", got " +
                                                           result.got_json)
                      << std::flush;
        }
    }
    if (options.json) {
        std::cout << dump_json({{"right", right},
                                {"count", results.size()},
                                {"failures", kinds},
                                {"answers", model.figures()},
                                {"results", results}})
                  << '\n';
    } else {
        std::cout << fmt::format("closed loop: {} of {} tasks\n{}\n", right, results.size(), dump_json(model.figures()));
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    if (const auto code = parse(argc, argv, options)) {
        return *code;
    }
    const Result<int> code = evaluate(options);
    if (!code) {
        std::cerr << "forms_eval: " << code.error().message << '\n';
        return 5;
    }
    return *code;
}
