// SPDX-License-Identifier: Apache-2.0
// GLM-4-0414 and GLM-Z1: the text decoder of GLM-4.1V with one position axis. Biases on q, k and v are there or not.
#include "engine/models/family.h"
#include "engine/models/load_decoder.h"
#include "engine/models/text_config.h"

#include <nlohmann/json.hpp>

namespace handeye {

Result<Model> open_glm4(const ModelSource& source) {
    const ConfigReader text(nullptr, &source.config, "config");
    const DecoderConfig config = TRY(read_decoder_config(text, RopeAxes::One));
    const bool tied = TRY(text.flag_or("tie_word_embeddings", false));
    Model model;
    model.family = "glm4";
    model.default_prompt = "glm-4.1v";
    model.stop_ids = TRY(text.ids("eos_token_id"));
    model.decoder = TRY(load_decoder(source.weights,
                                     source.container == Container::Gguf ? gguf_glm4_names() : hub_four_norm_names(), config,
                                     tied, QkvBias::AsInFile));
    return model;
}

} // namespace handeye
