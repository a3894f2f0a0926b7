// SPDX-License-Identifier: Apache-2.0
#include "engine/device/device_vision.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

namespace handeye::device {
namespace {

int patches_in(VisionGrid grid) { return grid.t * grid.h * grid.w; }

void visit_linears(const VisionTower& tower, const std::function<void(const WeightMatrix&)>& see) {
    const auto mlp = [&](const Mlp& w) { see(w.gate), see(w.up), see(w.down); };
    see(tower.patch_embed);
    for (const VisionBlock& block : tower.blocks) {
        see(block.qkv), see(block.proj);
        mlp(block.mlp);
    }
    see(tower.downsample), see(tower.merger_proj);
    mlp(tower.merger);
}

} // namespace

DeviceVision::Buffers DeviceVision::carve(Carver& carver, const Device& device, const VisionTower& tower, VisionGrid grid, Precision precision) {
    const VisionConfig& c = tower.config;
    const int patches = patches_in(grid), taps = c.merge_size * c.merge_size, merged = patches / taps;
    const auto matrix = [&](int rows, int cols) { return rows_of(carver.take<float>(std::int64_t{rows} * cols), rows, cols); };
    Buffers b;
    b.patches = matrix(patches, c.patch_floats());
    b.after_patches = carver.take<std::byte>(0);
    b.x = matrix(patches, c.hidden);
    b.qkv = matrix(patches, 3 * c.hidden);
    b.attended = matrix(patches, c.hidden);
    const std::int64_t inner = std::max(std::int64_t{patches} * c.mlp, std::int64_t{merged} * c.merger_mlp);
    b.gate = rows_of(carver.take<float>(inner), patches, c.mlp);
    b.up = rows_of(carver.take<float>(inner), patches, c.mlp);
    b.blocks = matrix(merged, c.hidden * taps);
    b.merged = matrix(merged, c.out_hidden);
    b.y = matrix(merged, c.out_hidden);
    b.out = matrix(merged, c.out_hidden);
    b.cos = carver.take<float>(std::int64_t{patches} * c.head_dim / 2);
    b.sin = carver.take<float>(std::int64_t{patches} * c.head_dim / 2);
    b.tap_rows = carver.take<std::int32_t>(std::int64_t{patches} * 16);
    b.tap_weights = carver.take<float>(std::int64_t{patches} * 16);
    ProductSizes sizes(precision);
    sizes.left(patches, std::max(c.patch_floats(), c.hidden));
    sizes.left(merged, std::max(c.hidden * taps, c.out_hidden));
    sizes.inner(patches, c.mlp);
    sizes.inner(merged, c.merger_mlp);
    visit_linears(tower, [&](const WeightMatrix& w) { sizes.matrix(w, patches); });
    b.products = sizes.carve(carver, uses_library(device, precision));
    return b;
}

std::int64_t DeviceVision::space_bytes(const Device& device, const VisionTower& tower, VisionGrid grid, Precision precision) {
    Carver counting;
    carve(counting, device, tower, grid, precision);
    return static_cast<std::int64_t>(counting.used());
}

Result<DeviceVision::Buffers> DeviceVision::hold(VisionGrid grid, std::size_t picture_bytes) {
    Carver cutting;
    cutting.take<float>(std::int64_t{patches_in(grid)} * tower_.config.patch_floats());
    cutting.take<std::byte>(static_cast<std::int64_t>(picture_bytes));
    const std::size_t needed = std::max(static_cast<std::size_t>(space_bytes(device_, tower_, grid, precision_)), cutting.used());
    if (needed > memory_.size_bytes()) {
        memory_ = {};
        memory_ = TRY(DeviceMemory::allocate(device_, needed).with_context("the vision tower's memory for one picture"));
    }
    Carver carver(memory_.bytes());
    return carve(carver, device_, tower_, grid, precision_);
}

void DeviceVision::upload_places(const Buffers& b, VisionGrid grid) {
    const VisionConfig& c = tower_.config;
    const std::vector<PatchPlace> places = patch_places(grid, c.merge_size);
    std::vector<float> cos(places.size() * static_cast<std::size_t>(c.head_dim / 2)), sin(cos.size());
    const auto count = static_cast<std::int64_t>(places.size());
    fill_vision_rope(c, places, {cos.data(), count, c.head_dim / 2, c.head_dim / 2}, {sin.data(), count, c.head_dim / 2, c.head_dim / 2});
    std::vector<std::int32_t> rows;
    std::vector<float> weights;
    for (const PatchPlace place : places) {
        const PositionTaps taps = position_taps(c, grid, place);
        rows.insert(rows.end(), taps.rows.begin(), taps.rows.end());
        weights.insert(weights.end(), taps.weights.begin(), taps.weights.end());
    }
    device_.upload(b.cos, cos.data(), cos.size() * sizeof(float));
    device_.upload(b.sin, sin.data(), sin.size() * sizeof(float));
    device_.upload(b.tap_rows, rows.data(), rows.size() * sizeof(std::int32_t));
    device_.upload(b.tap_weights, weights.data(), weights.size() * sizeof(float));
}

// x += proj(attention(norm(x))), attention inside each temporal slice; x += mlp(norm(x))
void DeviceVision::block(Graph& g, const Buffers& b, const VisionBlockWeights& w, VisionGrid grid) {
    const VisionConfig& c = tower_.config;
    g.product({.x = b.x, .norm_weight = w.norm1, .eps = c.rms_eps}, w.qkv, b.qkv);
    const Rows q = columns(b.qkv, 0, c.hidden), k = columns(b.qkv, c.hidden, c.hidden), v = columns(b.qkv, 2 * c.hidden, c.hidden);
    g.run(Rope{.x = columns(b.qkv, 0, 2 * c.hidden), .heads = 2 * c.heads, .head_dim = c.head_dim, .by = {.pairs = c.head_dim / 2, .half_split = true, .cos = b.cos, .sin = b.sin}});
    g.run(FullAttention{.q = q, .k = k, .v = v, .slice = grid.h * grid.w, .heads = c.heads, .head_dim = c.head_dim,
                        .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)), .y = b.attended, .exact = precision_.exact});
    g.product({.x = b.attended}, w.proj, b.x, Into::Add);
    Left normed{.x = b.x, .norm_weight = w.norm2, .eps = c.rms_eps};
    g.mlp(normed, w.mlp, b.gate, b.up, b.x, Into::Add);
}

