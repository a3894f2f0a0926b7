// SPDX-License-Identifier: Apache-2.0
// `handeye serve`: a model behind an OpenAI-compatible endpoint.
#include "apps/cli/command.h"
#include "apps/cli/model_options.h"
#include "apps/cli/serve_requests.h"
#include "apps/daemon_options.h"
#include "apps/models/store.h"
#include "base/log.h"
#include "base/picture_decoder.h"
#include "engine/engine_process.h"
#include "server/openai_server.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr int kPort = 8000;
constexpr int kContextMax = 1 << 30;
constexpr std::size_t kBodyBytesMax = std::size_t{2} << 30U;
constexpr double kTimeoutMax = 7 * 86400; // seconds
constexpr std::uint64_t kPictureBytesMax = 1U << 30U; // what the engine's process takes in one message

struct Options {
    std::string name;
    std::string model;
    std::optional<double> size;
    std::string format;
    std::string quantization;
    std::vector<std::string> served_names;
    std::string host = "127.0.0.1";
    int port = kPort;
    std::string api_key;
    std::string limits = "image=300,video=1";
    std::string media_folder;
    std::vector<std::string> media_hosts;
    double request_timeout_s = 0;
    std::size_t body_bytes_max = OpenAiOptions{}.body_bytes_max;
    std::uint64_t picture_bytes_max = OpenAiOptions{}.picture_bytes_max;
    int max_model_len = 0;
    int max_num_seqs = EngineOptions{}.sequences_max;
    int threads = 0;
    bool skips_checksums = false;
    std::vector<std::string> passed_over; ///< options of other servers that mean nothing here
    ModelOptions engine;
};

// What scripts for `vllm serve` say and what is either the case here anyhow or decided by the machine. What would change answers is not among them.
constexpr std::array kForeignValues{"--dtype", "--tensor-parallel-size,-t", "--pipeline-parallel-size", "--data-parallel-size", "--gpu-memory-utilization", "--max-num-batched-tokens", "--block-size", "--swap-space", "--load-format",
                                    "--tokenizer-mode", "--reasoning-parser", "--tool-call-parser", "--chat-template-content-format", "--uvicorn-log-level", "--media-io-kwargs"};
constexpr std::array kForeignFlags{"--trust-remote-code", "--enable-auto-tool-choice", "--enforce-eager", "--enable-prefix-caching", "--enable-chunked-prefill", "--enable-expert-parallel", "--disable-log-requests", "--disable-log-stats"};

void add_foreign_options(CLI::App& app, std::vector<std::string>& given) {
    constexpr const char* kGroup = "Taken from vllm serve, without effect here";
    for (const std::string names : kForeignValues) {
        app.add_option_function<std::string>(names, [&given, names](const std::string& value) { given.push_back(names.substr(0, names.find(',')) + " " + value); }, "")->group(kGroup);
    }
    for (const std::string name : kForeignFlags) {
        app.add_flag_callback(name, [&given, name] { given.push_back(name); }, "")->group(kGroup);
    }
}

struct Found {
    LocalCheckpoint checkpoint;
    std::string name; ///< that clients know it by
};

/// The options that choose among the rows of a name, as they were given; empty: none was.
std::string choosing(const Options& options) {
    return options.size                    ? fmt::format("--size-in-billions {}", billions_text(*options.size))
           : !options.format.empty()       ? "--model-format " + options.format
           : !options.quantization.empty() ? "--quantization " + options.quantization
                                           : "";
}

Result<Found> find_served(const Options& options) {
    const std::string given = wanted_model(options.model.empty() ? options.name : options.model);
    const std::string chosen = choosing(options);
    if (chosen.empty()) {
        LocalCheckpoint checkpoint = TRY(find_model(given));
        return Found{std::move(checkpoint), given.empty() ? std::string(kBundledModel) : given};
    }
    if (given.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{0} chooses among the rows of a model, and no NAME was given; `handeye models list` shows them: handeye serve glm-4.1v-thinking {0}", chosen)};
    }
    if (is_checkpoint(given)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} chooses among the rows of a NAME; {} is a checkpoint and is served as it is: leave the option out", chosen, given)};
    }
    WantedModel wanted = TRY(parse_wanted(given));
    wanted.size_in_billions = options.size;
    wanted.format = options.format.empty() ? wanted.format : options.format;
    wanted.quantization = options.quantization.empty() ? wanted.quantization : options.quantization;
    const Registry registry = TRY(load_registry());
    const ModelRow row = TRY(find_row(registry, wanted));
    const std::filesystem::path root = TRY(read_models_root());
    return Found{TRY(find_local(row, root)), row.model->name};
}

