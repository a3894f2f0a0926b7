// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/model_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {

void add_model_options(CLI::App& app, ModelOptions& options) {
    app.add_option("--adapter", options.adapters, "Folder of a PEFT LoRA adapter for the model (repeatable: they add up)")->allow_extra_args(false)->type_name("DIR");
    app.add_option("--quantize", options.quantize, "Pack a 16-bit model while it is loaded: less memory, and a longer start")->check(CLI::IsMember({"8bit", "4bit"}));
    app.add_option("--kv-cache", options.kv_cache, "Bits of cached keys and values: 8bit holds twice the context of 16bit in the same memory (default: 16bit)")
        ->check(CLI::IsMember({"16bit", "8bit", "32bit"}));
}

Result<void> put_model_options(const ModelOptions& options, const LocalCheckpoint& checkpoint, EngineOptions& engine) {
    engine.model_dir = checkpoint.path;
    engine.quantize = TRY(quantize_of(checkpoint, options.quantize));
    engine.kv_format = options.kv_cache == "8bit" ? KvFormat::Q8 : options.kv_cache == "32bit" ? KvFormat::F32 : KvFormat::F16;
    std::error_code ignored;
    for (const std::string& adapter : options.adapters) {
        if (!std::filesystem::is_directory(adapter, ignored)) {
            return Error{ErrorCode::NotFound, fmt::format("--adapter: there is no folder {}", adapter)};
        }
        engine.adapters.emplace_back(adapter);
    }
    return {};
}

} // namespace handeye::cli
