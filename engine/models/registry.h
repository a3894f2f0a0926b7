// SPDX-License-Identifier: Apache-2.0
// Which families exist, and the one door to open any of them.
#pragma once

#include "base/result.h"
#include "engine/models/family.h"
#include "engine/models/model.h"

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

namespace handeye {

/// Every family that this build can open.
std::span<const Family> families();

using OnProgress = std::function<void(std::string_view stage, double share)>;
/// Contents::HeadersOnly: every tensor is checked and norms, biases and tables are zeros; nothing can be computed with it.
/// A folder with config.json, or a GGUF model (model_files.h). Maps the weights and checks every tensor; tensors of the files
/// that the model does not use are named in a warning.
Result<Model> open_model(const std::filesystem::path& path, const OnProgress& on_progress = {},
                         const LoadOptions& options = {});

} // namespace handeye
