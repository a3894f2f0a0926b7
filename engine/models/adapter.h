// SPDX-License-Identifier: Apache-2.0
// PEFT LoRA adapters: a folder with adapter_config.json and adapter_model.safetensors.
#pragma once

#include "base/result.h"
#include "engine/models/model.h"

#include <filesystem>

namespace handeye {

/// Adds the adapter's low-rank products to the modules that its tensors name, whatever format and container the model is in; the
/// model's own weights are not touched. Ranks and scales come from the config (r, lora_alpha, use_rslora, rank_pattern,
/// alpha_pattern) and must agree with the tensors. Unsupported, each by name: modules_to_save, biases, DoRA, embeddings, convolutions,
/// methods other than LoRA, initialisations that change the base model. NotFound: a module that the model does not have.
/// On an error the model is as it was.
Result<void> apply_adapter(const std::filesystem::path& dir, Model& model);

} // namespace handeye
