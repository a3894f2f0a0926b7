// SPDX-License-Identifier: Apache-2.0
#include "engine/models/vision_tower.h"

#include "engine/kernels/ops.h"
#include "engine/tensor/buffer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

struct CubicTaps {
    std::array<int, 4> index;
    std::array<float, 4> weight;
};

CubicTaps cubic_taps(int at, int count, int side) {
    constexpr float kA = -0.75F;
    const auto near = [](float s) { return ((kA + 2) * s - (kA + 3)) * s * s + 1; };
    const auto far = [](float s) { return ((kA * s - 5 * kA) * s + 8 * kA) * s - 4 * kA; };
    // The grid_sample convention in its own order of operations, in float: half-way points fall as they do there.
    const float normalised = 2.0F * ((static_cast<float>(at) + 0.5F) / static_cast<float>(count)) - 1.0F;
    const float u = ((normalised + 1.0F) * static_cast<float>(side) - 1.0F) / 2.0F;
    const float base = std::floor(u);
    const float t = u - base;
    CubicTaps taps{.index = {}, .weight = {far(1 + t), near(t), near(1 - t), far(2 - t)}};
    for (int i = 0; i < 4; ++i) {
        taps.index[static_cast<std::size_t>(i)] = std::clamp(static_cast<int>(base) - 1 + i, 0, side - 1);
    }
    return taps;
}

// Everything one pass allocates; freed when it ends, as pictures differ in size.
struct VisionPass {
    const VisionTower& tower;
    ThreadPool& pool;
    VisionGrid grid;
    std::vector<PatchPlace> places;
    Scratch x_memory, normed_memory, qkv_memory, attended_memory, gate_memory, up_memory, cos_memory, sin_memory;
};

// x += proj(attention(RMS(x))), attention inside each temporal slice.
void attention_part(VisionPass& p, const VisionBlock& w, const kernels::RopeTable& rope, Matrix x) {
    const VisionConfig& c = p.tower.config;
    const std::int64_t slice = std::int64_t{p.grid.h} * p.grid.w;
    const Matrix normed = p.normed_memory.matrix(x.rows, c.hidden);
    kernels::rms_norm(p.pool, x, w.norm1, c.rms_eps, normed);
    const Matrix qkv = p.qkv_memory.matrix(x.rows, 3 * std::int64_t{c.hidden}); // q | k | v
    kernels::matmul(p.pool, normed, w.qkv, {}, qkv);
    kernels::rope_half_split(p.pool, qkv.cols_from(0, c.hidden), c.heads, rope);
    kernels::rope_half_split(p.pool, qkv.cols_from(c.hidden, c.hidden), c.heads, rope);
    const Matrix attended = p.attended_memory.matrix(x.rows, c.hidden);
    for (std::int64_t first = 0; first < x.rows; first += slice) {
        const Matrix part = qkv.rows_from(first, slice);
        const kernels::AttentionInput in{.q = part.cols_from(0, c.hidden),
                                         .k = reinterpret_cast<const std::byte*>(part.data + c.hidden),
                                         .v = reinterpret_cast<const std::byte*>(part.data + 2 * std::int64_t{c.hidden}),
                                         .kv_row_stride = part.stride * std::int64_t{sizeof(float)},
                                         .kv_head_stride = c.head_dim * std::int64_t{sizeof(float)},
                                         .n_keys = slice,
                                         .n_heads = c.heads,
                                         .n_kv_heads = c.heads,
                                         .head_dim = c.head_dim,
                                         .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)),
                                         .causal = false};
        kernels::attention(p.pool, {&in, 1}, attended.rows_from(first, slice));
    }
    kernels::matmul(p.pool, attended, w.proj, {}, x, kernels::Into::Add);
}

