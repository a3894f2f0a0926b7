// SPDX-License-Identifier: Apache-2.0
// `handeye bench`: each figure beside what this machine allows, measured in the same run, and their ratio.
#include "agent/bench_step.h"
#include "apps/cli/bench_control.h"
#include "apps/cli/bench_peers.h"
#include "apps/cli/command.h"
#include "apps/cli/model_options.h"
#include "base/hash.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "engine/bench_device.h"
#include "engine/bench_products.h"
#include "engine/engine.h"
#include "platforms/bench.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye::cli {
namespace {

constexpr const char* kDefaultScreen = "1920x1080";
constexpr std::size_t kUnitWidth = 9;
constexpr double kCardSecondsMost = 10; // of each figure

struct BenchOptions {
    std::string subject;
    TargetSpec target;
    std::string model;
    std::string shape;
    std::string format = "bf16";
    int threads = 0;
    int runs = 50;
    int streams = 8;
    std::string answers;
    std::string picture;
    bool skips_checksums = false;
    ModelOptions extra;
};

/// `more`: what JSON has beside the figure.
void print_line(const BenchLine& one, const Context& context, const nlohmann::json& more = nlohmann::json::object()) {
    if (context.json) {
        nlohmann::json line = bench_json(one);
        line.update(more);
        print_json(line);
        return;
    }
    std::string text = fmt::format("{:<34} {:>12.4g} {}", one.name, one.value, one.unit);
    if (one.ceiling > 0) {
        text += fmt::format("{:{}} {:>5.1f} % of {:.4g} ({})", "", kUnitWidth - std::min(kUnitWidth, one.unit.size()), one.share * 100, one.ceiling, one.ceiling_name);
    }
    if (one.rounds > 0) {
        text += fmt::format(", {:.4g} ms, p99 {:.4g}", one.median_ms, one.p99_ms);
    }
    print(text);
}

double ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

/// A time and the least time that it could take.
BenchLine timed(std::string name, Duration took, Duration least, std::string least_of) {
    return {std::move(name), ms(took), "ms", ms(least), std::move(least_of), took > Duration{} ? ms(least) / ms(took) : 0};
}

constexpr std::size_t kAnswersBytesMax = 64U << 20U;

/// The first question and answer of each conversation.
Result<std::vector<RecordedAnswer>> read_answers(const std::string& file) {
    const nlohmann::json rows = TRY(read_json(file, {.bytes_max = kAnswersBytesMax}));
    std::vector<RecordedAnswer> out;
    for (const nlohmann::json& row : rows) {
        const nlohmann::json turns = row.is_object() ? row.value("messages", nlohmann::json()) : nlohmann::json();
        const auto text_of = [&](std::size_t i) { return turns.is_array() && turns.size() > i && turns[i].is_object() ? json_text(turns[i], "content") : std::string(); };
        out.push_back({.prompt_utf8 = text_of(0), .answer_utf8 = text_of(1)});
        if (out.back().answer_utf8.empty()) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: row {} has no \"messages\" with a question and an answer", file, out.size())};
        }
    }
    return out;
}

std::vector<BenchLine> bench_weights(const BenchOptions& options) {
    std::vector<BenchLine> figures = bench_products(options.threads, kBenchSide, [](const std::string& format) { print_progress(format); });
    print_progress("");
    return figures;
}

Result<std::vector<BenchLine>> bench_engine(const BenchOptions& options) {
    const LocalCheckpoint model = TRY(find_model(options.model));
    EngineOptions engine{.model_dir = model.path, .threads = options.threads, .checksums = options.skips_checksums ? Checksums::Skip : Checksums::Verify};
    TRY(put_model_options(options.extra, model, engine));
    const bool is_recorded = options.subject == "serve" && !options.answers.empty();
    const std::vector<RecordedAnswer> answers = is_recorded ? TRY(read_answers(options.answers)) : std::vector<RecordedAnswer>();
    const Image picture = options.picture.empty() ? Image() : TRY(read_image(options.picture));
    return is_recorded ? bench_guesses(engine, answers) : options.subject == "serve" ? bench_streams(engine, options.streams) : bench_model(engine, picture);
}

