// SPDX-License-Identifier: Apache-2.0
#include "engine/models/glm4v.h"

#include "engine/models/config_reader.h"

#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kWidthMax = 1 << 17;
constexpr int kLayersMax = 1024;
constexpr int kHeadsMax = 4096;
constexpr int kVocabularyMax = 1 << 24;
constexpr int kContextMax = 1 << 24;

const json* object_at(const json& config, std::string_view key) {
    const auto found = config.find(key);
    return found != config.end() && found->is_object() ? &*found : nullptr;
}

// Old files say rope_theta, rope_scaling and partial_rotary_factor; new ones hold all three in rope_parameters.
Result<void> read_rope(const ConfigReader& text, DecoderConfig& c) {
    const json* parameters = text.find("rope_parameters");
    const json* scaling = parameters != nullptr ? parameters : text.find("rope_scaling");
    const json none = json::object();
    const ConfigReader rope(parameters != nullptr ? parameters : &none, nullptr, "rope_parameters");
    const ConfigReader sections(scaling != nullptr ? scaling : &none, nullptr, "rope_scaling");
    TRY(sections.expect_text("rope_type", {"default", "mrope"}));
    TRY(sections.expect_text("type", {"default", "mrope"}));
    const double outer_theta = TRY(text.number_or("rope_theta", 10000.0, 1.0, 1e12));
    c.rope_theta = TRY(rope.number_or("rope_theta", outer_theta, 1.0, 1e12));
    const double outer_factor = TRY(text.number_or("partial_rotary_factor", 0.5, 0.0, 1.0));
    const double factor = TRY(rope.number_or("partial_rotary_factor", outer_factor, 0.0, 1.0));
    c.rotary_dims = static_cast<int>(c.head_dim * factor);
    if (c.rotary_dims < 2 || c.rotary_dims % 2 != 0) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("config: {} of {} head dimensions rotate, expected an even number above 0",
                                 c.rotary_dims, c.head_dim)};
    }
    const json* list = sections.find("mrope_section");
    if (list == nullptr || !list->is_array() || list->size() != 3) {
        return sections.bad("mrope_section", "three counts");
    }
    int sum = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        if (!(*list)[axis].is_number_unsigned() || (*list)[axis].get<std::uint64_t>() > kWidthMax) {
            return sections.bad("mrope_section", "three counts");
        }
        c.rope_sections[axis] = (*list)[axis].get<int>();
        sum += c.rope_sections[axis];
    }
    if (sum != c.rotary_dims / 2) {
        return sections.bad("mrope_section", fmt::format("three counts with the sum {}", c.rotary_dims / 2));
    }
    return {};
}

Result<DecoderConfig> read_decoder(const ConfigReader& text) {
    DecoderConfig c;
    TRY(text.expect_text("hidden_act", {"silu"}));
    c.hidden = TRY(text.integer("hidden_size", 1, kWidthMax));
    c.layers = TRY(text.integer("num_hidden_layers", 1, kLayersMax));
    c.heads = TRY(text.integer("num_attention_heads", 1, kHeadsMax));
    c.kv_heads = TRY(text.integer_or("num_key_value_heads", c.heads, 1, kHeadsMax));
    if (c.heads % c.kv_heads != 0) {
        return text.bad("num_key_value_heads", fmt::format("a divisor of {} heads", c.heads));
    }
    if (text.find("head_dim") == nullptr && c.hidden % c.heads != 0) {
        return text.bad("num_attention_heads", fmt::format("a divisor of hidden_size {}", c.hidden));
    }
    c.head_dim = TRY(text.integer_or("head_dim", c.hidden / c.heads, 2, kWidthMax));
    c.ffn = TRY(text.integer("intermediate_size", 1, kWidthMax));
    c.vocabulary = TRY(text.integer("vocab_size", 1, kVocabularyMax));
    c.context_max = TRY(text.integer("max_position_embeddings", 1, kContextMax));
    c.rms_eps = static_cast<float>(TRY(text.number_or("rms_norm_eps", 1e-5, 0.0, 1.0)));
    TRY(read_rope(text, c));
    return c;
}

