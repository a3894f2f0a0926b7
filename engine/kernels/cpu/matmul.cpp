// SPDX-License-Identifier: Apache-2.0
// Matrix products over checkpoint weights: packed panels for many rows, dot products at memory speed for a few.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/matmul.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/cpu/block_dot-inl.h"
#include "engine/kernels/cpu/gemm-inl.h"
#include "engine/kernels/cpu/amx.h"
#include "engine/kernels/cpu/matmul_job.h"
#include "engine/kernels/cpu/whole_gemm.h"
#include "engine/kernels/fast_paths.h"

#include "base/log.h"
#include "base/result.h"
#include "engine/quant/weight_format.h"
#include "engine/tensor/aligned_vector.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {

constexpr std::int64_t kDepthBlock = 512;  // a panel of this depth stays in the first-level cache's neighbour
constexpr std::int64_t kTileRows = 8;      // packed rows decoded at once for few rows of x: a third of the first-level cache
constexpr std::int64_t kDotCols = 4;       // rows of w and of x whose sums stay in registers
constexpr std::int64_t kDotRows = kLanes >= 16 ? 4 : 3;
constexpr std::int64_t kRowBlock = 480;    // rows of x per task: a multiple of every kRows
constexpr std::int64_t kParallelWork = 1 << 18; // weights (about 8 microseconds) below which a second thread saves nothing

inline void finish(const MatmulJob& job, std::int64_t row, std::int64_t col, float value) {
    const float sum = job.bias.empty() ? value : value + job.bias[static_cast<std::size_t>(col)];
    float& out = job.y.row(row)[col];
    out = job.into == Into::Add ? out + sum : sum;
}

// R rows of x against kDotCols rows of w: each weight is loaded once. Lanes and rows are summed in the same order for every R.
template <class T, int R>
HWY_INLINE void dot_tile(ConstMatrix x, const T* const (&w)[kDotCols], float (*sums)[kDotCols]) {
    const FloatTag d;
    const std::int64_t whole = x.cols - x.cols % kLanes;
    Vec lanes[R][kDotCols];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
        lanes[i][0] = lanes[i][1] = lanes[i][2] = lanes[i][3] = hn::Zero(d);
    }
    for (std::int64_t k = 0; k < whole; k += kLanes) {
        const Vec w0 = load_wide(d, w[0] + k);
        const Vec w1 = load_wide(d, w[1] + k);
        const Vec w2 = load_wide(d, w[2] + k);
        const Vec w3 = load_wide(d, w[3] + k);
#pragma GCC unroll 4
        for (int i = 0; i < R; ++i) {
            const Vec values = hn::LoadU(d, x.row(i) + k);
            lanes[i][0] = hn::MulAdd(values, w0, lanes[i][0]);
            lanes[i][1] = hn::MulAdd(values, w1, lanes[i][1]);
            lanes[i][2] = hn::MulAdd(values, w2, lanes[i][2]);
            lanes[i][3] = hn::MulAdd(values, w3, lanes[i][3]);
        }
    }
    for (int i = 0; i < R; ++i) {
        for (std::int64_t j = 0; j < kDotCols; ++j) {
            float sum = hn::GetLane(hn::SumOfLanes(d, lanes[i][j]));
            for (std::int64_t k = whole; k < x.cols; ++k) {
                sum += x.row(i)[k] * widen(w[j] + k);
            }
            sums[i][j] += sum;
        }
    }
}

// sums[i][j] += x_i . w_j for all rows of x and `valid` (at most kDotCols) rows of w.
template <class T>
void dot_rows(ConstMatrix x, const T* w, std::int64_t stride, std::int64_t valid, float (*sums)[kDotCols]) {
    const T* rows[kDotCols];
    for (std::int64_t j = 0; j < kDotCols; ++j) {
        rows[j] = w + std::min(j, valid - 1) * stride;
    }
    std::int64_t row = 0;
    for (; row + kDotRows <= x.rows; row += kDotRows) {
        dot_tile<T, static_cast<int>(kDotRows)>(x.rows_from(row, kDotRows), rows, sums + row);
    }
    for (; row + 2 <= x.rows; row += 2) {
        dot_tile<T, 2>(x.rows_from(row, 2), rows, sums + row);
    }
    if (row < x.rows) {
        dot_tile<T, 1>(x.rows_from(row, 1), rows, sums + row);
    }
}

// Where the product's weights come from: numbers that are read where they lie, or packed ones that are decoded in tiles.
template <class T>
struct PlainWeights {
    const T* w;
    std::int64_t depth;

