// SPDX-License-Identifier: Apache-2.0
// What a device computes, as plain data: each struct is one operation, its pointers are memory of the device, borrowed until the operation has run.
// The counterpart of engine/kernels/ops.h; sums are float. Rows are tokens (or patches), columns numbers of one.
#pragma once

#include "engine/kv_format.h"

#include <cstdint>

namespace handeye::device {

/// Floats, row-major.
struct Rows {
    float* data = nullptr;
    int rows = 0;
    int cols = 0;
    std::int64_t stride = 0; ///< floats from row to row; a multiple of 4
};

inline constexpr int kChunk = 64;     ///< inputs that a lane of a product takes at once, together with the others of its warp
inline constexpr int kSumGroup = 16;  ///< inputs of one sum
inline constexpr int kPartsMost = 3;  ///< three numbers in bf16 are one float
inline constexpr int kFewRows = 16;   ///< up to here weights are read once and never unpacked to memory

/// The left side of a product: floats as `planes` numbers in bf16 whose sum they are (3: exactly; 1: rounded), in the order in which lanes take them: input
/// 64c + 16j + 4t + e (j, t, e of 0..3) stands at 64c + 16t + 4j + e. Columns up to whole chunks are zeros.
struct SplitRows {
    std::uint16_t* parts = nullptr; ///< (planes, rows_max, chunks * kChunk)
    float* sums = nullptr;          ///< (rows_max, chunks * 4): of each kSumGroup inputs in their own order, of the floats themselves
    int rows = 0;
    int rows_max = 0;
    int cols = 0;
    int chunks = 0; ///< of kChunk columns
    int planes = 0;
};

enum class Into : std::uint8_t { Overwrite, Add };

// ---- between products ----

/// split = x, or x / rms(x) * weight (float multiplications in that order), by rows; normed (or null) gets the floats themselves.
/// `inputs` (or null): split column i is column inputs[i] of x. Before a norm something may be added to x, which keeps it: `added`, or
/// added / rms(added) * added_weight.
struct Split {
    Rows x;
    const float* weight = nullptr; ///< null: x itself
    float eps = 0;                 ///< of both norms
    Rows added;                    ///< without data: nothing
    const float* added_weight = nullptr;
    SplitRows out;
    float* normed = nullptr; ///< (rows, cols)
    const std::int32_t* inputs = nullptr;
};
/// split = silu(gate) * up
struct SiluSplit {
    Rows gate, up;
    SplitRows out;
    const std::int32_t* inputs = nullptr; ///< as Split's
};
/// y = x / rms(x) * weight, or y += that. y may be x.
struct RmsNorm {
    Rows x;
    const float* weight = nullptr;
    float eps = 0;
    Rows y;
    Into into = Into::Overwrite;
};
/// x = gelu((x - mean) / std * weight + bias), the gelu with erf, by rows.
struct LayerNormGelu {
    Rows x;
    const float* weight = nullptr;
    const float* bias = nullptr;
    float eps = 0;
};
/// y += x
struct Add {
    Rows x, y;
};
/// Of pairs of a head's numbers: (2j, 2j+1) or, half_split, (j, j + pairs).
struct Rotation {
    int pairs = 0;
    bool half_split = false;
    const float* cos = nullptr; ///< (rows, pairs)
    const float* sin = nullptr;
};
/// Rotates every head of x.
struct Rope {
    Rows x; ///< (rows, heads * head_dim)
    int heads = 0;
    int head_dim = 0;
    Rotation by;
};
/// to (rows / taps, cols * taps), inner order (column, tap): the patches of a block side by side.
struct GatherBlocks {
    Rows x;
    int taps = 0;
    Rows to;
};
/// y row i += the sum over t < taps of weights[i * taps + t] * table row rows[i * taps + t], in the order of t.
struct AddWeightedRows {
    const float* table = nullptr; ///< (any, y.cols)
    const std::int32_t* rows = nullptr;
    const float* weights = nullptr;
    int taps = 0;
    Rows y;
};

// ---- pictures ----

/// RGB pixels of 8 bits, rows without padding.
struct Pixels {
    std::uint8_t* data = nullptr;
    int width = 0;
    int height = 0;
};
/// One pass of the antialiased resize, in the integers of engine/vision/resize.h. Across: `to` is as high as `from`; down: as wide.
struct ResizePixels {
    Pixels from, to;
    bool is_down = false;
    const std::int32_t* first = nullptr;   ///< (samples of `to`): where each starts to read
    const std::int16_t* weights = nullptr; ///< (samples of `to`, taps); those beyond `from` are 0
    int taps = 0;
    int precision = 0;                     ///< fraction bits of the weights
};
/// Patches of a single picture as rows, blocks of merge x merge patches side by side; columns are (channel, temporal, patch y, patch x) with the same
/// picture at each of the `temporal` times. Numbers are (byte - mean) / deviation of their channel.
struct CutPatches {
    Pixels from; ///< whole blocks
    int patch = 0;
    int temporal = 0;
    int merge = 0;
    float mean[3] = {};
    float deviation[3] = {};
    Rows to;
};

// ---- keys and values ----

inline constexpr int kPageTokens = 64;
/// Where keys and values lie: pages of kPageTokens tokens, each (layers, 2 (keys, values), kv_heads, kPageTokens) rows of row_bytes.
struct KvPages {
    std::uint8_t* pool = nullptr;
    std::int64_t page_bytes = 0;
    int layers = 0;
    int kv_heads = 0;
    int head_dim = 0;
    int row_bytes = 0; ///< of one head of one token, a multiple of 4; Q8: head_dim codes, then a half for each kKvGroup of them
    KvFormat format = KvFormat::F16;
};
/// Consecutive rows of one sequence. In device memory, an array of them.
struct SequenceSpan {
    const std::int32_t* pages = nullptr; ///< page of each kPageTokens tokens
    int first_row = 0;                   ///< of the pass
    int rows = 0;
    int past = 0;                        ///< tokens before these
};
/// k, rotated, and v (rows, kv_heads * head_dim) into their places; q (rows, heads * head_dim) is rotated, too. What does not fit a half becomes the largest
/// one. q and k are overwritten with what the rotation makes of them.
struct StoreKv {
    Rows q; ///< without data: none
    Rows k, v;
    Rotation by; ///< no pairs: as they are
    KvPages kv;
    int layer = 0;
    const SequenceSpan* spans = nullptr;
    int n_spans = 0;
};
inline constexpr int kFewAttentionRows = 8; ///< up to so many of a span: their keys are shared out over blocks, partial results added after
/// y (rows, heads * head_dim) = causal attention of each row over its sequence's tokens up to itself. Query head i reads kv head
/// i / (heads / kv_heads). A row's result does not depend on the other sequences.
struct Attention {
    Rows q;
    KvPages kv;
    int layer = 0;
    int heads = 0;
    float scale = 1;
    const SequenceSpan* spans = nullptr;      ///< device memory
    const SequenceSpan* host_spans = nullptr; ///< the same, for the launch; null: the launch is recorded for any lengths up to keys_max
    int n_spans = 0;
    int rows_most = 0;  ///< of one span
    int keys_max = 0;   ///< of one span, these rows included
    float* partial = nullptr; ///< attention_partial_floats() of the rows of all spans of up to kFewAttentionRows together
    Rows y;
    bool exact = true;  ///< scores and weights in float; else in half precision on tensor cores, for many rows
    SplitRows split;    ///< with parts: y goes there and nowhere else. Heads are whole chunks, and no span has more than kFewAttentionRows rows
};
/// y (slices * slice, heads * head_dim) = attention of each row over all rows of its slice. q, k, v are columns of one matrix; unless exact,
/// k and v are overwritten (with their numbers as halves).
struct FullAttention {
    Rows q, k, v;
    int slice = 0;
    int heads = 0;
    int head_dim = 0;
    float scale = 1;
    Rows y;
    bool exact = true;
};

// ---- a mixture of experts ----

/// Of each row's scores (rows, experts): the `used` experts with the largest sigmoid(score) + bias (the lower one of equals; not a number: the least), and
/// their weights: sigmoid(score), divided by their sum + 1e-20 when normalised, times scale. chosen and weights: (rows, used). Up to 256 experts, 32 used.
struct Route {
    Rows scores;
    const float* bias = nullptr; ///< or null
    int used = 0;
    bool normalised = true;
    float scale = 1;
    std::int32_t* chosen = nullptr;
    float* weights = nullptr;
};
/// to row i = x row rows_of[i], or rows_of null: x row i.  / y row rows_of[i] += weights[i] * x row i, one after the other: no row of y stands twice.
struct GatherRows {
    Rows x;
    const std::int32_t* rows_of = nullptr;
    Rows to;
};
struct ScatterAdd {
    Rows x;
    const std::int32_t* rows_of = nullptr;
    const float* weights = nullptr;
    Rows y;
};
/// y row r += the sum over s of weights[r * used + s] * x row r * used + s, in the order of s.
struct CombineExperts {
    Rows x; ///< (rows * used, cols)
    const float* weights = nullptr;
    int used = 0;
    Rows y; ///< (rows, cols)
};

// ---- measuring ----

/// Each 32-bit word: random bits & kept | set. The same for the same seed.
struct FillRandom {
    std::uint32_t* to = nullptr;
    std::int64_t words = 0;
    std::uint32_t kept = 0xFFFFFFFFU;
    std::uint32_t set = 0;
    std::uint32_t seed = 0;
};
/// Reads `bytes`, a multiple of 16, once; `to`: one word that is written only if all of them are zero.
struct ReadAll {
    const void* from = nullptr;
    std::int64_t bytes = 0;
    std::uint32_t* to = nullptr;
};

} // namespace handeye::device
