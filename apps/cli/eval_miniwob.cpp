// SPDX-License-Identifier: Apache-2.0
// `handeye eval miniwob`: how many of MiniWoB++'s tasks a model solves, from pixels to clicks, in a real browser.
#include "apps/cli/eval.h"
#include "apps/cli/model_options.h"
#include "apps/kept/checkpoint_sum.h"
#include "apps/miniwob/campaign.h"
#include "apps/miniwob/failures.h"
#include "apps/miniwob/fetch.h"
#include "apps/miniwob/pages.h"
#include "apps/miniwob/summary.h"
#include "base/file.h"
#include "base/json.h"
#include "base/printable.h"
#include "platforms/open_platform.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr Duration kLinePause = std::chrono::seconds(10); // between two lines of progress in a pipe
constexpr SettleOptions kSettle{.quiet = std::chrono::milliseconds(50), .deadline = std::chrono::milliseconds(1000)};

struct Options {
    std::string model;
    ModelOptions extra;
    bool skips_checksums = false;
    int threads = 0;
    std::string tasks;
    std::uint64_t episodes = 10;
    std::uint64_t seed = 1;
    std::string out;
    std::string pages;
    std::string browser;
    std::string viewport = "168x210";
    double scale = 2;
    int max_steps = 15;
    int max_new_tokens = 1024;
    int thinking_budget = 512;
    std::string prompt;
    std::string surface;
    int jobs = 2;
    int keep_failures = 3;
    bool keeps_successes = false;
    bool lists = false;
    bool fetches = false;
};

int print_tasks(const Context& context) {
    if (context.json) {
        json out = json::array();
        for (const miniwob::Task& task : miniwob::tasks()) {
            out.push_back({{"name", task.name}, {"group", miniwob::group_name(task.group)}, {"input", task.input}, {"why", task.why}});
        }
        print_json(out);
        return 0;
    }
    for (const miniwob::Group group : miniwob::groups()) {
        const auto count = std::ranges::count(miniwob::tasks(), group, &miniwob::Task::group);
        print(fmt::format("{} ({})", miniwob::group_name(group), count));
        for (const miniwob::Task& task : miniwob::tasks()) {
            if (task.group == group) {
                print(fmt::format("  {:28} {}", task.name, task.why));
            }
        }
    }
    return 0;
}

Result<Size> viewport_of(const std::string& text) {
    Size size;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%5dx%5d%c", &size.width_px, &size.height_px, &rest) != 2 || size.width_px < 160 || size.height_px < 210 || size.width_px > 4000 || size.height_px > 4000) { // NOLINT(cert-err34-c)
        return Error{ErrorCode::InvalidArgument, fmt::format("--viewport {}: write WxH in CSS pixels, 160x210 (what a task takes) to 4000x4000", text)};
    }
    return size;
}

/// What the model sees is the picture alone: where it has a prompt for pages by coordinates, that one; else the one for desktops.
Result<Surface> surface_of(const Options& options, const std::string& prompt) {
    if (!options.surface.empty()) {
        const std::optional<Surface> found = find_surface(options.surface);
        return found ? Result<Surface>(*found) : Error{ErrorCode::InvalidArgument, fmt::format("there is no --surface \"{}\": desktop, mobile, web, web-points", options.surface)};
    }
    return has_template(prompt, Surface::WebPoints) ? Surface::WebPoints : Surface::Desktop;
}

Result<std::unique_ptr<ChatModel>> load(const Options& options, const LocalCheckpoint& checkpoint) {
    EngineOptions engine;
    engine.threads = options.threads;
    engine.checksums = options.skips_checksums ? Checksums::Skip : Checksums::Verify;
    TRY(put_model_options(options.extra, checkpoint, engine));
    engine.on_progress = [](std::string_view stage, double share) { print_progress(fmt::format("{} {:.0f} %", stage, share * 100)); };
    Result<std::unique_ptr<ChatModel>> model = open_engine(engine);
    print_progress("");
    return model;
}

Result<json> settings_of(const Options& options, const miniwob::PlacedPages& pages, const std::string& sum, const SessionOptions& session) {
    json adapters = json::array();
    for (const std::string& adapter : options.extra.adapters) {
        adapters.push_back(TRY(kept::checkpoint_sum(adapter)));
    }
    return json{{"handeye", HANDEYE_VERSION},
                {"model", sum},
                {"adapters", adapters},
                {"quantize", options.extra.quantize},
                {"kv_cache", options.extra.kv_cache},
                {"pages", pages.sum},
                {"browser", TRY(web_browser_version(options.browser))},
                {"window", fmt::format("{}x{}", miniwob::kWindow.width_px, miniwob::kWindow.height_px)},
                {"viewport", options.viewport},
                {"scale", options.scale},
                {"max_steps", options.max_steps},
                {"max_new_tokens", options.max_new_tokens},
                {"thinking_budget", options.thinking_budget},
                {"prompt", session.prompt},
                {"surface", surface_name(*session.surface)}};
}