    void panel(std::int64_t col, std::int64_t valid, std::int64_t k, std::int64_t step, float* out) const {
        pack_panel(w + col * depth + k, depth, valid, step, out);
    }
    void few_rows(const MatmulJob& job, std::int64_t begin, std::int64_t end) const {
        for (std::int64_t col = begin; col < end; col += kDotCols) {
            const std::int64_t valid = std::min(kDotCols, end - col);
            float sums[kFewRows][kDotCols] = {};
            dot_rows(job.x, w + col * depth, depth, valid, sums);
            for (std::int64_t i = 0; i < job.x.rows; ++i) {
                for (std::int64_t j = 0; j < valid; ++j) {
                    finish(job, i, col + j, sums[i][j]);
                }
            }
        }
    }
};

struct PackedWeights {
    const WeightMatrix& w;

    // At most kPanel or kTileRows rows of kDepthBlock weights: half the first-level cache or less.
    const float* tile(std::int64_t row, std::int64_t rows, std::int64_t k, std::int64_t step) const {
        thread_local AlignedVector<float> decoded;
        decoded.resize(static_cast<std::size_t>(std::max(kPanel, kTileRows) * kDepthBlock));
        decode_tile(w, {.row = row, .rows = rows, .col = k, .cols = step, .stride = kDepthBlock}, decoded.data());
        return decoded.data();
    }
    void panel(std::int64_t col, std::int64_t valid, std::int64_t k, std::int64_t step, float* out) const {
        pack_panel(tile(col, valid, k, step), kDepthBlock, valid, step, out);
    }
    void few_rows(const MatmulJob& job, std::int64_t begin, std::int64_t end) const {
        for (std::int64_t col = begin; col < end; col += kTileRows) {
            const std::int64_t n = std::min(kTileRows, end - col);
            float sums[kTileRows / kDotCols][kFewRows][kDotCols] = {};
            for (std::int64_t k = 0; k < w.cols; k += kDepthBlock) {
                const std::int64_t step = std::min(kDepthBlock, w.cols - k);
                const float* decoded = tile(col, n, k, step);
                for (std::int64_t j = 0; j < n; j += kDotCols) {
                    dot_rows(job.x.cols_from(k, step), decoded + j * kDepthBlock, kDepthBlock, std::min(kDotCols, n - j), sums[j / kDotCols]);
                }
            }
            for (std::int64_t i = 0; i < job.x.rows; ++i) {
                for (std::int64_t j = 0; j < n; ++j) {
                    finish(job, i, col + j, sums[j / kDotCols][i][j % kDotCols]);
                }
            }
        }
    }
};

// Packed weights whose codes are multiplied as they are, where rows are few.
struct BlockWeights {
    PackedWeights packed;
    BlockDots dots;
    WholeRows x;

    void panel(std::int64_t col, std::int64_t valid, std::int64_t k, std::int64_t step, float* out) const { packed.panel(col, valid, k, step, out); }
    void few_rows(const MatmulJob& job, std::int64_t begin, std::int64_t end) const {
        float sums[kFewRows * kTileRows];
        for (std::int64_t col = begin; col < end; col += kTileRows) {
            const std::int64_t count = std::min(kTileRows, end - col);
            dots(packed.w, x, col, count, {sums, x.rows, kTileRows, kTileRows});
            for (std::int64_t i = 0; i < x.rows; ++i) {
                for (std::int64_t j = 0; j < count; ++j) {
                    finish(job, i, col + j, sums[i * kTileRows + j]);
                }
            }
        }
    }
};

// Rows `row..row+rows` of x against the panel of columns `col..col+valid`.
template <class Weights>
void panel_block(const MatmulJob& job, const Weights& weights, std::int64_t row, std::int64_t rows, std::int64_t col,
                 std::int64_t valid) {
    thread_local AlignedVector<float> panel;
    thread_local AlignedVector<float> sums;
    const std::int64_t depth = job.x.cols;
    panel.resize(static_cast<std::size_t>(kDepthBlock * kPanel));
    sums.resize(static_cast<std::size_t>(kRowBlock * kPanel));
    for (std::int64_t k = 0; k < depth; k += kDepthBlock) {
        const std::int64_t step = std::min(kDepthBlock, depth - k);
        weights.panel(col, valid, k, step, panel.data());
        tile_rows(rows, job.x.row(row) + k, job.x.stride, panel.data(), kPanel, step, sums.data(), kPanel, k > 0);
    }
    for (std::int64_t i = 0; i < rows; ++i) {
        const float* from = sums.data() + i * kPanel;
        for (std::int64_t j = 0; j < valid; ++j) {
            finish(job, row + i, col + j, from[j]);
        }
    }
}

