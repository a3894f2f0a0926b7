// SPDX-License-Identifier: Apache-2.0
// What a family is: a value of model_type, and how a checkpoint of it is opened. One file and one row of registry.cpp each.
#pragma once

#include "base/result.h"
#include "engine/models/model.h"
#include "engine/weights/weight_loader.h"

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

enum class Container { Safetensors, Gguf };

/// A checkpoint while it is being opened. GGUF metadata come as the config.json that says the same.
struct ModelSource {
    const nlohmann::json& config;
    WeightLoader& weights;
    Container container = Container::Safetensors;
};

struct Family {
    std::string_view model_type; ///< of config.json
    /// Every tensor is found, with its shape and type checked; missing ones are named. `weights` of the result is not set.
    Result<Model> (*open)(const ModelSource& source);
};

Result<Model> open_glm4v(const ModelSource& source);
Result<Model> open_glm4v_moe(const ModelSource& source);
Result<Model> open_glm4(const ModelSource& source);
Result<Model> open_glm(const ModelSource& source);
Result<Model> open_chatglm(const ModelSource& source);

} // namespace handeye
