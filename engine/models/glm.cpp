// SPDX-License-Identifier: Apache-2.0
// glm-4-9b-chat and -chat-1m, in the original files (chatglm) and in the Hugging Face conversion (glm): two norms, fused gate
// and up, interleaved rotation on one axis with a large base.
#include "engine/models/family.h"
#include "engine/models/load_decoder.h"
#include "engine/models/text_config.h"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

Result<Model> open_with(const ModelSource& source, const json& config, const DecoderNames& names, std::string_view family) {
    const ConfigReader text(nullptr, &config, "config");
    const DecoderConfig decoder = TRY(read_decoder_config(text, RopeAxes::One));
    const bool tied = TRY(text.flag_or("tie_word_embeddings", false));
    Model model;
    model.family = family;
    model.default_prompt = "glm-4.1v";
    model.stop_ids = TRY(text.ids("eos_token_id"));
    model.decoder = TRY(load_decoder(source.weights, names, decoder, tied, QkvBias::AsInFile));
    return model;
}

// What the original code can switch and no published checkpoint does.
Result<void> check_switches(const ConfigReader& text) {
    constexpr std::array<std::pair<std::string_view, bool>, 6> kExpected = {
        {{"rmsnorm", true},
         {"post_layer_norm", true},
         {"original_rope", true},
         {"multi_query_attention", true},
         {"add_bias_linear", false},
         {"apply_residual_connection_post_layernorm", false}}};
    for (const auto& [key, expected] : kExpected) {
        if (const bool value = TRY(text.flag_or(key, expected)); value != expected) {
            return Error{ErrorCode::Unsupported, fmt::format("config: {} is {}, this engine knows {}", key, value, expected)};
        }
    }
    return {};
}

} // namespace

Result<Model> open_glm(const ModelSource& source) {
    return open_with(source, source.config, hub_two_norm_names(), "glm");
}

// The original keys say the same under other names; the rotary base is a multiple of 10000.
Result<Model> open_chatglm(const ModelSource& source) {
    if (source.container == Container::Gguf) {
        return open_with(source, source.config, gguf_chatglm_names(), "chatglm");
    }
    constexpr std::array<std::pair<const char*, const char*>, 8> kKeys = {{{"num_layers", "num_hidden_layers"},
                                                                           {"ffn_hidden_size", "intermediate_size"},
                                                                           {"kv_channels", "head_dim"},
                                                                           {"multi_query_group_num", "num_key_value_heads"},
                                                                           {"padded_vocab_size", "vocab_size"},
                                                                           {"layernorm_epsilon", "rms_norm_eps"},
                                                                           {"seq_length", "max_position_embeddings"},
                                                                           {"hidden_size", "hidden_size"}}};
    const ConfigReader text(nullptr, &source.config, "config");
    TRY(check_switches(text));
    json config = source.config;
    for (const auto& [from, to] : kKeys) {
        if (const json* value = text.find(from); value != nullptr) {
            config[to] = *value;
        }
    }
    config["rope_theta"] = 10000.0 * TRY(text.number_or("rope_ratio", 1.0, 1e-3, 1e8));
    return open_with(source, config, chatglm_names(), "chatglm");
}

} // namespace handeye
