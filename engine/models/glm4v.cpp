// SPDX-License-Identifier: Apache-2.0
// GLM-4.1V-9B, Thinking and Base: sandwich norms, fused gate and up, interleaved rotation on three axes.
#include "engine/models/family.h"
#include "engine/models/load_decoder.h"
#include "engine/models/text_config.h"

#include <nlohmann/json.hpp>

namespace handeye {

Result<Model> open_glm4v(const ModelSource& source) {
    const TwoTowerConfig c = TRY(read_two_towers(source.config));
    const bool is_gguf = source.container == Container::Gguf;
    Model model;
    model.family = "glm4v";
    model.default_prompt = "glm-4.1v";
    model.image_tokens = c.tokens;
    model.stop_ids = c.stop_ids;
    model.decoder = TRY(load_decoder(source.weights, is_gguf ? gguf_glm4_names() : hub_four_norm_names(), c.decoder, c.tied,
                                     QkvBias::Required));
    model.vision = TRY(is_gguf ? load_gguf_vision(source.weights, c.vision) : load_hub_vision(source.weights, c.vision));
    return model;
}

} // namespace handeye