std::filesystem::path default_out(WallTime now) {
    std::string name = format_utc(now).substr(0, 19);
    std::ranges::replace(name, ':', '-');
    return state_dir() / "evals" / ("miniwob-" + name);
}

/// One line that is written over on a terminal, a line now and then in a pipe.
class ProgressView {
public:
    explicit ProgressView(Clock& clock) : clock_(clock), next_(clock.now() + kLinePause) {}

    void show(const miniwob::Progress& progress) {
        const std::size_t done = progress.earlier + progress.played;
        const double per_second = progress.seconds > 0 ? static_cast<double>(progress.played) / progress.seconds : 0;
        const double left_s = per_second > 0 ? static_cast<double>(progress.wanted - done) / per_second : 0;
        const std::string line = fmt::format("{}/{} episodes, {:.1f} % solved, {:.0f} a minute, {:.0f} min {:02.0f} s left; {} {}: {}", done, progress.wanted,
                                             100.0 * static_cast<double>(progress.solved) / static_cast<double>(done), per_second * 60, std::floor(left_s / 60),
                                             std::fmod(left_s, 60), progress.newest->task, progress.newest->seed, miniwob::ending_name(progress.newest->ending));
        if (is_terminal_) {
            print_progress(line);
        } else if (clock_.now() >= next_ || done == progress.wanted) {
            next_ = clock_.now() + kLinePause;
            fmt::print(stderr, "{}\n", printable_line(line));
        }
    }

private:
    Clock& clock_;
    TimePoint next_;
    const bool is_terminal_ = ::isatty(STDERR_FILENO) != 0;
};

/// What a run is summed up to, and where.
struct Report {
    const miniwob::Summary& summary;
    const json& settings;
    const std::filesystem::path& out;
    std::string head; ///< what was measured
};

Result<json> write_report(const Report& report, std::span<const miniwob::EpisodeResult> results, const std::filesystem::path& keep) {
    json document = miniwob::to_json(report.summary);
    document["out"] = report.out.string();
    document["settings"] = report.settings;
    TRY(write_file_atomic(report.out / "summary.json", document.dump(2) + "\n"));
    TRY(write_file_atomic(report.out / "summary.md", miniwob::to_markdown(report.summary, report.head)));
    print_progress("writing failures.html");
    TRY(write_file_atomic(report.out / "failures.html", miniwob::failures_page(report.summary, results, keep, report.head)));
    print_progress("");
    return document;
}

Result<int> fetch(const Context& context) {
    const bool was_there = TRY(miniwob::fetch_pages({}, context.stop));
    const std::string folder = miniwob::fetched_pages_dir().string();
    if (context.json) {
        print_json({{"path", folder}, {"was_here", was_there}});
    } else {
        print(fmt::format("MiniWoB++ {} {} in {}", miniwob::kPagesVersion, was_there ? "was already" : "is", folder));
    }
    return 0;
}

SessionOptions session_of(const Options& options, Surface surface, const std::string& prompt, const std::string& sum) {
    SessionOptions session;
    session.prompt = prompt;
    session.surface = surface;
    session.budget.steps_max = options.max_steps;
    session.max_new_tokens = options.max_new_tokens;
    session.thinking_budget = options.thinking_budget > 0 ? std::optional<int>(options.thinking_budget) : std::nullopt;
    session.settle = kSettle;
    session.model_digest = sum;
    return session;
}

Result<int> run(const Options& options, const Context& context) {
    const std::vector<const miniwob::Task*> tasks = TRY(miniwob::choose_tasks(options.tasks));
    const Size view = TRY(viewport_of(options.viewport));
    const miniwob::PlacedPages pages = TRY(miniwob::find_pages(options.pages, tasks));
    const LocalCheckpoint checkpoint = TRY(find_model(options.model));
    const std::string sum = TRY(kept::checkpoint_sum(checkpoint.path));
    const std::unique_ptr<ChatModel> model = TRY(load(options, checkpoint));
    const std::string prompt = options.prompt.empty() ? model->info().prompt : options.prompt;
    const SessionOptions session = session_of(options, TRY(surface_of(options, prompt)), prompt, sum);

    SystemClock clock;
    const std::filesystem::path out = options.out.empty() ? default_out(clock.wall_now()) : std::filesystem::path(options.out);
    const json settings = TRY(settings_of(options, pages, sum, session));
    const std::unique_ptr<miniwob::Journal> journal = TRY(miniwob::Journal::open(out, settings));
    const miniwob::CampaignOptions campaign{.tasks = tasks,
                                            .first_seed = options.seed,
                                            .seeds = options.episodes,
                                            .jobs = options.jobs,
                                            .player = {.pages = pages.folder, .view = view, .scale = options.scale, .browser = options.browser, .session = session},
                                            .keep = out / "recordings",
                                            .failures_kept = options.keep_failures,
                                            .keeps_successes = options.keeps_successes};
    ProgressView view_of_progress(clock);
    const Result<void> played = miniwob::play_all(campaign, *journal, *model, clock, [&](const miniwob::Progress& progress) { view_of_progress.show(progress); }, context.stop);
    print_progress("");
    const miniwob::Summary summary = miniwob::summarise(journal->results());
    const std::string head = fmt::format("{}: {} episodes, model {} ({}), {}", pages.title(), summary.all.episodes, model->info().name, sum.substr(0, 12),
                                         format_utc(clock.wall_now()).substr(0, 10));
    const Result<json> document = write_report({summary, settings, out, head}, journal->results(), campaign.keep);
    if (context.json && played && document) { // of a run that did not end well the error is the document
        print_json(*document);
    } else if (!context.json && summary.all.episodes > 0) {
        print(fmt::format("{}\n{}\nepisodes, tables and failures side by side: {}", head, miniwob::to_text(summary), out.string()));
    }
    if (!played) {
        return Error{played.error().code, fmt::format("{}; {} episodes are in {}: the same command with --out {} goes on", played.error().message, summary.all.episodes, out.string(), out.string())};
    }
    return document ? Result<int>(0) : document.error();
}

} // namespace

