// SPDX-License-Identifier: Apache-2.0
// Options of commands that load a model, beside --model: adapters, and packing while loading.
#pragma once

#include "apps/models/store.h"
#include "apps/remote_settings.h"
#include "engine/engine.h"

#include <memory>
#include <optional>
#include <stop_token>
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
    std::string device = "cpu";
    double gpu_memory_gb = 0;
    bool exact = false;
};

/// `--adapter DIR` (repeatable), `--quantize 8bit|4bit` `--kv-cache 16bit|8bit|32bit`, `--device cpu|cuda[:N]`, `--gpu-memory GB` and `--exact`.
void add_model_options(CLI::App& app, ModelOptions& options);
/// Puts them and the checkpoint into the engine's. NotFound for a folder that is not there; InvalidArgument as quantize_of().
Result<void> put_model_options(const ModelOptions& options, const LocalCheckpoint& checkpoint, EngineOptions& engine);

/// What --help says where a server may be named, too.
inline constexpr std::string_view kModelOrServerHelp = "http://HOST:PORT/v1[#NAME] of a server (repeatable; docs/scaling.md), folder of a checkpoint, one .gguf file, or NAME[:FORMAT[:QUANTIZATION]] of `handeye models list`";
/// nullopt: `model` names no servers. InvalidArgument for options of loading, and errors as to_remote_options().
Result<std::optional<RemoteOptions>> remote_model_options(const std::string& model, const ModelOptions& options, const RemoteSettings& settings);
/// Looks at the servers; PermissionDenied and the like as open_remote_model(), Unsupported for a model of text alone.
Result<std::unique_ptr<ChatModel>> reach_model(const RemoteOptions& options, Clock& clock, const std::stop_token& stop);

} // namespace handeye::cli
