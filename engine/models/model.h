// SPDX-License-Identifier: Apache-2.0
// A loaded model as plain data: numbers from the config, views of the weights. Immutable after loading; any thread may read.
#pragma once

#include "base/result.h"
#include "engine/tensor/tensor.h"
#include "engine/weights/checkpoint.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

using TokenId = std::int32_t;

/// The text decoder's numbers.
struct DecoderConfig {
    int hidden = 0;
    int layers = 0;
    int heads = 0;
    int kv_heads = 0;
    int head_dim = 0;
    int ffn = 0;
    int vocabulary = 0;
    int context_max = 0;
    float rms_eps = 1e-5F;
    double rope_theta = 10000;
    int rotary_dims = 0;                ///< of head_dim, pairs (2j, 2j+1)
    std::array<int, 3> rope_sections{}; ///< frequencies that follow the T, H and W position; sum = rotary_dims / 2
};

struct DecoderLayer {
    std::vector<float> input_norm;          ///< (hidden)
    std::vector<float> post_attention_norm; ///< (hidden), on the attention's output
    std::vector<float> pre_mlp_norm;        ///< (hidden)
    std::vector<float> post_mlp_norm;       ///< (hidden)
    TensorView q, k, v, o;                  ///< (heads*head_dim, hidden), (kv_heads*head_dim, hidden) twice, (hidden, heads*head_dim)
    std::vector<float> q_bias, k_bias, v_bias;
    TensorView gate_up;                     ///< (2*ffn, hidden), gate first
    TensorView down;                        ///< (hidden, ffn)
};

struct Decoder {
    DecoderConfig config;
    TensorView embed;        ///< (vocabulary, hidden)
    std::vector<DecoderLayer> layers;
    std::vector<float> norm; ///< (hidden)
    TensorView head;         ///< (vocabulary, hidden)
};

/// The vision tower's numbers.
struct VisionConfig {
    int hidden = 0;
    int depth = 0;
    int heads = 0;
    int head_dim = 0;
    int mlp = 0;          ///< inner width of the blocks' MLP (= out_hidden)
    int merger_mlp = 0;   ///< inner width of the merger
    int out_hidden = 0;   ///< the decoder's width
    int patch_size = 14;
    int temporal_patch_size = 2;
    int merge_size = 2;
    int grid_side = 0;    ///< of the stored position table
    float rms_eps = 1e-5F;
    double rope_theta = 10000;
    [[nodiscard]] int patch_floats() const { return 3 * temporal_patch_size * patch_size * patch_size; }
};

struct VisionBlock {
    std::vector<float> norm1, norm2; ///< (hidden)
    TensorView qkv;                  ///< (3*hidden, hidden)
    TensorView proj;                 ///< (hidden, hidden)
    TensorView gate, up;             ///< (mlp, hidden)
    TensorView down;                 ///< (hidden, mlp)
};

struct VisionTower {
    VisionConfig config;
    TensorView patch_embed;               ///< (hidden, 3, temporal, patch, patch)
    std::vector<float> patch_bias;        ///< (hidden)
    std::vector<float> post_conv_norm;    ///< (hidden)
    std::vector<float> position_table;    ///< (grid_side^2, hidden)
    std::vector<VisionBlock> blocks;
    std::vector<float> post_norm;         ///< (hidden)
    TensorView downsample;                ///< (out_hidden, hidden, merge, merge)
    std::vector<float> downsample_bias;   ///< (out_hidden)
    TensorView merger_proj;               ///< (out_hidden, out_hidden)
    std::vector<float> merger_norm, merger_norm_bias;
    TensorView merger_gate, merger_up;    ///< (merger_mlp, out_hidden)
    TensorView merger_down;               ///< (out_hidden, merger_mlp)
};

/// Token ids that the prompt's expansion looks for.
struct ImageTokens {
    TokenId image = -1;
    TokenId video = -1;
    TokenId image_start = -1;
    TokenId image_end = -1;
    TokenId video_start = -1;
    TokenId video_end = -1;
};

struct Model {
    std::string family;
    std::string weight_format; ///< dtype of the embedding: "bf16", "f16", "f32"
    std::string default_prompt; ///< which prompts/<name>/ speaks to the family
    Checkpoint weights;        ///< owns what the views point to
    Decoder decoder;
    std::optional<VisionTower> vision;
    ImageTokens image_tokens;
    std::vector<TokenId> stop_ids;
};

/// Sees named intermediate results: "hidden_0" is the residual stream after decoder layer 0.
using Tap = std::function<void(std::string_view name, ConstMatrix values)>;

} // namespace handeye