Runner declare_eval_miniwob(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_option("--model", options->model, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelHelp));
    app.add_option("--tasks", options->tasks, "Names of tasks and of groups, separated by commas (default: all; --list-tasks shows them)");
    app.add_flag("--list-tasks", options->lists, "Show the tasks, by group, and end");
    app.add_flag("--fetch", options->fetches, "Fetch the pages from PyPI into the user's data folder (6 MB), and end");
    app.add_option("--episodes", options->episodes, "Of each task: as many seeds")->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100000}))->capture_default_str();
    app.add_option("--seed", options->seed, "The first one")->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 50U))->capture_default_str();
    app.add_option("--out", options->out, "Folder of results; one that holds some of the same model and settings is gone on with (default: a new one in the state folder)");
    app.add_option("--jobs", options->jobs, "Browsers at a time")->check(CLI::Range(1, 64))->capture_default_str();
    app.add_option("--max-steps", options->max_steps, "Of an episode: answers of the model")->check(CLI::Range(1, 1000))->capture_default_str();
    const char* const screen = "What is seen";
    app.add_option("--pages", options->pages, "Folder of the package's pages (default: $HANDEYE_MINIWOB, else where --fetch puts them)")->group(screen);
    app.add_option("--viewport", options->viewport, "WxH in CSS pixels, of the page from its upper left corner on")->capture_default_str()->group(screen);
    app.add_option("--scale", options->scale, "Pixels of the picture for each CSS pixel")->check(CLI::Range(0.25, 8.0))->capture_default_str()->group(screen);
    app.add_option("--browser", options->browser, "The program (default: the Chromium that is installed)")->group(screen);
    const char* const asked = "Model";
    app.add_option("--prompt", options->prompt, "Prompt to use (default: the one that the model was trained on)")->group(asked);
    app.add_option("--surface", options->surface, "Action space: desktop, mobile, web, web-points (default: web-points where the prompt has it, else desktop)")->group(asked);
    app.add_option("--max-new-tokens", options->max_new_tokens, "Tokens of one answer at most")->check(CLI::Range(1, 1 << 20))->capture_default_str()->group(asked);
    app.add_option("--thinking-budget", options->thinking_budget, "Tokens after which thinking is closed by force, 0: never")->check(CLI::Range(0, 1 << 20))->capture_default_str()->group(asked);
    app.add_option("--threads", options->threads, "Threads of the engine, 0: one per core")->check(CLI::Range(0, 1024))->group(asked);
    add_checksums_option(app, options->skips_checksums);
    add_model_options(app, options->extra);
    const char* const kept = "Recordings";
    app.add_option("--keep-failures", options->keep_failures, "Of each task, so many are kept as recordings")->check(CLI::Range(0, 100000))->capture_default_str()->group(kept);
    app.add_flag("--keep-successes", options->keeps_successes, "Keep those, too")->group(kept);
    app.footer("The pages come first: handeye eval miniwob --fetch\n"
               "Example: handeye eval miniwob --tasks one-click --episodes 5\n"
               "Example: handeye eval miniwob --episodes 50 --out results      Ctrl-C, and the same command goes on\n"
               "Solved means the page's whole reward. The model gets the goal in words and the picture, nothing else of the page.\n"
               "In --out: episodes.jsonl, summary.json, summary.md, failures.html (docs/evaluation.md).");
    return [options](const Context& context) -> Result<int> { return options->lists ? print_tasks(context) : options->fetches ? fetch(context) : run(*options, context); };
}

} // namespace handeye::cli