bool is_card(const BenchOptions& options) { return options.subject == "engine" && options.extra.device != "cpu"; }

/// Prints each figure when it is known.
Result<void> bench_card(const BenchOptions& options, const Context& context) {
    const ModelOptions& extra = options.extra;
    const bool is_random = !options.shape.empty();
    const char* const foreign = !options.picture.empty()                       ? "--picture"
                                : extra.gpu_memory_gb > 0                      ? "--gpu-memory"
                                : is_random && !extra.adapters.empty()         ? "--adapter"
                                : is_random && !extra.quantize.empty()         ? "--quantize"
                                                               : nullptr;
    if (foreign != nullptr) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} has no meaning for what is measured on a card{}", foreign, is_random ? " with random weights" : "")};
    }
    const LocalCheckpoint model = is_random ? LocalCheckpoint{} : TRY(find_model(options.model));
    EngineOptions engine{.model_dir = model.path, .threads = options.threads};
    TRY(put_model_options(extra, model, engine));
    engine.opened_device = TRY(open_device(extra.device));
    engine.on_progress = [](std::string_view stage, double share) { print_progress(fmt::format("{} {:.0f} %", stage, share * 100)); };
    nlohmann::json subject{{"device", device_name(*engine.opened_device)}, {"model", is_random ? options.shape : model.path.string()}};
    if (is_random) {
        subject["format"] = options.format;
    }
    if (!context.json) {
        print(subject["device"].get<std::string>());
    }
    const auto tell = [&](const BenchLine& line) {
        print_progress("");
        print_line(line, context, subject);
    };
    return bench_device(engine, {.shape = options.shape, .format = options.format, .rounds = options.runs, .seconds_most = kCardSecondsMost}, tell);
}

Result<std::vector<BenchLine>> bench_platform(const BenchOptions& options, Platform& platform) {
    const auto lines = options.subject == "capture" ? bench_capture(platform, options.runs) : bench_input(platform, options.runs);
    if (!lines) {
        return lines.error();
    }
    std::vector<BenchLine> figures;
    for (const PlatformBenchLine& line : *lines) {
        figures.push_back({line.name, line.value, line.unit, line.ceiling, line.ceiling_name, line.share});
    }
    return figures;
}

Result<std::vector<BenchLine>> bench_loop(const BenchOptions& options, Platform& platform, Clock& clock) {
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / fmt::format("handeye-bench-{}-{}.handeye", ::getpid(), TRY(random_hex(4)));
    const Result<StepBench> bench = bench_step(platform, clock, options.runs, file);
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(file.string() + suffix, ignored);
    }
    if (!bench) {
        return bench.error();
    }
    std::vector<BenchLine> figures;
    for (const StageCost& stage : bench->stages) {
        figures.push_back(timed(stage.name, stage.median, stage.ceiling, stage.ceiling_of));
    }
    figures.push_back({"step without the model", ms(bench->total_median), "ms", ms(bench->budget), "budget",
                       ms(bench->total_median) / ms(bench->budget)});
    figures.push_back({"worst step", ms(bench->total_worst), "ms"});
    figures.push_back({"settle (the application)", ms(bench->settle_median), "ms"});
    figures.push_back({"recording, a step", static_cast<double>(bench->recording_bytes) / std::max(1, bench->steps) / 1024.0, "KiB"});
    return figures;
}

