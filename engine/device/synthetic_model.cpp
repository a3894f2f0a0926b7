// SPDX-License-Identifier: Apache-2.0
#include "engine/device/synthetic_model.h"

#include "engine/quant/blocks.h"
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace handeye::device {
namespace {

constexpr std::uint32_t kQ8_0 = 8, kQ4_K = 12, kQ6_K = 14; // ids in GGUF files

WeightMatrix of_shape(const WeightFormat& format, std::int64_t rows, std::int64_t cols, double bytes) {
    WeightMatrix w;
    w.format = &format;
    w.rows = w.stored_rows = rows;
    w.cols = cols;
    w.stored_bytes = static_cast<std::int64_t>(bytes);
    return w;
}

WeightMatrix bf16(std::int64_t rows, std::int64_t cols) {
    WeightMatrix w = of_shape(kPlainFormat, rows, cols, 2.0 * static_cast<double>(rows * cols));
    w.dtype = DType::BF16;
    return w;
}

WeightMatrix fp8(std::int64_t rows, std::int64_t cols) {
    WeightMatrix w = of_shape(kFp8Format, rows, cols, static_cast<double>(rows * cols) + 4.0 * static_cast<double>(rows));
    w.row_group = 1;
    w.group = cols;
    return w;
}

// compressed-tensors with BF16 scales: int8 for each output, int4 for groups of 128 inputs.
WeightMatrix whole(int bits, std::int64_t rows, std::int64_t cols) {
    const std::int64_t group = bits == 8 ? cols : 128;
    WeightMatrix w = of_shape(kCompressedTensorsFormat, rows, cols, static_cast<double>(rows * cols) * bits / 8 + 2.0 * static_cast<double>(rows * (cols / group)));
    w.bits = bits;
    w.group = group;
    w.row_group = cols / group;
    w.scales.dtype = DType::BF16;
    return w;
}

WeightMatrix blocks(std::uint32_t type, std::int64_t rows, std::int64_t cols) {
    const BlockFormat& format = *find_block_format(type);
    WeightMatrix w = of_shape(kBlocksFormat, rows, cols, static_cast<double>(rows * cols / format.elements * format.bytes));
    w.blocks = &format;
    return w;
}

/// What a file of this format holds a matrix in.
struct Formats {
    std::string_view name;
    WeightMatrix (*layer)(std::int64_t rows, std::int64_t cols);
    WeightMatrix (*more_bits)(std::int64_t rows, std::int64_t cols); ///< v and down of every other layer, as llama.cpp mixes
    WeightMatrix (*head)(std::int64_t rows, std::int64_t cols);
};
constexpr auto kInt8 = [](std::int64_t rows, std::int64_t cols) { return whole(8, rows, cols); };
constexpr auto kInt4 = [](std::int64_t rows, std::int64_t cols) { return whole(4, rows, cols); };
constexpr auto kBlocks8 = [](std::int64_t rows, std::int64_t cols) { return blocks(kQ8_0, rows, cols); };
constexpr auto kBlocks4 = [](std::int64_t rows, std::int64_t cols) { return blocks(kQ4_K, rows, cols); };
// Rows of 13,696 are no whole super-blocks: there llama.cpp takes Q8_0 for Q6_K.
constexpr auto kBlocks6 = [](std::int64_t rows, std::int64_t cols) { return blocks(cols % 256 == 0 ? kQ6_K : kQ8_0, rows, cols); };
constexpr auto kBlocks4Or5 = [](std::int64_t rows, std::int64_t cols) { return blocks(cols % 256 == 0 ? kQ4_K : 6U, rows, cols); };

const Formats kFormats[] = {
    {"bf16", bf16, bf16, bf16},          {"fp8", fp8, fp8, bf16},   {"int8", kInt8, kInt8, bf16}, {"int4", kInt4, kInt4, bf16},
    {"q8_0", kBlocks8, kBlocks8, kBlocks8}, {"q4_k_m", kBlocks4Or5, kBlocks6, kBlocks6},
};

std::vector<float> ones(int count) { return std::vector<float>(static_cast<std::size_t>(count), 1.0F); }

struct Shape {
    std::string_view name;
    std::string_view family;
    DecoderConfig decoder;
    VisionConfig vision;
};

std::vector<Shape> shapes() {
    Shape dense{.name = "GLM-4.1V-9B", .family = "glm4v",
                .decoder = {.hidden = 4096, .layers = 40, .heads = 32, .kv_heads = 2, .head_dim = 128, .ffn = 13696, .vocabulary = 151552, .context_max = 65536, .rms_eps = 1e-5F,
                            .rope_theta = 10000, .rotary_dims = 64, .rope_pairs = RopePairs::Interleaved, .rope_sections = {8, 12, 12}},
                .vision = {.hidden = 1536, .depth = 24, .heads = 12, .head_dim = 128, .mlp = 4096, .merger_mlp = 13696, .out_hidden = 4096, .grid_side = 24}};
    Shape experts = dense;
    experts.name = "GLM-4.5V";
    experts.family = "glm4v_moe";
    experts.decoder.layers = 46;
    experts.decoder.heads = 96;
    experts.decoder.kv_heads = 8;
    experts.decoder.ffn = 10944;
    experts.decoder.rope_pairs = RopePairs::HalfSplit;
    experts.decoder.experts = {.count = 128, .used = 8, .ffn = 1408, .shared = 1408, .first_layer = 1, .normalised = true, .scale = 1};
    experts.vision.merger_mlp = 10944;
    Shape tiny{.name = "tiny", .family = "glm4v",
               .decoder = {.hidden = 256, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 64, .ffn = 384, .vocabulary = 512, .context_max = 1024, .rms_eps = 1e-5F,
                           .rope_theta = 10000, .rotary_dims = 32, .rope_pairs = RopePairs::Interleaved, .rope_sections = {4, 6, 6}},
               .vision = {.hidden = 128, .depth = 2, .heads = 2, .head_dim = 64, .mlp = 256, .merger_mlp = 384, .out_hidden = 256, .grid_side = 4}};
    Shape tiny_experts = tiny;
    tiny_experts.name = "tiny-experts";
    tiny_experts.family = "glm4v_moe";
    tiny_experts.decoder.layers = 3;
    tiny_experts.decoder.rope_pairs = RopePairs::HalfSplit;
    tiny_experts.decoder.experts = {.count = 8, .used = 2, .ffn = 128, .shared = 128, .first_layer = 1, .normalised = true, .scale = 1};
    return {dense, experts, tiny, tiny_experts};
}

Mlp mlp_of(const Formats& f, int ffn, int hidden, bool more_bits) {
    return {.gate = f.layer(ffn, hidden), .up = f.layer(ffn, hidden), .down = (more_bits ? f.more_bits : f.layer)(hidden, ffn)};
}

DecoderLayer layer_of(const Formats& f, const DecoderConfig& c, int i) {
    const bool more_bits = i % 2 == 0;
    const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    DecoderLayer layer;
    layer.input_norm = layer.pre_mlp_norm = ones(c.hidden);
    if (c.experts.count == 0) {
        layer.post_attention_norm = layer.post_mlp_norm = ones(c.hidden);
    }
    layer.q = f.layer(q, c.hidden);
    layer.k = f.layer(kv, c.hidden);
    layer.v = (more_bits ? f.more_bits : f.layer)(kv, c.hidden);
    layer.o = f.layer(c.hidden, q);
    layer.q_bias = ones(q);
    layer.k_bias = layer.v_bias = ones(kv);
    const bool has_experts = c.experts.count > 0 && i >= c.experts.first_layer;
    layer.mlp = mlp_of(f, has_experts ? c.experts.shared : c.ffn, c.hidden, more_bits);
    if (has_experts) {
        layer.router = bf16(c.experts.count, c.hidden);
        layer.router_bias = ones(c.experts.count);
        for (int e = 0; e < c.experts.count; ++e) {
            layer.experts.push_back(mlp_of(f, c.experts.ffn, c.hidden, false));
        }
    }
    return layer;
}

VisionTower tower_of(const VisionConfig& config) {
    VisionTower t;
    t.config = config;
    const int h = config.hidden, m = config.mlp, out_hidden = config.out_hidden, merger_mlp = config.merger_mlp;
    t.patch_embed = bf16(h, config.patch_floats());
    t.patch_bias = t.post_conv_norm = t.post_norm = ones(h);
    t.position_table = ones(config.grid_side * config.grid_side * h);
    for (int i = 0; i < config.depth; ++i) {
        t.blocks.push_back({.norm1 = ones(h), .norm2 = ones(h), .qkv = bf16(3 * h, h), .proj = bf16(h, h), .mlp = {.gate = bf16(m, h), .up = bf16(m, h), .down = bf16(h, m)}});
    }
    t.downsample = bf16(out_hidden, 4 * h);
    t.downsample_bias = t.merger_norm = t.merger_norm_bias = ones(out_hidden);
    t.merger_proj = bf16(out_hidden, out_hidden);
    t.merger = {.gate = bf16(merger_mlp, out_hidden), .up = bf16(merger_mlp, out_hidden), .down = bf16(out_hidden, merger_mlp)};
    return t;
}

} // namespace

std::vector<std::string_view> synthetic_formats() {
    std::vector<std::string_view> names;
    std::ranges::transform(kFormats, std::back_inserter(names), &Formats::name);
    return names;
}

std::vector<std::string_view> synthetic_shapes() {
    std::vector<std::string_view> names;
    std::ranges::transform(shapes(), std::back_inserter(names), &Shape::name);
    return names;
}

Result<Model> synthetic_model(std::string_view name, std::string_view format) {
    const Formats* const f = std::ranges::find(kFormats, format, &Formats::name);
    const std::vector<Shape> all = shapes();
    const auto shape = std::ranges::find(all, name, &Shape::name);
    if (f == std::end(kFormats) || shape == all.end()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("no {} in {}: {}, in {}", name, format, fmt::join(synthetic_shapes(), ", "), fmt::join(synthetic_formats(), ", "))};
    }
    const DecoderConfig& c = shape->decoder;
    Model model;
    model.family = shape->family;
    model.weight_format = format;
    model.decoder.config = c;
    model.decoder.embed = bf16(c.vocabulary, c.hidden);
    model.decoder.norm = ones(c.hidden);
    model.decoder.head = f->head(c.vocabulary, c.hidden);
    for (int i = 0; i < c.layers; ++i) {
        model.decoder.layers.push_back(layer_of(*f, c, i));
    }
    model.vision = tower_of(shape->vision);
    return model;
}

} // namespace handeye::device