// x += down(silu(gate(n)) * up(n)), n = RMS(x)
void mlp_part(VisionPass& p, const VisionBlock& w, Matrix x) {
    const VisionConfig& c = p.tower.config;
    const Matrix normed = p.normed_memory.matrix(x.rows, c.hidden);
    kernels::rms_norm(p.pool, x, w.norm2, c.rms_eps, normed);
    const Matrix gate = p.gate_memory.matrix(x.rows, c.mlp);
    const Matrix up = p.up_memory.matrix(x.rows, c.mlp);
    kernels::matmul(p.pool, normed, w.mlp.gate, {}, gate);
    kernels::matmul(p.pool, normed, w.mlp.up, {}, up);
    kernels::silu_mul(p.pool, gate, up, gate);
    kernels::matmul(p.pool, gate, w.mlp.down, {}, x, kernels::Into::Add);
}

// x (patches, hidden) -> (patches / merge^2, out_hidden): the strided convolution as one product per block of patches.
Matrix downsample(VisionPass& p, ConstMatrix x) {
    const VisionConfig& c = p.tower.config;
    const std::int64_t taps = std::int64_t{c.merge_size} * c.merge_size;
    const Matrix blocks = p.qkv_memory.matrix(x.rows / taps, c.hidden * taps); // (channel, dy, dx), as the kernel
    for (std::int64_t i = 0; i < x.rows; ++i) {
        float* to = blocks.row(i / taps) + i % taps;
        for (std::int64_t channel = 0; channel < c.hidden; ++channel) {
            to[channel * taps] = x.row(i)[channel];
        }
    }
    const Matrix out = p.x_memory.matrix(blocks.rows, c.out_hidden);
    kernels::matmul(p.pool, blocks, p.tower.downsample, p.tower.downsample_bias, out);
    return out;
}

std::vector<float> merge(VisionPass& p, ConstMatrix x) {
    const VisionTower& w = p.tower;
    const VisionConfig& c = w.config;
    const Matrix y = p.attended_memory.matrix(x.rows, c.out_hidden);
    kernels::matmul(p.pool, x, w.merger_proj, {}, y);
    kernels::layer_norm(p.pool, y, w.merger_norm, w.merger_norm_bias, kMergerNormEps);
    kernels::gelu_erf(p.pool, y);
    const Matrix gate = p.gate_memory.matrix(x.rows, c.merger_mlp);
    const Matrix up = p.up_memory.matrix(x.rows, c.merger_mlp);
    kernels::matmul(p.pool, y, w.merger.gate, {}, gate);
    kernels::matmul(p.pool, y, w.merger.up, {}, up);
    kernels::silu_mul(p.pool, gate, up, gate);
    std::vector<float> out(static_cast<std::size_t>(x.rows * c.out_hidden));
    kernels::matmul(p.pool, gate, w.merger.down, {}, {out.data(), x.rows, c.out_hidden, c.out_hidden});
    return out;
}

} // namespace

Result<void> check_patches(const VisionConfig& c, ConstMatrix patches, VisionGrid grid) {
    const bool fits = grid.t > 0 && grid.h > 0 && grid.w > 0 && grid.h % c.merge_size == 0 &&
                      grid.w % c.merge_size == 0 && patches.cols == c.patch_floats() &&
                      patches.rows == std::int64_t{grid.t} * grid.h * grid.w;
    if (fits) {
        return {};
    }
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{} patches of {} floats do not fill a grid of {}x{}x{} patches of {} floats, merged by {}",
                             patches.rows, patches.cols, grid.t, grid.h, grid.w, c.patch_floats(), c.merge_size)};
}

std::vector<PatchPlace> patch_places(VisionGrid grid, int merge) {
    std::vector<PatchPlace> places;
    for (int t = 0; t < grid.t; ++t) {
        for (int block_row = 0; block_row < grid.h; block_row += merge) {
            for (int block_col = 0; block_col < grid.w; block_col += merge) {
                for (int i = 0; i < merge * merge; ++i) {
                    places.push_back({block_row + i / merge, block_col + i % merge});
                }
            }
        }
    }
    return places;
}

