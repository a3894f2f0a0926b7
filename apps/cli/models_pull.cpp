// SPDX-License-Identifier: Apache-2.0
// `handeye models pull`: fetches a model that is known by name.
#include "apps/cli/models.h"
#include "apps/daemon_options.h"
#include "apps/models/pull.h"
#include "apps/models/store.h"
#include "base/printable.h"

#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr Duration kShowPause = std::chrono::milliseconds(200);

struct Options {
    std::string model;
    std::optional<double> size;
    HubOptions hub;
    std::string into;
    std::string token_file;
};

json to_json(const PullReport& report, const PullOptions& pull, const Hub& hub) {
    json files = json::array();
    std::uint64_t bytes = 0;
    for (const PulledFile& file : report.files) {
        files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"bytes_kept", file.bytes_kept}, {"sha256", file.sha256}});
        bytes += file.bytes;
    }
    return {{"name", pull.row.model->name},
            {"format", pull.row.spec->format},
            {"quantization", pull.row.quantization},
            {"size_in_billions", pull.row.spec->size_in_billions},
            {"id", pull.id},
            {"revision", hub.revision()},
            {"path", pull.folder.string()},
            {"was_here", report.was_here},
            {"bytes", bytes},
            {"files", std::move(files)}};
}

/// Shows progress, not more often than a person can read.
class ProgressView {
public:
    explicit ProgressView(Clock& clock) : clock_(clock), begin_(clock.now()), next_(begin_) {}
    void show(const PullProgress& progress) {
        if (const TimePoint now = clock_.now(); now >= next_) {
            next_ = now + kShowPause;
            print_progress(progress_line(progress, now - begin_));
        }
    }

private:
    Clock& clock_;
    const TimePoint begin_;
    TimePoint next_;
};

Result<PullOptions> plan(const Options& options, const Registry& registry) {
    WantedModel wanted = TRY(parse_wanted(options.model));
    wanted.size_in_billions = options.size;
    PullOptions pull{.row = TRY(find_row(registry, wanted))};
    pull.id = TRY(pull.row.id_at(options.hub.hub));
    pull.folder = options.into.empty() ? TRY(read_models_root()) / pull.row.folder() : std::filesystem::absolute(options.into).lexically_normal();
    if (!pull.folder.has_filename()) { // "DIR/"
        pull.folder = pull.folder.parent_path();
    }
    return pull;
}

Result<int> pull(Options options, const Context& context) {
    const Registry registry = TRY(load_registry());
    PullOptions pull = TRY(plan(options, registry));
    if (const char* const mirror = std::getenv("HF_ENDPOINT"); options.hub.endpoint.empty() && options.hub.hub == "huggingface" && mirror != nullptr) {
        options.hub.endpoint = mirror;
    }
    options.hub.token = TRY(read_hub_token(options.token_file));
    options.hub.is_token_given = !options.token_file.empty();
    Hub hub = TRY(Hub::open(options.hub));
    SystemClock clock;
    ProgressView view(clock);
    pull.clock = &clock;
    pull.on_progress = [&view](const PullProgress& progress) { view.show(progress); };
    auto pulled = pull_model(hub, pull, context.stop);
    print_progress("");
    if (!pulled && pulled.error().code == ErrorCode::Cancelled) {
        return Error{ErrorCode::Cancelled, fmt::format("stopped; what is here is kept in {}.partial, and the same command goes on", pull.folder.string())};
    }
    const PullReport report = TRY(std::move(pulled));
    if (context.json) {
        print_json(to_json(report, pull, hub));
        return 0;
    }
    std::uint64_t bytes = 0;
    for (const PulledFile& file : report.files) {
        bytes += file.bytes;
    }
    print(report.was_here ? fmt::format("{} is here already: {}", pull.row.arguments(), pull.folder.string())
                          : fmt::format("{}: {} in {} files, each as the hub's listing says, in {}", pull.row.arguments(), bytes_text(bytes), report.files.size(), pull.folder.string()));
    return 0;
}

} // namespace

Runner declare_models_pull(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("MODEL", options->model, "NAME[:FORMAT[:QUANTIZATION]] of `handeye models list`")->required();
    app.add_option("--size-in-billions", options->size, "Where a name comes in several sizes");
    app.add_option("--hub", options->hub.hub, "huggingface or modelscope")->capture_default_str()->check(CLI::IsMember({"huggingface", "modelscope"}));
    app.add_option("--endpoint", options->hub.endpoint, "URL of a mirror with the hub's layout (default: $HF_ENDPOINT, else the hub itself)");
    app.add_option("--into", options->into, "This folder instead of the one where names are looked up");
    app.add_option("--token-file", options->token_file, "File with the token for Hugging Face (default, over https only: $HF_TOKEN, else what its own tools keep)");
    app.add_option("--ca-file", options->hub.ca_file, "PEM file with the authorities that may vouch for the hub (default: the system's)");
    app.footer("Example: handeye models pull glm-4.1v-thinking:gptq\n"
               "What was fetched is kept when it is interrupted; the same command goes on. Every file is compared with its hash, the\n"
               "configuration with what the name promises, before the model appears in its place.");
    return [options](const Context& context) { return pull(*options, context); };
}

} // namespace handeye::cli