template <class Weights>
void matmul_with(ThreadPool& pool, const MatmulJob& job, const Weights& weights) {
    const std::int64_t n = job.y.cols;
    const std::int64_t rows = job.x.rows;
    if (rows <= kFewRows) {
        std::int64_t parts = 1;
        if (n * job.x.cols >= kParallelWork) {
            parts = std::min<std::int64_t>((n + 15) / 16, 4 * pool.size());
        }
        const std::int64_t step = ((n + parts - 1) / parts + kTileRows - 1) / kTileRows * kTileRows;
        pool.run((n + step - 1) / step,
                 [&](std::int64_t i, int) { weights.few_rows(job, i * step, std::min(n, (i + 1) * step)); });
        return;
    }
    const std::int64_t panels = (n + kPanel - 1) / kPanel;
    const std::int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
    pool.run(panels * blocks, [&](std::int64_t i, int) {
        const std::int64_t row = i / panels * kRowBlock;
        const std::int64_t col = i % panels * kPanel;
        panel_block(job, weights, row, std::min(kRowBlock, rows - row), col, std::min(kPanel, n - col));
    });
}

template <class T>
void matmul_plain(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w) {
    matmul_with(pool, job, PlainWeights<T>{reinterpret_cast<const T*>(w.codes) + w.first_row * w.cols, w.cols});
}

void matmul_here(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w) {
    const BlockDots dots = job.x.rows <= kFewRows && fast_paths().whole_numbers ? block_dots(w) : nullptr;
    if (dots != nullptr) {
        matmul_with(pool, job, BlockWeights{{w}, dots, whole_rows(job.x)});
    } else if (w.format != &kPlainFormat) {
        matmul_with(pool, job, PackedWeights{w});
    } else if (w.dtype == DType::BF16) {
        matmul_plain<hwy::bfloat16_t>(pool, job, w);
    } else if (w.dtype == DType::F16) {
        matmul_plain<hwy::float16_t>(pool, job, w);
    } else {
        matmul_plain<float>(pool, job, w);
    }
}

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::kernels {
HWY_EXPORT(matmul_here);
namespace {

FastPaths first_paths() {
    const char* const set = std::getenv("HANDEYE_FAST_PATHS");
    const std::string_view said = set == nullptr ? "" : set;
    if (!said.empty() && said != "tiles" && said != "whole-numbers" && said != "none") {
        log::error("engine", "HANDEYE_FAST_PATHS=" + std::string(said.substr(0, 80)) + " is none of tiles, whole-numbers and none: it is left out");
        return {};
    }
    return said.empty() ? FastPaths{} : FastPaths{.tiles = said == "tiles", .whole_numbers = said == "whole-numbers"};
}

FastPaths& paths() {
    static FastPaths now = first_paths();
    return now;
}

// Two narrow products beside the wide one: the packed weights stay as they are.
void add_low_rank(ThreadPool& pool, ConstMatrix x, const LowRank& low, Matrix y) {
    thread_local AlignedVector<float> memory;
    memory.resize(static_cast<std::size_t>(x.rows * low.down.rows));
    const Matrix narrow{memory.data(), x.rows, low.down.rows, low.down.rows};
    HWY_DYNAMIC_DISPATCH(matmul_here)(pool, {x, {}, narrow, Into::Overwrite}, low.down);
    for (float& value : memory) {
        value *= low.scale;
    }
    HWY_DYNAMIC_DISPATCH(matmul_here)(pool, {narrow, {}, y, Into::Add}, low.up);
}

} // namespace

FastPaths fast_paths() { return paths(); }
void set_fast_paths(FastPaths wanted) { paths() = wanted; }

void matmul(ThreadPool& pool, ConstMatrix x, const WeightMatrix& w, std::span<const float> bias, Matrix y, Into into) {
    CHECK(w.format != nullptr && w.cols == x.cols && w.rows == y.cols && y.rows == x.rows);
    CHECK(bias.empty() || static_cast<std::int64_t>(bias.size()) == y.cols);
    if (x.rows > kFewRows && fast_paths().tiles && has_amx()) {
        const CodeParts parts = code_parts(w);
        if (parts.unpack_groups != nullptr) {
            amx_groups_matmul(pool, {x, bias, y, into}, w, parts);
        } else if (parts.unpack != nullptr && fast_paths().whole_numbers) {
            amx_codes_matmul(pool, {x, bias, y, into}, w, parts);
        } else {
            amx_matmul(pool, {x, bias, y, into}, w);
        }
    } else if (x.rows > kFewRows && fast_paths().whole_numbers && takes_whole_gemm(w)) {
        whole_matmul(pool, {x, bias, y, into}, w);
    } else {
        HWY_DYNAMIC_DISPATCH(matmul_here)(pool, {x, bias, y, into}, w);
    }
    if (w.added != nullptr) {
        for (const LowRank& low : *w.added) {
            CHECK(low.down.cols == x.cols && low.up.rows == y.cols && low.up.cols == low.down.rows);
            add_low_rank(pool, x, low, y);
        }
    }
}

} // namespace handeye::kernels
#endif
