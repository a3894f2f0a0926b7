// SPDX-License-Identifier: Apache-2.0
// Matrix products over checkpoint weights: packed panels for many rows, dot products at memory speed for a few.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/matmul.cpp"
#include "engine/kernels/cpu/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/cpu/gemm-inl.h"
#include "engine/kernels/cpu/matmul_job.h"

#include "base/result.h"

#include <algorithm>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {

constexpr std::int64_t kFewRows = 6;       // up to here the weights are read once and never packed
constexpr std::int64_t kDepthBlock = 512;  // a panel of this depth stays in the first-level cache's neighbour
constexpr std::int64_t kRowBlock = 480;    // rows of x per task: a multiple of every kRows
constexpr std::int64_t kParallelWork = 1 << 18; // weights (about 8 microseconds) below which a second thread saves nothing

inline void finish(const MatmulJob& job, std::int64_t row, std::int64_t col, float value) {
    const float sum = job.bias.empty() ? value : value + job.bias[static_cast<std::size_t>(col)];
    float& out = job.y.row(row)[col];
    out = job.into == Into::Add ? out + sum : sum;
}

// R rows of x against 4 rows of w at a time: each weight is loaded once.
template <class T, int R>
void dot_rows(const MatmulJob& job, const T* w, std::int64_t row, std::int64_t begin, std::int64_t end) {
    const FloatTag d;
    const std::int64_t depth = job.x.cols;
    const std::int64_t whole = depth - depth % kLanes;
    std::int64_t col = begin;
    for (; col < end; col += 4) {
        const std::int64_t n = std::min<std::int64_t>(4, end - col);
        const T* rows[4];
        for (std::int64_t j = 0; j < 4; ++j) {
            rows[j] = w + (col + std::min(j, n - 1)) * depth;
        }
        Vec sums[R][4];
#pragma GCC unroll 4
        for (int i = 0; i < R; ++i) {
            sums[i][0] = sums[i][1] = sums[i][2] = sums[i][3] = hn::Zero(d);
        }
        for (std::int64_t k = 0; k < whole; k += kLanes) {
            const Vec w0 = load_wide(d, rows[0] + k);
            const Vec w1 = load_wide(d, rows[1] + k);
            const Vec w2 = load_wide(d, rows[2] + k);
            const Vec w3 = load_wide(d, rows[3] + k);
#pragma GCC unroll 4
            for (int i = 0; i < R; ++i) {
                const Vec x = hn::LoadU(d, job.x.row(row + i) + k);
                sums[i][0] = hn::MulAdd(x, w0, sums[i][0]);
                sums[i][1] = hn::MulAdd(x, w1, sums[i][1]);
                sums[i][2] = hn::MulAdd(x, w2, sums[i][2]);
                sums[i][3] = hn::MulAdd(x, w3, sums[i][3]);
            }
        }
        for (int i = 0; i < R; ++i) {
            for (std::int64_t j = 0; j < n; ++j) {
                float sum = hn::GetLane(hn::SumOfLanes(d, sums[i][j]));
                for (std::int64_t k = whole; k < depth; ++k) {
                    sum += job.x.row(row + i)[k] * widen(rows[j] + k);
                }
                finish(job, row + i, col + j, sum);
            }
        }
    }
}

template <class T>
void few_rows(const MatmulJob& job, const T* w, std::int64_t begin, std::int64_t end) {
    std::int64_t row = 0;
    for (; row + 3 <= job.x.rows; row += 3) {
        dot_rows<T, 3>(job, w, row, begin, end);
    }
    for (; row < job.x.rows; ++row) {
        dot_rows<T, 1>(job, w, row, begin, end);
    }
}

// Rows `row..row+rows` of x against the panel of columns `col..col+valid`.
template <class T>
void panel_block(const MatmulJob& job, const T* w, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t valid) {
    thread_local std::vector<float> panel;
    thread_local std::vector<float> sums;
    const std::int64_t depth = job.x.cols;
    panel.resize(static_cast<std::size_t>(kDepthBlock * kPanel));
    sums.resize(static_cast<std::size_t>(kRowBlock * kPanel));
    for (std::int64_t k = 0; k < depth; k += kDepthBlock) {
        const std::int64_t step = std::min(kDepthBlock, depth - k);
        pack_panel(w + col * depth + k, depth, valid, step, panel.data());
        tile_rows(rows, job.x.row(row) + k, job.x.stride, panel.data(), kPanel, step, sums.data(), kPanel, k > 0);
    }
    for (std::int64_t i = 0; i < rows; ++i) {
        const float* from = sums.data() + i * kPanel;
        for (std::int64_t j = 0; j < valid; ++j) {
            finish(job, row + i, col + j, from[j]);
        }
    }
}

template <class T>
void matmul_typed(ThreadPool& pool, const MatmulJob& job, const T* w) {
    const std::int64_t n = job.y.cols;
    const std::int64_t rows = job.x.rows;
    if (rows <= kFewRows) {
        std::int64_t parts = 1;
        if (n * job.x.cols >= kParallelWork) {
            parts = std::min<std::int64_t>((n + 15) / 16, 4 * pool.size());
        }
        const std::int64_t step = ((n + parts - 1) / parts + 3) / 4 * 4;
        pool.run((n + step - 1) / step,
                 [&](std::int64_t i, int) { few_rows(job, w, i * step, std::min(n, (i + 1) * step)); });
        return;
    }
    const std::int64_t panels = (n + kPanel - 1) / kPanel;
    const std::int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
    pool.run(panels * blocks, [&](std::int64_t i, int) {
        const std::int64_t row = i / panels * kRowBlock;
        const std::int64_t col = i % panels * kPanel;
        panel_block(job, w, row, std::min(kRowBlock, rows - row), col, std::min(kPanel, n - col));
    });
}

void matmul_here(ThreadPool& pool, const MatmulJob& job, const TensorView& w) {
    if (w.dtype == DType::BF16) {
        matmul_typed(pool, job, reinterpret_cast<const hwy::bfloat16_t*>(w.data));
    } else if (w.dtype == DType::F16) {
        matmul_typed(pool, job, reinterpret_cast<const hwy::float16_t*>(w.data));
    } else {
        matmul_typed(pool, job, reinterpret_cast<const float*>(w.data));
    }
}

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::kernels {
HWY_EXPORT(matmul_here);

void matmul(ThreadPool& pool, ConstMatrix x, const TensorView& w, std::span<const float> bias, Matrix y, Into into) {
    CHECK(w.dtype == DType::F32 || w.dtype == DType::BF16 || w.dtype == DType::F16);
    CHECK(w.count() == y.cols * x.cols && y.rows == x.rows);
    CHECK(bias.empty() || static_cast<std::int64_t>(bias.size()) == y.cols);
    HWY_DYNAMIC_DISPATCH(matmul_here)(pool, {x, bias, y, into}, w);
}

} // namespace handeye::kernels
#endif
