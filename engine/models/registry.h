// SPDX-License-Identifier: Apache-2.0
// Which families exist, and the one door to open any of them.
#pragma once

#include "base/result.h"
#include "engine/models/model.h"

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

struct Family {
    std::string_view model_type; ///< of config.json
    Result<Model> (*open)(const nlohmann::json& config, Checkpoint weights);
};

/// Every family that this build can open.
std::span<const Family> families();

using OnProgress = std::function<void(std::string_view stage, double share)>;
/// Reads config.json and generation_config.json, maps the weights, checks every tensor.
Result<Model> open_model(const std::filesystem::path& dir, const OnProgress& on_progress = {});

} // namespace handeye
