// SPDX-License-Identifier: Apache-2.0
// Finds the tensors of a text decoder and of a vision tower by a table of names, whatever formats they are in.
#pragma once

#include "base/result.h"
#include "engine/models/decoder_names.h"
#include "engine/models/model.h"
#include "engine/weights/weight_loader.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

enum class QkvBias { Required, AsInFile };

/// Every tensor's shape is checked; missing ones are named. `tied`: the head is the embedding.
Result<Decoder> load_decoder(WeightLoader& weights, const DecoderNames& names, const DecoderConfig& config, bool tied,
                             QkvBias bias);
/// The tower in the Hugging Face spelling, MLX's channel-last convolutions included, or in that of mmproj files.
Result<VisionTower> load_hub_vision(WeightLoader& weights, const VisionConfig& config);
Result<VisionTower> load_gguf_vision(WeightLoader& weights, const VisionConfig& config);

/// The first of `prefixes` under which `probe` is a module; NotFound names it under the first.
Result<std::string> find_prefix(const WeightLoader& weights, std::string_view probe,
                                const std::vector<std::string_view>& prefixes);

} // namespace handeye
