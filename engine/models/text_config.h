// SPDX-License-Identifier: Apache-2.0
// The parts of config.json that families share: the decoder's numbers, the vision tower's, the ids of image tokens.
#pragma once

#include "base/result.h"
#include "engine/models/config_reader.h"
#include "engine/models/model.h"

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// One position per token, or one on each of the axes T, H and W.
enum class RopeAxes { One, Three };

/// Null when the key is absent or no object.
const nlohmann::json* object_at(const nlohmann::json& config, std::string_view key);
Result<DecoderConfig> read_decoder_config(const ConfigReader& text, RopeAxes axes);
Result<VisionConfig> read_vision_config(const ConfigReader& vision);
/// Ids that are absent are -1; an image token must be there.
Result<ImageTokens> read_image_tokens(const ConfigReader& top, int vocabulary);
/// The config of a model with a vision tower: both parts, and that they fit together.
struct TwoTowerConfig {
    DecoderConfig decoder;
    VisionConfig vision;
    ImageTokens tokens;
    std::vector<TokenId> stop_ids;
    bool tied = false;
};
Result<TwoTowerConfig> read_two_towers(const nlohmann::json& config);

} // namespace handeye
