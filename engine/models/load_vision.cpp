// SPDX-License-Identifier: Apache-2.0
// The vision tower's tensors in both spellings. Convolutions become matrices whose columns follow the patch rows.
#include "engine/models/load_decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

struct VisionNames {
    std::string_view post_conv_norm, position, block, post_norm, downsample, merger_norm;
    std::string_view norm1, norm2, qkv, proj, gate, up, down;
    std::string_view merger_proj, merger_gate, merger_up, merger_down;
};

constexpr VisionNames kHub = {.post_conv_norm = "post_conv_layernorm",
                              .position = "embeddings.position_embedding",
                              .block = "blocks.",
                              .post_norm = "post_layernorm",
                              .downsample = "downsample",
                              .merger_norm = "merger.post_projection_norm",
                              .norm1 = "norm1",
                              .norm2 = "norm2",
                              .qkv = "attn.qkv",
                              .proj = "attn.proj",
                              .gate = "mlp.gate_proj",
                              .up = "mlp.up_proj",
                              .down = "mlp.down_proj",
                              .merger_proj = "merger.proj",
                              .merger_gate = "merger.gate_proj",
                              .merger_up = "merger.up_proj",
                              .merger_down = "merger.down_proj"};

constexpr VisionNames kGguf = {.post_conv_norm = "v.norm_embd",
                               .position = "v.position_embd",
                               .block = "v.blk.",
                               .post_norm = "v.post_ln",
                               .downsample = "mm.patch_merger",
                               .merger_norm = "mm.post_norm",
                               .norm1 = "ln1",
                               .norm2 = "ln2",
                               .qkv = "attn_qkv",
                               .proj = "attn_out",
                               .gate = "ffn_gate",
                               .up = "ffn_up",
                               .down = "ffn_down",
                               .merger_proj = "mm.model.fc",
                               .merger_gate = "mm.gate",
                               .merger_up = "mm.up",
                               .merger_down = "mm.down"};

// A convolution's elements in another order: out index i takes element from(i). Small beside the model, so it is copied.
template <class From>
WeightMatrix reordered(const TensorView& view, std::int64_t rows, Contents contents, const From& from) {
    const std::size_t size = dtype_size(view.dtype);
    auto bytes = std::make_shared<std::vector<std::byte>>(view.size_bytes());
    for (std::int64_t i = 0; contents == Contents::Read && i < view.count(); ++i) {
        std::memcpy(bytes->data() + static_cast<std::size_t>(i) * size,
                    view.data + static_cast<std::size_t>(from(i)) * size, size);
    }
    TensorView copy = view;
    copy.data = bytes->data();
    WeightMatrix w = matrix_of(copy, view.count() / rows);
    w.owner = std::move(bytes);
    return w;
}

// (rows, places, channels) becomes (rows, channels, places).
WeightMatrix channels_first(const TensorView& view, std::int64_t rows, std::int64_t channels, Contents contents) {
    const std::int64_t places = view.count() / rows / channels;
    return reordered(view, rows, contents, [=](std::int64_t i) {
        const std::int64_t row = i / (channels * places);
        const std::int64_t channel = i / places % channels;
        return (row * places + i % places) * channels + channel;
    });
}

Result<WeightMatrix> load_convolution(WeightLoader& w, const std::string& name, const Shape& shape) {
    const TensorView* found = w.find(name);
    Shape channel_last = shape;
    std::rotate(channel_last.begin() + 1, channel_last.begin() + 2, channel_last.end());
    if (found != nullptr && found->shape == channel_last && channel_last != shape) {
        const TensorView view = TRY(w.tensor(name, channel_last));
        return channels_first(view, shape[0], shape[1], w.contents());
    }
    const TensorView view = TRY(w.tensor(name, shape));
    return matrix_of(view, view.count() / shape[0]);
}

// Two kernels of one frame each, in files that know no three-dimensional convolution.
Result<WeightMatrix> load_frame_kernels(WeightLoader& w, const VisionConfig& c) {
    if (c.temporal_patch_size != 2) {
        return Error{ErrorCode::Unsupported, "mmproj: only patches of two frames are known"};
    }
    const Shape shape = {c.hidden, 3, c.patch_size, c.patch_size};
    const TensorView first = TRY(w.tensor("v.patch_embd.weight", shape));
    const TensorView second = TRY(w.tensor("v.patch_embd.weight.1", shape));
    if (first.dtype != second.dtype) {
        return Error{ErrorCode::InvalidArgument, "v.patch_embd.weight and v.patch_embd.weight.1 differ in type"};
    }
    const std::size_t frame = first.size_bytes() / static_cast<std::size_t>(3 * c.hidden);
    auto bytes = std::make_shared<std::vector<std::byte>>(2 * first.size_bytes());
    for (std::size_t i = 0; w.contents() == Contents::Read && i < static_cast<std::size_t>(3 * c.hidden); ++i) { // (row, channel)
        std::memcpy(bytes->data() + 2 * i * frame, first.data + i * frame, frame);
        std::memcpy(bytes->data() + (2 * i + 1) * frame, second.data + i * frame, frame);
    }
    WeightMatrix both = matrix_of({bytes->data(), first.dtype, {c.hidden, 2 * first.count() / c.hidden}}, c.patch_floats());
    both.owner = std::move(bytes);
    return both;
}