void DeviceVision::merge(Graph& g, const Buffers& b) {
    const VisionConfig& c = tower_.config;
    const Rows y = b.y;
    g.product({.x = b.merged}, weights_.merger_proj, y);
    g.run(LayerNormGelu{.x = y, .weight = weights_.merger_norm, .bias = weights_.merger_norm_bias, .eps = kMergerNormEps});
    const Rows gate = rows_of(b.gate.data, y.rows, c.merger_mlp), up = rows_of(b.up.data, y.rows, c.merger_mlp);
    Left left{.x = y};
    g.mlp(left, weights_.merger, gate, up, b.out, Into::Overwrite);
}

Result<std::vector<float>> DeviceVision::run(ConstMatrix patches, VisionGrid grid, const VisionOptions& options) {
    TRY(check_patches(tower_.config, patches, grid));
    const Buffers b = TRY(hold(grid, 0));
    CHECK(patches.stride == patches.cols);
    device_.upload(b.patches.data, patches.data, static_cast<std::size_t>(patches.rows * patches.cols) * sizeof(float));
    return compute(b, grid, options);
}

Result<std::vector<float>> DeviceVision::run_picture(const PictureCut& picture, const VisionOptions& options, const std::function<void()>& on_patches) {
    const VisionGrid grid{picture.grid().t, picture.grid().h, picture.grid().w};
    TRY(check_patches(tower_.config, {nullptr, patches_in(grid), picture.patch_floats(), picture.patch_floats()}, grid));
    const Buffers b = TRY(hold(grid, picture.space_bytes()));
    picture.cut(device_, b.after_patches, b.patches);
    TRY(device_.finish()); // for the caller's clock
    on_patches();
    return compute(b, grid, options);
}

Result<std::vector<float>> DeviceVision::compute(const Buffers& b, VisionGrid grid, const VisionOptions& options) {
    const VisionConfig& c = tower_.config;
    Graph g(device_, precision_, b.products);
    upload_places(b, grid);
    std::vector<float> seen;
    const auto show = [&](const std::string& name, Rows rows) -> Result<void> {
        if (options.tap) {
            seen.resize(static_cast<std::size_t>(rows.rows) * static_cast<std::size_t>(rows.cols));
            TRY(device_.download(seen.data(), rows.data, seen.size() * sizeof(float)));
            options.tap(name, {seen.data(), rows.rows, rows.cols, rows.cols});
        }
        return {};
    };
    g.product({.x = b.patches}, weights_.patch_embed, b.x);
    g.run(RmsNorm{.x = b.x, .weight = weights_.post_conv_norm, .eps = c.rms_eps, .y = b.x, .into = Into::Overwrite});
    g.run(AddWeightedRows{.table = weights_.position_table, .rows = b.tap_rows, .weights = b.tap_weights, .taps = 16, .y = b.x});
    TRY(show("vision_in", b.x));
    for (std::size_t i = 0; i < weights_.blocks.size(); ++i) {
        if (options.between && i > 0) {
            options.between();
        }
        if (options.stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped in the vision tower"};
        }
        block(g, b, weights_.blocks[i], grid);
        TRY(show(fmt::format("vision_{}", i), b.x));
    }
    g.run(RmsNorm{.x = b.x, .weight = weights_.post_norm, .eps = c.rms_eps, .y = b.attended, .into = Into::Overwrite});
    g.run(GatherBlocks{.x = b.attended, .taps = c.merge_size * c.merge_size, .to = b.blocks});
    g.product({.x = b.blocks}, weights_.downsample, b.merged);
    TRY(show("vision_downsample", b.merged));
    merge(g, b);
    std::vector<float> out(static_cast<std::size_t>(b.out.rows) * static_cast<std::size_t>(b.out.cols));
    TRY(device_.download(out.data(), b.out.data, out.size() * sizeof(float)));
    return out;
}

} // namespace handeye::device