Result<OpenAiOptions> endpoint_options(const Options& options, const Found& found) {
    OpenAiOptions out{.listen = {.host = options.host, .port = static_cast<std::uint16_t>(options.port)}, .api_key = options.api_key, .names = options.served_names};
    if (const char* const key = std::getenv("HANDEYE_API_KEY"); out.api_key.empty() && key != nullptr) {
        out.api_key = key;
    }
    if (out.names.empty()) {
        out.names.push_back(found.name);
    }
    out.body_bytes_max = options.body_bytes_max;
    out.picture_bytes_max = options.picture_bytes_max;
    const MediaCounts counts = TRY(read_media_counts(options.limits));
    out.images_max = counts.images;
    out.videos_max = counts.videos;
    out.open_media = TRY(media_opener(options.media_folder, options.media_hosts));
    out.grammars = answer_grammars();
    if (options.request_timeout_s > 0) {
        out.request_timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.request_timeout_s));
    }
    out.answers_max = static_cast<std::size_t>(options.max_num_seqs);
    std::error_code problem;
    const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path();
    out.decode_picture = [decoder = std::make_shared<PictureDecoder>(here / "handeye-decoder")](std::span<const std::uint8_t> bytes, const std::stop_token& stop) {
        return decoder->decode(bytes, stop);
    };
    if (counts.videos > 0) {
        out.decode_video = video_decoder(here / "handeye-video");
    }
    return out;
}

/// What the engine's supervisor says, to the server as long as that is there: it ends first, as it asks the engine.
class Link {
public:
    explicit Link(OpenAiServer& server) : server_(&server) {}
    void set_model(ChatModel& model) {
        const std::lock_guard lock(mutex_);
        model_ = &model;
        server_->set_model(model);
    }
    void set_loading(const std::string& stage) {
        const std::lock_guard lock(mutex_);
        if (server_ != nullptr) {
            server_->set_loading(stage);
        }
    }
    void hear(const EngineEvent& event) {
        log::warn("serve", event.message);
        const std::lock_guard lock(mutex_);
        if (server_ != nullptr && event.kind == EngineEvent::Kind::Lost) {
            server_->set_loading("starting again: " + event.message);
        } else if (server_ != nullptr && model_ != nullptr) {
            server_->set_model(*model_);
        }
    }
    void forget_server() {
        const std::lock_guard lock(mutex_);
        server_ = nullptr;
    }

private:
    std::mutex mutex_;
    OpenAiServer* server_;
    ChatModel* model_ = nullptr;
};

Result<EngineProcessOptions> engine_options(const Options& options, const Found& found, const std::shared_ptr<Link>& link) {
    EngineProcessOptions out;
    out.engine = {.threads = options.threads, .context_tokens = options.max_model_len, .checksums = options.skips_checksums ? Checksums::Skip : Checksums::Verify};
    out.engine.sequences_max = options.max_num_seqs;
    TRY(put_model_options(options.engine, found.checkpoint, out.engine));
    out.engine.on_progress = [link](std::string_view stage, double share) {
        const std::string text = fmt::format("{} {:.0f} %", stage, share * 100);
        link->set_loading(text);
        print_progress(text);
    };
    out.on_event = [link](const EngineEvent& event) { link->hear(event); };
    return out;
}

void say_ready(const Context& context, const OpenAiServer& server, const Options& options, const OpenAiOptions& endpoint, const ModelInfo& info) {
    const Endpoint at{.host = options.host, .port = server.port()};
    const std::string url = fmt::format("http://{}/v1", to_string(at));
    print_progress("");
    if (context.json) {
        print_json({{"url", url}, {"model", endpoint.names.front()}, {"weight_format", info.weight_format}, {"context_tokens_max", info.context_tokens_max}});
    } else {
        print(fmt::format("{} ({}, {}, {} tokens of context) at {}", endpoint.names.front(), info.family, info.weight_format, info.context_tokens_max, url));
    }
}

