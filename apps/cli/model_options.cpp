// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/model_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {

void add_model_options(CLI::App& app, ModelOptions& options) {
    app.add_option("--adapter", options.adapters, "Folder of a PEFT LoRA adapter for the model (repeatable: they add up)")->allow_extra_args(false)->type_name("DIR");
    app.add_option("--quantize", options.quantize, "Pack a 16-bit model while it is loaded: less memory, and a longer start")->check(CLI::IsMember({"8bit", "4bit"}));
}

Result<void> put_model_options(const ModelOptions& options, const LocalCheckpoint& checkpoint, EngineOptions& engine) {
    engine.model_dir = checkpoint.path;
    engine.quantize = TRY(quantize_of(checkpoint, options.quantize));
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
