// SPDX-License-Identifier: Apache-2.0
// How the keys of one row are shared out over blocks when there are few rows (Flash-Decoding, Dao et al. 2023), and where the partial results lie.
#pragma once

#include "engine/device/attention_tiles.h"
#include "engine/device/kv_rows.h"

namespace handeye::HANDEYE_DEVICE {

inline constexpr int kSplitsMost = 64;
inline constexpr int kPartialHead = 4;  ///< floats before a partial result's numbers: its largest score (times log2 e) and its sum

/// Keys of one split: whole pages. By the row's own keys alone, so that nothing beside it changes its sums.
__host__ __device__ inline int split_tokens(int keys) {
    constexpr int kLeast = device::kPageTokens * kSplitsMost;
    return (keys + kLeast - 1) / kLeast * device::kPageTokens;
}
__host__ __device__ inline int splits_of(int keys) { return (keys + split_tokens(keys) - 1) / split_tokens(keys); }
/// Of any row with up to so many keys.
inline int splits_up_to(int keys) { return keys < device::kPageTokens * kSplitsMost ? (keys + device::kPageTokens - 1) / device::kPageTokens : kSplitsMost; }

__device__ inline float* partial_result(const device::Attention& op, std::int64_t row, int head, int split) {
    return op.partial + ((row * op.heads + head) * kSplitsMost + split) * (op.kv.head_dim + kPartialHead);
}

/// One row of a pass among those whose keys are split.
struct FewRow {
    device::SequenceSpan span;
    int row = 0;  ///< of the span
    int keys = 0; ///< 0: there is no such row here
    std::int64_t place = 0; ///< among the partial results
};
/// Of `index` in 0 .. n_spans * (the most rows of one that count).
__device__ inline FewRow few_row(const device::Attention& op, int index) {
    const int most = op.rows_most < device::kFewAttentionRows ? op.rows_most : device::kFewAttentionRows;
    const int span_index = index / most;
    FewRow out{op.spans[span_index], index % most, 0, 0};
    if (out.row >= out.span.rows || out.span.rows > device::kFewAttentionRows) {
        return out;
    }
    out.keys = out.span.past + out.row + 1;
    for (int i = 0; i < span_index; ++i) {
        const int rows = op.spans[i].rows;
        out.place += rows <= device::kFewAttentionRows ? rows : 0;
    }
    out.place += out.row;
    return out;
}

} // namespace handeye::HANDEYE_DEVICE
