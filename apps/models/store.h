// SPDX-License-Identifier: Apache-2.0
// Where models lie that are known by name, and how a --model becomes a path.
#pragma once

#include "apps/models/registry.h"
#include "engine/engine.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace handeye {

/// A folder with a config.json or a .gguf file, or one .gguf file.
bool is_checkpoint(const std::filesystem::path& path);

/// The command that fetches the row: "handeye models pull NAME:FORMAT:QUANTIZATION".
std::string pull_command(const ModelRow& row);

/// What loads: a folder or one .gguf file, and whether it is packed while it is loaded.
struct LocalCheckpoint {
    std::filesystem::path path;
    Quantize quantize = Quantize::None; ///< "NAME:pytorch:4-bit" is the 16-bit checkpoint, packed
};

/// With --quantize, "8bit" or "4bit" or empty, beside it. InvalidArgument where the name says the other one.
Result<Quantize> quantize_of(const LocalCheckpoint& checkpoint, std::string_view option);

/// The row's folder below `root`. NotFound with pull_command() when it is not there.
Result<LocalCheckpoint> find_local(const ModelRow& row, const std::filesystem::path& root);

/// Beside the program, or in the source tree that it was built from.
Result<LocalCheckpoint> find_bundled_model();

/// `given` is a path, which wins, the bundled model's name, or NAME[:FORMAT[:QUANTIZATION]]. A name without more finds the one kind of it that is here; with
/// none or several here it means the row that find_row() chooses. `root` empty: read_models_root(). NotFound says what to do.
Result<LocalCheckpoint> find_checkpoint(const std::string& given, const std::filesystem::path& root);

} // namespace handeye
