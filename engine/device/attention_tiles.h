// SPDX-License-Identifier: Apache-2.0
// A block's query rows of one head and the keys that they see: what attention over pages and attention over a matrix differ in, and nothing after does.
#pragma once

#include "engine/device/kv_rows.h"

namespace handeye::HANDEYE_DEVICE {

inline constexpr float kLog2e = 1.44269504088896341F; ///< exp(x) = exp2(x log2 e)

/// Query rows of one head in a block, with their keys and values: PagedRows or StridedRows.
template <class Source>
struct Tile {
    const float* q = nullptr;
    std::int64_t q_stride = 0;
    float* y = nullptr;
    std::int64_t y_stride = 0;
    int rows = 0;  ///< 0: nothing to do
    int keys = 0;  ///< that the last row sees
    bool causal = false;
    Source k, v;

    /// Keys that row `i` sees, which may be one after the last.
    __device__ int seen(int i) const {
        const int causally = keys - rows + i + 1;
        return causal && causally < keys ? causally : keys;
    }
};

/// Grid (heads, tiles of a span, spans); the tiles with the most keys first.
template <int kTileRows>
__device__ inline Tile<PagedRows> tile_of(const device::Attention& op) {
    const int head = static_cast<int>(blockIdx.x);
    const int first = static_cast<int>(gridDim.y - 1 - blockIdx.y) * kTileRows;
    const device::SequenceSpan span = op.spans[blockIdx.z];
    if (first >= span.rows || span.rows <= device::kFewAttentionRows) {
        return {};
    }
    const int kv_head = head / (op.heads / op.kv.kv_heads);
    const int rows = span.rows - first < kTileRows ? span.rows - first : kTileRows;
    const std::int64_t row = span.first_row + first;
    const std::int64_t column = static_cast<std::int64_t>(head) * op.kv.head_dim;
    return {op.q.data + row * op.q.stride + column, op.q.stride, op.y.data + row * op.y.stride + column, op.y.stride, rows, span.past + first + rows, true,
            paged_rows(op.kv, span, op.layer, 0, kv_head), paged_rows(op.kv, span, op.layer, 1, kv_head)};
}
template <int kTileRows>
dim3 grid_of(const device::Attention& op) {
    return {static_cast<unsigned>(op.heads), static_cast<unsigned>((op.rows_most + kTileRows - 1) / kTileRows), static_cast<unsigned>(op.n_spans)};
}

/// Grid (tiles of a slice, heads, slices): blocks that run at the same time read the same keys.
template <int kTileRows>
__device__ inline Tile<StridedRows> tile_of(const device::FullAttention& op) {
    const int first = static_cast<int>(blockIdx.x) * kTileRows;
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * op.head_dim;
    const std::int64_t slice = static_cast<std::int64_t>(blockIdx.z) * op.slice;
    const auto source = [&](const device::Rows& rows) {
        return StridedRows{reinterpret_cast<const std::uint8_t*>(rows.data + slice * rows.stride + column), rows.stride * static_cast<std::int64_t>(sizeof(float))};
    };
    return {op.q.data + (slice + first) * op.q.stride + column, op.q.stride, op.y.data + (slice + first) * op.y.stride + column, op.y.stride,
            op.slice - first < kTileRows ? op.slice - first : kTileRows, op.slice, false, source(op.k), source(op.v)};
}
template <int kTileRows>
dim3 grid_of(const device::FullAttention& op) {
    return {static_cast<unsigned>((op.slice + kTileRows - 1) / kTileRows), static_cast<unsigned>(op.heads), static_cast<unsigned>(op.q.rows / op.slice)};
}

} // namespace handeye::HANDEYE_DEVICE
