// SPDX-License-Identifier: Apache-2.0
// Where models lie that are known by name, and how a --model becomes a path.
#pragma once

#include "apps/models/registry.h"

#include <filesystem>
#include <string>

namespace handeye {

/// A folder with a config.json or a .gguf file, or one .gguf file.
bool is_checkpoint(const std::filesystem::path& path);

/// The command that fetches the row: "handeye models pull NAME:FORMAT:QUANTIZATION".
std::string pull_command(const ModelRow& row);

/// The row's folder below `root`. NotFound with pull_command() when it is not there;
/// Unsupported for a quantisation that would have to be made while it is loaded.
Result<std::filesystem::path> find_local(const ModelRow& row, const std::filesystem::path& root);

/// `given` is a path, which wins, or NAME[:FORMAT[:QUANTIZATION]]. A name without more finds the one kind of it that is here; with
/// none or several here it means the row that find_row() chooses. `root` empty: read_models_root(). NotFound says what to do.
Result<std::filesystem::path> find_checkpoint(const std::string& given, const std::filesystem::path& root);

} // namespace handeye