Result<std::vector<BenchLine>> measure(const BenchOptions& options, const Context& context) {
    if (options.subject == "engine" || options.subject == "serve") {
        return bench_engine(options);
    }
    if (options.subject == "products") {
        return bench_weights(options);
    }
    SystemClock clock;
    TargetSpec target = options.target;
    if (target.display.empty() && target.headless.empty()) {
        target.headless = kDefaultScreen;
    }
    const std::unique_ptr<Platform> platform = TRY(open_target(target, clock, context.stop));
    return options.subject == "step" ? bench_loop(options, *platform, clock) : bench_platform(options, *platform);
}

std::vector<std::string> names(const std::vector<std::string_view>& all) { return {all.begin(), all.end()}; }

} // namespace

Runner declare_bench(CLI::App& app) {
    auto options = std::make_shared<BenchOptions>();
    app.add_option("SUBJECT", options->subject, "engine (with --device cuda: each kernel, too), products (of weights in each format), serve (many answers at once), capture, input, step (the loop without the model), control (clients of a daemon) or peers (the same GGUF files through llama.cpp)")
        ->required()
        ->check(CLI::IsMember({"engine", "products", "serve", "capture", "input", "step", "control", "peers"}));
    add_target_options(app, options->target);
    app.add_option("--model", options->model, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelHelp));
    auto* const shape = app.add_option("--shape", options->shape, "engine, on a card: sizes of a published model with random weights, instead of a checkpoint")->check(CLI::IsMember(names(bench_shapes())))->excludes("--model");
    app.add_option("--format", options->format, "Of those weights")->check(CLI::IsMember(names(bench_formats())))->needs(shape)->capture_default_str();
    app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
    add_checksums_option(app, options->skips_checksums);
    add_model_options(app, options->extra);
    app.add_option("--runs", options->runs, "Repetitions")->check(CLI::Range(1, 1'000'000))->capture_default_str();
    app.add_option("--streams", options->streams, "serve: answers at once")->check(CLI::Range(1, 16))->capture_default_str();
    app.add_option("--answers", options->answers, "serve: measure what guessing gains on these answers, a file of `handeye export --to llamafactory`");
    app.add_option("--picture", options->picture, "engine, peers: a screenshot to be looked at, instead of a dialog of 336x224")->check(CLI::ExistingFile);
    auto peers = std::make_shared<BenchPeersOptions>();
    app.add_option("--peer-python", peers->python, "peers: a Python that has llama-cpp-python")->capture_default_str();
    app.add_option("--rounds", peers->rounds, "peers: how often each is started, in turn")->check(CLI::Range(1, 100))->capture_default_str();
    app.footer("Without --display, capture, input and step run on an own invisible display of 1920x1080.");
    auto control = std::make_shared<BenchControlOptions>();
    app.add_option("--idle", control->idle, "control: clients that only stay")->check(CLI::Range(1, 10'000))->capture_default_str();
    app.add_option("--active", control->active, "control: clients that ask ten times a second")->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--seconds", control->seconds, "control: of each measured stretch")->check(CLI::Range(1, 3600))->capture_default_str();
    return [options, control, peers](const Context& context) -> Result<int> {
        if (options->subject == "control") {
            control->is_json = context.json;
            return bench_control(*control);
        }
        if (options->subject == "peers") {
            if (!options->extra.adapters.empty() || !options->extra.quantize.empty() || !options->extra.kv_cache.empty() || options->skips_checksums) {
                return Error{ErrorCode::InvalidArgument, "peers compares the files as they are: --adapter, --quantize, --kv-cache and --no-checksums have no meaning for it"};
            }
            peers->model = TRY(find_model(options->model)).path.string();
            peers->picture = options->picture;
            peers->threads = options->threads;
            return bench_peers(*peers, context);
        }
        if (is_card(*options)) {
            TRY(bench_card(*options, context));
            return 0;
        }
        if (!options->shape.empty()) {
            return Error{ErrorCode::InvalidArgument, "--shape is measured on a card: bench engine --device cuda --shape ..."};
        }
        for (const BenchLine& line : TRY(measure(*options, context))) {
            print_line(line, context);
        }
        return 0;
    };
}

} // namespace handeye::cli
