// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/model_options.h"

#include "apps/cli/command.h"
#include "remote/remote_model.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {

void add_model_options(CLI::App& app, ModelOptions& options) {
    app.add_option("--adapter", options.adapters, "Folder of a PEFT LoRA adapter for the model (repeatable: they add up)")->allow_extra_args(false)->type_name("DIR");
    app.add_option("--quantize", options.quantize, "Pack a 16-bit model while it is loaded: less memory, and a longer start")->check(CLI::IsMember({"8bit", "4bit"}));
    app.add_option("--kv-cache", options.kv_cache, "Bits of cached keys and values: 8bit holds twice the context of 16bit in the same memory (default: 16bit)")
        ->check(CLI::IsMember({"16bit", "8bit", "32bit"}));
    app.add_option("--device", options.device, "Where to compute: cpu, cuda, or cuda:N for another card than the first")->type_name("DEVICE")->capture_default_str();
    app.add_option("--gpu-memory", options.gpu_memory_gb, "Of the card, at most; layers that do not fit are computed by the processor (default: what is free)")
        ->check(CLI::Range(0.1, 4096.0))->type_name("GB");
    app.add_flag("--exact", options.exact, "On a card: prompts and pictures in 32-bit precision instead of 16 bits, several times slower");
}

Result<void> put_model_options(const ModelOptions& options, const LocalCheckpoint& checkpoint, EngineOptions& engine) {
    engine.model_dir = checkpoint.path;
    engine.quantize = TRY(quantize_of(checkpoint, options.quantize));
    engine.kv_format = options.kv_cache == "8bit" ? KvFormat::Q8 : options.kv_cache == "32bit" ? KvFormat::F32 : KvFormat::F16;
    engine.device = options.device;
    engine.gpu_memory_bytes = static_cast<std::int64_t>(options.gpu_memory_gb * 1e9);
    engine.exact = options.exact;
    std::error_code ignored;
    for (const std::string& adapter : options.adapters) {
        if (!std::filesystem::is_directory(adapter, ignored)) {
            return Error{ErrorCode::NotFound, fmt::format("--adapter: there is no folder {}", adapter)};
        }
        engine.adapters.emplace_back(adapter);
    }
    return {};
}

Result<std::optional<RemoteOptions>> remote_model_options(const std::string& model, const ModelOptions& options, const RemoteSettings& settings) {
    if (!names_servers(model)) {
        return std::optional<RemoteOptions>();
    }
    const char* const foreign = !options.adapters.empty() ? "--adapter" : !options.quantize.empty() ? "--quantize" : !options.kv_cache.empty() ? "--kv-cache" : options.device != "cpu" ? "--device" : options.gpu_memory_gb > 0 ? "--gpu-memory" : options.exact ? "--exact" : nullptr;
    if (foreign != nullptr) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is for a model that is loaded here, and {} is on a server", foreign, model)};
    }
    return std::optional(TRY(to_remote_options(model, settings)));
}

Result<std::unique_ptr<ChatModel>> reach_model(const RemoteOptions& options, Clock& clock, const std::stop_token& stop) {
    print_progress("looking at the model's servers");
    Result<std::unique_ptr<ChatModel>> model = open_remote_model(options, clock, stop);
    print_progress("");
    if (model && !(*model)->info().reads_pictures) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is a model of text alone and sees no screen", (*model)->info().name)};
    }
    return model;
}

} // namespace handeye::cli
