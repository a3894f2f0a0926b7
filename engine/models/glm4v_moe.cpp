// SPDX-License-Identifier: Apache-2.0
// GLM-4.5V: two norms, experts chosen by sigmoid scores after the first dense layers, half-split rotation on three axes.
#include "engine/models/family.h"
#include "engine/models/load_decoder.h"
#include "engine/models/text_config.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr int kExpertsMax = 1024;
constexpr int kWidthMax = 1 << 17;

Result<void> read_experts(const ConfigReader& text, DecoderConfig& c) {
    ExpertsConfig& e = c.experts;
    e.count = TRY(text.integer("n_routed_experts", 1, kExpertsMax));
    e.used = TRY(text.integer("num_experts_per_tok", 1, e.count));
    e.ffn = TRY(text.integer("moe_intermediate_size", 1, kWidthMax));
    e.shared = e.ffn * TRY(text.integer_or("n_shared_experts", 1, 1, 64));
    e.first_layer = TRY(text.integer_or("first_k_dense_replace", 0, 0, c.layers));
    e.normalised = TRY(text.flag_or("norm_topk_prob", true));
    e.scale = static_cast<float>(TRY(text.number_or("routed_scaling_factor", 1.0, 0.0, 1e6)));
    // Groups of experts, and norms on q and k, are in no checkpoint of this family.
    TRY(text.integer_or("n_group", 1, 1, 1));
    TRY(text.integer_or("topk_group", 1, 1, 1));
    if (const bool has_norm = TRY(text.flag_or("use_qk_norm", false)); has_norm) {
        return Error{ErrorCode::Unsupported, "config: text_config.use_qk_norm is true, this family has none"};
    }
    return {};
}

} // namespace

Result<Model> open_glm4v_moe(const ModelSource& source) {
    TwoTowerConfig c = TRY(read_two_towers(source.config));
    c.decoder.rope_pairs = RopePairs::HalfSplit;
    TRY(read_experts({object_at(source.config, "text_config"), &source.config, "text_config"}, c.decoder));
    const bool is_gguf = source.container == Container::Gguf;
    Model model;
    model.family = "glm4v_moe";
    model.default_prompt = "glm-4.5v";
    model.image_tokens = c.tokens;
    model.stop_ids = c.stop_ids;
    model.decoder = TRY(load_decoder(source.weights, is_gguf ? gguf_glm4moe_names() : hub_two_norm_names(), c.decoder, c.tied,
                                     QkvBias::Required));
    model.vision = TRY(is_gguf ? load_gguf_vision(source.weights, c.vision) : load_hub_vision(source.weights, c.vision));
    return model;
}

} // namespace handeye
