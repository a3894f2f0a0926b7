// SPDX-License-Identifier: Apache-2.0
// The family of GLM-4.1V-9B: its config in both layouts, and the names of its tensors.
#pragma once

#include "base/result.h"
#include "engine/models/model.h"

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// Every tensor of the two towers is found, with its shape and dtype checked; missing ones are named.
Result<Model> open_glm4v(const nlohmann::json& config, Checkpoint weights);

} // namespace handeye
