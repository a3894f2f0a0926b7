// SPDX-License-Identifier: Apache-2.0
// A loaded model as plain data: numbers from the config, views of the weights. Immutable after loading; any thread may read.
#pragma once

#include "base/result.h"
#include "engine/quant/weight_matrix.h"
#include "engine/tensor/tensor.h"
#include "engine/weights/weight_loader.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

using TokenId = std::int32_t;

/// Which dimensions of a head rotate together.
enum class RopePairs { Interleaved, HalfSplit }; // (2j, 2j+1), (j, j + rotary/2)

/// A mixture of experts in place of the MLP. No experts: none.
struct ExpertsConfig {
    int count = 0;
    int used = 0;              ///< per token
    int ffn = 0;               ///< inner width of one
    int shared = 0;            ///< inner width of the shared one
    int first_layer = 0;       ///< layers before it have a plain MLP
    bool normalised = true;    ///< the chosen weights sum to 1
    float scale = 1;           ///< of their sum
};

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
    int rotary_dims = 0;                ///< of head_dim
    RopePairs rope_pairs = RopePairs::Interleaved;
    std::array<int, 3> rope_sections{}; ///< frequencies that follow the T, H and W position; sum = rotary_dims / 2
    ExpertsConfig experts;
};

/// y = down(silu(gate(x)) * up(x))
struct Mlp {
    WeightMatrix gate, up; ///< (ffn, hidden)
    WeightMatrix down;     ///< (hidden, ffn)
};

struct DecoderLayer {
    std::vector<float> input_norm;          ///< (hidden)
    std::vector<float> post_attention_norm; ///< (hidden), on the attention's output; empty: none
    std::vector<float> pre_mlp_norm;        ///< (hidden)
    std::vector<float> post_mlp_norm;       ///< (hidden), on the MLP's output; empty: none
    WeightMatrix q, k, v, o;                ///< (heads*head_dim, hidden), (kv_heads*head_dim, hidden) twice, (hidden, heads*head_dim)
    std::vector<float> q_bias, k_bias, v_bias; ///< empty: none
    Mlp mlp;                                ///< or the shared expert
    WeightMatrix router;                    ///< (experts, hidden); none: a plain MLP
    std::vector<float> router_bias;         ///< (experts), for choosing only
    std::vector<Mlp> experts;
};

struct Decoder {
    DecoderConfig config;
    WeightMatrix embed;      ///< (vocabulary, hidden)
    std::vector<DecoderLayer> layers;
    std::vector<float> norm; ///< (hidden)
    WeightMatrix head;       ///< (vocabulary, hidden)
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
    WeightMatrix qkv;                ///< (3*hidden, hidden)
    WeightMatrix proj;               ///< (hidden, hidden)
    Mlp mlp;
};

struct VisionTower {
    VisionConfig config;
    WeightMatrix patch_embed;             ///< (hidden, 3*temporal*patch*patch), as patch rows are
    std::vector<float> patch_bias;        ///< (hidden)
    std::vector<float> post_conv_norm;    ///< (hidden)
    std::vector<float> position_table;    ///< (grid_side^2, hidden)
    std::vector<VisionBlock> blocks;
    std::vector<float> post_norm;         ///< (hidden)
    WeightMatrix downsample;              ///< (out_hidden, hidden*merge*merge), inner order (channel, dy, dx)
    std::vector<float> downsample_bias;   ///< (out_hidden)
    WeightMatrix merger_proj;             ///< (out_hidden, out_hidden)
    std::vector<float> merger_norm, merger_norm_bias;
    Mlp merger;
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

/// An adapter that was applied.
struct AppliedAdapter {
    std::string name;  ///< its folder's
    int modules = 0;
    int rank_max = 0;
    std::int64_t parameters = 0;
    std::int64_t bytes = 0; ///< of its file
    std::shared_ptr<const SafetensorsFile> file; ///< what the products' views point to
};

struct Model {
    std::string family;
    std::string weight_format; ///< what most of the decoder's weights are in: "bf16", "q4_k", "gptq-4bit"
    std::int64_t parameters = 0; ///< packed weights counted one by one
    std::string default_prompt; ///< which prompts/<name>/ speaks to the family
    Checkpoint weights;        ///< owns what the views point to
    std::vector<ModuleRecord> modules; ///< what the graph reads, in the order of loading
    std::vector<std::string> unused_tensors; ///< of the checkpoint; each is a thing that the graph does not compute
    std::vector<AppliedAdapter> adapters;
    Decoder decoder;
    std::shared_ptr<const GgufFile> gguf; ///< whose metadata hold tokenizer and template; null: they are files of their own
    std::optional<VisionTower> vision;
    ImageTokens image_tokens;
    std::vector<TokenId> stop_ids;
};

/// Sees named intermediate results: "hidden_0" is the residual stream after decoder layer 0.
using Tap = std::function<void(std::string_view name, ConstMatrix values)>;

} // namespace handeye