Result<VisionConfig> read_vision(const ConfigReader& vision) {
    VisionConfig c;
    TRY(vision.expect_text("hidden_act", {"silu"}));
    if (const bool bias = TRY(vision.flag_or("attention_bias", false)); bias) {
        return Error{ErrorCode::Unsupported, "config: vision_config.attention_bias is true, this family has none"};
    }
    c.hidden = TRY(vision.integer("hidden_size", 1, kWidthMax));
    c.depth = TRY(vision.integer("depth", 1, kLayersMax));
    c.heads = TRY(vision.integer("num_heads", 1, kHeadsMax));
    if (c.hidden % (4 * c.heads) != 0) { // two axes, two halves
        return vision.bad("num_heads", fmt::format("heads whose width is a multiple of 4, hidden_size is {}", c.hidden));
    }
    c.head_dim = c.hidden / c.heads;
    c.out_hidden = TRY(vision.integer("out_hidden_size", 1, kWidthMax));
    c.mlp = c.out_hidden; // no key of its own
    c.merger_mlp = TRY(vision.integer("intermediate_size", 1, kWidthMax));
    TRY(vision.integer_or("in_channels", 3, 3, 3));
    c.patch_size = TRY(vision.integer_or("patch_size", 14, 1, 256));
    c.temporal_patch_size = TRY(vision.integer_or("temporal_patch_size", 2, 1, 16));
    c.merge_size = TRY(vision.integer_or("spatial_merge_size", 2, 1, 16));
    const int image_size = TRY(vision.integer_or("image_size", 336, c.patch_size, 1 << 15));
    c.grid_side = image_size / c.patch_size;
    c.rms_eps = static_cast<float>(TRY(vision.number_or("rms_norm_eps", 1e-5, 0.0, 1.0)));
    if (const json* rope = vision.find("rope_parameters"); rope != nullptr) {
        const ConfigReader reader(rope, nullptr, "vision_config.rope_parameters");
        TRY(reader.expect_text("rope_type", {"default", "axial"}));
        c.rope_theta = TRY(reader.number_or("rope_theta", 10000.0, 1.0, 1e12));
    }
    return c;
}

// The published prefix first, then those of sibling releases.
Result<std::string> find_prefix(const Checkpoint& weights, std::string_view probe,
                                const std::vector<std::string_view>& prefixes) {
    for (const std::string_view prefix : prefixes) {
        if (weights.find(fmt::format("{}{}", prefix, probe)) != nullptr) {
            return std::string(prefix);
        }
    }
    return Error{ErrorCode::NotFound, fmt::format("the checkpoint lacks the tensor {}{}", prefixes.front(), probe)};
}

Result<DecoderLayer> load_layer(const Checkpoint& w, const std::string& at, const DecoderConfig& c) {
    const std::int64_t q = std::int64_t{c.heads} * c.head_dim;
    const std::int64_t kv = std::int64_t{c.kv_heads} * c.head_dim;
    DecoderLayer layer;
    layer.input_norm = TRY(w.floats(at + "input_layernorm.weight", {c.hidden}));
    layer.post_attention_norm = TRY(w.floats(at + "post_self_attn_layernorm.weight", {c.hidden}));
    layer.pre_mlp_norm = TRY(w.floats(at + "post_attention_layernorm.weight", {c.hidden})); // named after what it follows
    layer.post_mlp_norm = TRY(w.floats(at + "post_mlp_layernorm.weight", {c.hidden}));
    layer.q = TRY(w.weight(at + "self_attn.q_proj.weight", {q, c.hidden}));
    layer.k = TRY(w.weight(at + "self_attn.k_proj.weight", {kv, c.hidden}));
    layer.v = TRY(w.weight(at + "self_attn.v_proj.weight", {kv, c.hidden}));
    layer.o = TRY(w.weight(at + "self_attn.o_proj.weight", {c.hidden, q}));
    layer.q_bias = TRY(w.floats(at + "self_attn.q_proj.bias", {q}));
    layer.k_bias = TRY(w.floats(at + "self_attn.k_proj.bias", {kv}));
    layer.v_bias = TRY(w.floats(at + "self_attn.v_proj.bias", {kv}));
    layer.gate_up = TRY(w.weight(at + "mlp.gate_up_proj.weight", {2 * c.ffn, c.hidden}));
    layer.down = TRY(w.weight(at + "mlp.down_proj.weight", {c.hidden, c.ffn}));
    return layer;
}

Result<Decoder> load_decoder(const Checkpoint& w, const DecoderConfig& c, bool tied) {
    const std::string at = TRY(find_prefix(w, "embed_tokens.weight",
                                           {"model.language_model.", "model.", "language_model.model."}));
    Decoder decoder;
    decoder.config = c;
    decoder.embed = TRY(w.weight(at + "embed_tokens.weight", {c.vocabulary, c.hidden}));
    decoder.norm = TRY(w.floats(at + "norm.weight", {c.hidden}));
    decoder.head = tied ? decoder.embed : TRY(w.weight("lm_head.weight", {c.vocabulary, c.hidden}));
    for (int i = 0; i < c.layers; ++i) {
        decoder.layers.push_back(TRY(load_layer(w, fmt::format("{}layers.{}.", at, i), c)));
    }
    return decoder;
}