Result<VisionBlock> load_block(WeightLoader& w, const VisionNames& names, const std::string& at, const VisionConfig& c) {
    const auto name = [&](std::string_view part) { return fmt::format("{}{}", at, part); };
    VisionBlock block;
    block.norm1 = TRY(w.floats(name(names.norm1) + ".weight", {c.hidden}));
    block.norm2 = TRY(w.floats(name(names.norm2) + ".weight", {c.hidden}));
    block.qkv = TRY(w.matrix(name(names.qkv), {.rows = 3 * std::int64_t{c.hidden}, .cols = c.hidden}));
    block.proj = TRY(w.matrix(name(names.proj), {.rows = c.hidden, .cols = c.hidden}));
    block.mlp.gate = TRY(w.matrix(name(names.gate), {.rows = c.mlp, .cols = c.hidden}));
    block.mlp.up = TRY(w.matrix(name(names.up), {.rows = c.mlp, .cols = c.hidden}));
    block.mlp.down = TRY(w.matrix(name(names.down), {.rows = c.hidden, .cols = c.mlp}));
    return block;
}

Result<std::vector<float>> load_table(WeightLoader& w, const std::string& module, const ModuleShape& shape) {
    const WeightMatrix table = TRY(w.matrix(module, shape));
    std::vector<float> values(static_cast<std::size_t>(table.count()));
    if (w.contents() == Contents::HeadersOnly) {
        return values;
    }
    decode_tile(table, {.row = 0, .rows = shape.rows, .col = 0, .cols = shape.cols, .stride = shape.cols}, values.data());
    return values;
}

Result<void> load_rest(WeightLoader& w, const VisionNames& names, const std::string& at, VisionTower& v) {
    const VisionConfig& c = v.config;
    const std::int64_t out = c.out_hidden;
    const auto name = [&](std::string_view part) { return fmt::format("{}{}", at, part); };
    v.post_conv_norm = TRY(w.floats(name(names.post_conv_norm) + ".weight", {c.hidden}));
    v.position_table = TRY(load_table(w, name(names.position), {.rows = std::int64_t{c.grid_side} * c.grid_side, .cols = c.hidden}));
    for (int i = 0; i < c.depth; ++i) {
        v.blocks.push_back(TRY(load_block(w, names, fmt::format("{}{}{}.", at, names.block, i), c)));
    }
    v.post_norm = TRY(w.floats(name(names.post_norm) + ".weight", {c.hidden}));
    v.downsample = TRY(load_convolution(w, name(names.downsample) + ".weight", {out, c.hidden, c.merge_size, c.merge_size}));
    v.downsample_bias = TRY(w.floats(name(names.downsample) + ".bias", {out}));
    v.merger_proj = TRY(w.matrix(name(names.merger_proj), {.rows = out, .cols = out}));
    v.merger_norm = TRY(w.floats(name(names.merger_norm) + ".weight", {out}));
    v.merger_norm_bias = TRY(w.floats(name(names.merger_norm) + ".bias", {out}));
    v.merger.gate = TRY(w.matrix(name(names.merger_gate), {.rows = c.merger_mlp, .cols = out}));
    v.merger.up = TRY(w.matrix(name(names.merger_up), {.rows = c.merger_mlp, .cols = out}));
    v.merger.down = TRY(w.matrix(name(names.merger_down), {.rows = out, .cols = c.merger_mlp}));
    return {};
}

} // namespace

Result<VisionTower> load_hub_vision(WeightLoader& w, const VisionConfig& c) {
    const std::string at = TRY(find_prefix(w, "patch_embed.proj", {"model.visual.", "visual.", "vision_tower."}));
    VisionTower v;
    v.config = c;
    v.patch_embed = TRY(load_convolution(w, at + "patch_embed.proj.weight",
                                         {c.hidden, 3, c.temporal_patch_size, c.patch_size, c.patch_size}));
    v.patch_bias = TRY(w.floats(at + "patch_embed.proj.bias", {c.hidden}));
    TRY(load_rest(w, kHub, at, v));
    return v;
}

Result<VisionTower> load_gguf_vision(WeightLoader& w, const VisionConfig& c) {
    VisionTower v;
    v.config = c;
    v.patch_embed = TRY(load_frame_kernels(w, c));
    v.patch_bias = TRY(w.floats("v.patch_embd.bias", {c.hidden}));
    TRY(load_rest(w, kGguf, "", v));
    return v;
}

} // namespace handeye