Result<int> serve(const Options& options, const Context& context) {
    if (!options.name.empty() && !options.model.empty()) {
        return Error{ErrorCode::InvalidArgument, "say NAME or --model, not both"};
    }
    for (const std::string& option : options.passed_over) {
        log::info("serve", option + " changes nothing here");
    }
    const Found found = TRY(find_served(options));
    const OpenAiOptions endpoint = TRY(endpoint_options(options, found));
    std::unique_ptr<OpenAiServer> server = TRY(OpenAiServer::start(endpoint)); // before the load of minutes: a port that is taken is told at once
    const auto link = std::make_shared<Link>(*server);
    link->set_loading("starting");
    EngineProcessOptions wanted = TRY(engine_options(options, found, link));
    const std::unique_ptr<EngineProcess> engine = TRY(open_engine_process(std::move(wanted)));
    link->set_model(*engine);
    say_ready(context, *server, options, endpoint, engine->info());
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait(lock, context.stop, [] { return false; });
    link->forget_server();
    server.reset(); // before the engine, which it asks
    return 0;
}

} // namespace

Runner declare_serve(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("NAME", options->name, "NAME[:FORMAT[:QUANTIZATION]] of `handeye models list`, or a checkpoint (default: $HANDEYE_MODEL, else nano, the bundled model)");
    app.add_option("--model", options->model, "The same, as an option");
    app.add_option("--size-in-billions", options->size, "Where a name comes in several sizes");
    app.add_option("--model-format", options->format, "pytorch, awq, gptq, fp8, mlx or gguf");
    app.add_option("--quantization", options->quantization, "One of those that `handeye models list` shows");
    app.add_option("--served-model-name", options->served_names, "What clients call it (default: NAME)");
    app.add_option("--host", options->host, "Numeric address to listen on; beyond this machine only with a key")->capture_default_str();
    app.add_option("--port", options->port, "0: any")->capture_default_str()->check(CLI::Range(0, 65535));
    app.add_option("--api-key", options->api_key, "What clients must show (default: $HANDEYE_API_KEY, which other users do not see; else nobody is asked)");
    app.add_option("--max-model-len", options->max_model_len, "Tokens of context that memory is taken for (default: what the model says, or less where memory is short)")->check(CLI::Range(1, kContextMax));
    app.add_option("--max-num-seqs", options->max_num_seqs, "Requests that are answered at a time; 64 more may wait")->check(CLI::Range(1, 16))->capture_default_str();
    app.add_option("--limit-mm-per-prompt", options->limits, "Pictures and videos in one request: image=N,video=M, or the same as JSON")->capture_default_str();
    app.add_option("--allowed-local-media-path", options->media_folder, "Requests may name pictures below this folder, by path or file:// URL (default: none)");
    app.add_option("--allowed-media-domains", options->media_hosts, "Requests may name pictures at http:// and https:// URLs of these hosts; again for each (default: none)");
    app.add_option("--request-timeout", options->request_timeout_s, "Seconds until an answer ends with what there is, waiting included; 0: never")->check(CLI::Range(0.0, kTimeoutMax))->capture_default_str();
    app.add_option("--max-body-bytes", options->body_bytes_max, "Of one request")->capture_default_str()->check(CLI::Range(std::size_t{1024}, kBodyBytesMax));
    app.add_option("--max-picture-bytes", options->picture_bytes_max, "Of the pictures of one request together, decoded (3 a pixel)")->capture_default_str()->check(CLI::Range(std::uint64_t{1024}, kPictureBytesMax));
    app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
    add_checksums_option(app, options->skips_checksums);
    add_model_options(app, options->engine);
    add_foreign_options(app, options->passed_over);
    app.footer("Example: handeye serve glm-4.1v-thinking --model-format gptq --port 8000\n"
               "         curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\\n"
               "             -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'\n"
               "What it answers and what not: docs/serve.md. Ctrl-C ends it.");
    return [options](const Context& context) { return serve(*options, context); };
}

} // namespace handeye::cli