Result<VisionBlock> load_block(const Checkpoint& w, const std::string& at, const VisionConfig& c) {
    VisionBlock block;
    block.norm1 = TRY(w.floats(at + "norm1.weight", {c.hidden}));
    block.norm2 = TRY(w.floats(at + "norm2.weight", {c.hidden}));
    block.qkv = TRY(w.weight(at + "attn.qkv.weight", {3 * c.hidden, c.hidden}));
    block.proj = TRY(w.weight(at + "attn.proj.weight", {c.hidden, c.hidden}));
    block.gate = TRY(w.weight(at + "mlp.gate_proj.weight", {c.mlp, c.hidden}));
    block.up = TRY(w.weight(at + "mlp.up_proj.weight", {c.mlp, c.hidden}));
    block.down = TRY(w.weight(at + "mlp.down_proj.weight", {c.hidden, c.mlp}));
    return block;
}

Result<VisionTower> load_vision(const Checkpoint& w, const VisionConfig& c) {
    const std::string at = TRY(find_prefix(w, "patch_embed.proj.weight", {"model.visual.", "visual."}));
    const int out = c.out_hidden;
    const int patch = c.patch_size;
    VisionTower v;
    v.config = c;
    v.patch_embed = TRY(w.weight(at + "patch_embed.proj.weight", {c.hidden, 3, c.temporal_patch_size, patch, patch}));
    v.patch_bias = TRY(w.floats(at + "patch_embed.proj.bias", {c.hidden}));
    v.post_conv_norm = TRY(w.floats(at + "post_conv_layernorm.weight", {c.hidden}));
    v.position_table = TRY(w.floats(at + "embeddings.position_embedding.weight",
                                    {std::int64_t{c.grid_side} * c.grid_side, c.hidden}));
    for (int i = 0; i < c.depth; ++i) {
        v.blocks.push_back(TRY(load_block(w, fmt::format("{}blocks.{}.", at, i), c)));
    }
    v.post_norm = TRY(w.floats(at + "post_layernorm.weight", {c.hidden}));
    v.downsample = TRY(w.weight(at + "downsample.weight", {out, c.hidden, c.merge_size, c.merge_size}));
    v.downsample_bias = TRY(w.floats(at + "downsample.bias", {out}));
    v.merger_proj = TRY(w.weight(at + "merger.proj.weight", {out, out}));
    v.merger_norm = TRY(w.floats(at + "merger.post_projection_norm.weight", {out}));
    v.merger_norm_bias = TRY(w.floats(at + "merger.post_projection_norm.bias", {out}));
    v.merger_gate = TRY(w.weight(at + "merger.gate_proj.weight", {c.merger_mlp, out}));
    v.merger_up = TRY(w.weight(at + "merger.up_proj.weight", {c.merger_mlp, out}));
    v.merger_down = TRY(w.weight(at + "merger.down_proj.weight", {out, c.merger_mlp}));
    return v;
}

Result<ImageTokens> read_image_tokens(const ConfigReader& top, int vocabulary) {
    const int max = vocabulary - 1;
    ImageTokens ids;
    ids.image = TRY(top.integer("image_token_id", 0, max));
    ids.video = TRY(top.integer_or("video_token_id", -1, 0, max));
    ids.image_start = TRY(top.integer_or("image_start_token_id", -1, 0, max));
    ids.image_end = TRY(top.integer_or("image_end_token_id", -1, 0, max));
    ids.video_start = TRY(top.integer_or("video_start_token_id", -1, 0, max));
    ids.video_end = TRY(top.integer_or("video_end_token_id", -1, 0, max));
    return ids;
}

} // namespace

Result<Model> open_glm4v(const json& config, Checkpoint weights) {
    const json* vision_object = object_at(config, "vision_config");
    if (vision_object == nullptr) {
        return Error{ErrorCode::NotFound, "config: vision_config is absent or not an object"};
    }
    const ConfigReader top(nullptr, &config, "config");
    const ConfigReader text(object_at(config, "text_config"), &config, "text_config");
    const DecoderConfig decoder = TRY(read_decoder(text));
    const VisionConfig vision = TRY(read_vision({vision_object, nullptr, "vision_config"}));
    if (vision.out_hidden != decoder.hidden) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("config: vision_config.out_hidden_size is {}, the decoder's hidden_size is {}",
                                 vision.out_hidden, decoder.hidden)};
    }
    Model model;
    model.family = "glm4v";
    model.default_prompt = "glm-4.1v";
    model.image_tokens = TRY(read_image_tokens(top, decoder.vocabulary));
    model.stop_ids = TRY(text.ids("eos_token_id"));
    const bool tied = TRY(text.flag_or("tie_word_embeddings", false));
    model.decoder = TRY(load_decoder(weights, decoder, tied));
    model.vision = TRY(load_vision(weights, vision));
    model.weights = std::move(weights);
    return model;
}

} // namespace handeye