void fill_vision_rope(const VisionConfig& c, const std::vector<PatchPlace>& places, Matrix cos, Matrix sin) {
    const int quarter = c.head_dim / 4;
    for (int d = 0; d < quarter; ++d) {
        const auto frequency = static_cast<float>(std::pow(c.rope_theta, -4.0 * d / c.head_dim));
        for (std::int64_t i = 0; i < cos.rows; ++i) {
            const PatchPlace place = places[static_cast<std::size_t>(i)];
            const float row_angle = static_cast<float>(place.row) * frequency;
            const float col_angle = static_cast<float>(place.col) * frequency;
            cos.row(i)[d] = std::cos(row_angle);
            sin.row(i)[d] = std::sin(row_angle);
            cos.row(i)[quarter + d] = std::cos(col_angle);
            sin.row(i)[quarter + d] = std::sin(col_angle);
        }
    }
}

PositionTaps position_taps(const VisionConfig& c, VisionGrid grid, PatchPlace place) {
    const CubicTaps down = cubic_taps(place.row, grid.h, c.grid_side);
    const CubicTaps across = cubic_taps(place.col, grid.w, c.grid_side);
    PositionTaps taps;
    for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
            taps.rows[4 * i + j] = down.index[i] * c.grid_side + across.index[j];
            taps.weights[4 * i + j] = down.weight[i] * across.weight[j];
        }
    }
    return taps;
}

void sample_position(const VisionTower& tower, VisionGrid grid, int row, int col, std::span<float> out) {
    const PositionTaps taps = position_taps(tower.config, grid, {row, col});
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::size_t t = 0; t < taps.rows.size(); ++t) {
        const float* from = tower.position_table.data() + std::int64_t{taps.rows[t]} * tower.config.hidden;
        for (std::size_t channel = 0; channel < out.size(); ++channel) {
            out[channel] += taps.weights[t] * from[channel];
        }
    }
}

Result<std::vector<float>> run_vision(const VisionTower& tower, ThreadPool& pool, ConstMatrix patches, VisionGrid grid,
                                      const VisionOptions& options) {
    const VisionConfig& c = tower.config;
    const Tap& tap = options.tap;
    TRY(check_patches(c, patches, grid));
    VisionPass p{.tower = tower, .pool = pool, .grid = grid, .places = patch_places(grid, c.merge_size),
                 .x_memory = {}, .normed_memory = {}, .qkv_memory = {}, .attended_memory = {}, .gate_memory = {},
                 .up_memory = {}, .cos_memory = {}, .sin_memory = {}};
    const Matrix cos = p.cos_memory.matrix(patches.rows, c.head_dim / 2);
    const Matrix sin = p.sin_memory.matrix(patches.rows, c.head_dim / 2);
    fill_vision_rope(c, p.places, cos, sin);
    const Matrix x = p.x_memory.matrix(patches.rows, c.hidden);
    kernels::matmul(pool, patches, tower.patch_embed, tower.patch_bias, x);
    kernels::rms_norm(pool, x, tower.post_conv_norm, c.rms_eps, x);
    const Matrix positions = p.normed_memory.matrix(patches.rows, c.hidden);
    pool.run(patches.rows, [&](std::int64_t i, int) {
        const PatchPlace place = p.places[static_cast<std::size_t>(i)];
        sample_position(tower, grid, place.row, place.col, positions.row_span(i));
    });
    kernels::add(pool, positions, x);
    if (tap) {
        tap("vision_in", x);
    }
    for (std::size_t i = 0; i < tower.blocks.size(); ++i) {
        if (options.between && i > 0) {
            options.between();
        }
        if (options.stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped in the vision tower"};
        }
        attention_part(p, tower.blocks[i], {cos, sin}, x);
        mlp_part(p, tower.blocks[i], x);
        if (tap) {
            tap(fmt::format("vision_{}", i), x);
        }
    }
    const Matrix normed = p.normed_memory.matrix(x.rows, c.hidden);
    kernels::rms_norm(pool, x, tower.post_norm, c.rms_eps, normed);
    const Matrix merged = downsample(p, normed);
    if (tap) {
        tap("vision_downsample", merged);
    }
    return merge(p, merged);
}

} // namespace handeye
