// SPDX-License-Identifier: Apache-2.0
// The vision tower's graph: patch rows of one image or video to embeddings in the decoder's width.
#pragma once

#include "base/result.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/model.h"
#include "engine/tensor/tensor.h"

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

struct VisionOptions {
    std::stop_token stop;
    std::function<void()> between; ///< called between two blocks, when the threads are free
    Tap tap;
};

/// patches (t*h*w, patch_floats) in merge-block order; the result is (t*h*w / merge^2, out_hidden), row-major.
/// Cancelled when a stop request was seen between blocks. InvalidArgument when patches and grid disagree.
Result<std::vector<float>> run_vision(const VisionTower& tower, ThreadPool& pool, ConstMatrix patches, VisionGrid grid,
                                      const VisionOptions& options = {});

/// One row of the position table, sampled at patch (row, col) of an h x w grid: bicubic, A = -0.75, taps clamped.
void sample_position(const VisionTower& tower, VisionGrid grid, int row, int col, std::span<float> out);

} // namespace handeye
