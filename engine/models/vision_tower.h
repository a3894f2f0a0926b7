// SPDX-License-Identifier: Apache-2.0
// The vision tower's graph: patch rows of one image or video to embeddings in the decoder's width.
#pragma once

#include "base/result.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/model.h"
#include "engine/tensor/tensor.h"

#include <array>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

namespace handeye {

/// The picture in patches: t slices of h rows of w columns.
struct VisionGrid {
    int t = 0;
    int h = 0;
    int w = 0;
};

inline constexpr float kMergerNormEps = 1e-5F; ///< the framework's default; the config has no key for it

struct VisionOptions {
    std::stop_token stop;
    std::function<void()> between; ///< called between two blocks, when the threads are free
    Tap tap;
};

/// patches (t*h*w, patch_floats) in merge-block order; the result is (t*h*w / merge^2, out_hidden), row-major.
/// Cancelled when a stop request was seen between blocks. InvalidArgument when patches and grid disagree.
Result<std::vector<float>> run_vision(const VisionTower& tower, ThreadPool& pool, ConstMatrix patches, VisionGrid grid,
                                      const VisionOptions& options = {});

/// InvalidArgument when patches and grid disagree.
Result<void> check_patches(const VisionConfig& config, ConstMatrix patches, VisionGrid grid);

/// Where a patch lies in its slice.
struct PatchPlace {
    int row = 0;
    int col = 0;
};
/// Of all patches in merge-block order: the patches of one block are neighbours, blocks run along the rows; the same in every slice.
std::vector<PatchPlace> patch_places(VisionGrid grid, int merge);
/// cos and sin (patches, head_dim / 2): of pair d row * f_d in the first half, col * f_(d - half) in the second, f_i = theta^(-4i / head_dim).
void fill_vision_rope(const VisionConfig& config, const std::vector<PatchPlace>& places, Matrix cos, Matrix sin);

/// The 16 rows of the position table that a patch's row is sampled from, and their weights.
struct PositionTaps {
    std::array<std::int32_t, 16> rows{};
    std::array<float, 16> weights{};
};
/// For patch (row, col) of an h x w grid: bicubic, A = -0.75, taps clamped.
PositionTaps position_taps(const VisionConfig& config, VisionGrid grid, PatchPlace place);

/// One row of the position table, sampled at patch (row, col) of an h x w grid.
void sample_position(const VisionTower& tower, VisionGrid grid, int row, int col, std::span<float> out);

} // namespace handeye
