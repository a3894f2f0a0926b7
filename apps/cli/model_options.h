// SPDX-License-Identifier: Apache-2.0
// Options of commands that load a model, beside --model: adapters, and packing while loading.
#pragma once

#include "apps/models/store.h"
#include "engine/engine.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace handeye::cli {

/// What --help says of an option that names a model.
inline constexpr std::string_view kModelHelp = "Folder of a checkpoint, one .gguf file, or NAME[:FORMAT[:QUANTIZATION]] of `handeye models list`";

struct ModelOptions {
    std::vector<std::string> adapters;
    std::string quantize; ///< "", "8bit" or "4bit"
    std::string kv_cache; ///< "", "16bit", "8bit" or "32bit"
};

/// `--adapter DIR` (repeatable), `--quantize 8bit|4bit` and `--kv-cache 16bit|8bit|32bit`.
void add_model_options(CLI::App& app, ModelOptions& options);
/// Puts them and the checkpoint into the engine's. NotFound for a folder that is not there; InvalidArgument as quantize_of().
Result<void> put_model_options(const ModelOptions& options, const LocalCheckpoint& checkpoint, EngineOptions& engine);

} // namespace handeye::cli
