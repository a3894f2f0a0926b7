// SPDX-License-Identifier: Apache-2.0
#include "engine/models/text_config.h"

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

// Old files say rope_theta, rope_scaling and partial_rotary_factor; new ones hold all three in rope_parameters.
Result<void> read_sections(const ConfigReader& sections, DecoderConfig& c);

// GGUF files of models with three axes may hold q and k so that halves rotate; the metadata's reader says so.
Result<void> read_pairs(const ConfigReader& text, DecoderConfig& c) {
    TRY(text.expect_text("rope_pairs", {"interleaved", "half_split"}));
    const json* pairs = text.find("rope_pairs");
    c.rope_pairs = pairs != nullptr && *pairs == "half_split" ? RopePairs::HalfSplit : RopePairs::Interleaved;
    return {};
}

Result<void> read_rope(const ConfigReader& text, RopeAxes axes, DecoderConfig& c) {
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
    TRY(read_pairs(text, c));
    if (axes == RopeAxes::Three) {
        return read_sections(sections, c);
    }
    c.rope_sections = {c.rotary_dims / 2, 0, 0};
    return {};
}

Result<void> read_sections(const ConfigReader& sections, DecoderConfig& c) {
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

} // namespace

const json* object_at(const json& config, std::string_view key) {
    const auto found = config.find(key);
    return found != config.end() && found->is_object() ? &*found : nullptr;
}

Result<DecoderConfig> read_decoder_config(const ConfigReader& text, RopeAxes axes) {
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
    TRY(read_rope(text, axes, c));
    return c;
}

Result<VisionConfig> read_vision_config(const ConfigReader& vision) {
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

Result<TwoTowerConfig> read_two_towers(const json& config) {
    const json* vision_object = object_at(config, "vision_config");
    if (vision_object == nullptr) {
        return Error{ErrorCode::NotFound, "config: vision_config is absent or not an object"};
    }
    const ConfigReader top(nullptr, &config, "config");
    const ConfigReader text(object_at(config, "text_config"), &config, "text_config");
    TwoTowerConfig both;
    both.decoder = TRY(read_decoder_config(text, RopeAxes::Three));
    both.vision = TRY(read_vision_config({vision_object, nullptr, "vision_config"}));
    if (both.vision.out_hidden != both.decoder.hidden) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("config: vision_config.out_hidden_size is {}, the decoder's hidden_size is {}",
                                 both.vision.out_hidden, both.decoder.hidden)};
    }
    both.tokens = TRY(read_image_tokens(top, both.decoder.vocabulary));
    both.stop_ids = TRY(text.ids("eos_token_id"));
    both.tied = TRY(text.flag_or("tie_word_embeddings", false));
    return both;
}

} // namespace handeye
