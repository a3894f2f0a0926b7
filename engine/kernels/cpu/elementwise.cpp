// SPDX-License-Identifier: Apache-2.0
// Norms, activations and rotary embedding: one pass over memory each, rows shared among threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/elementwise.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/ops.h"

#include "base/result.h"

#include <algorithm>
#include <cmath>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using Vec = hn::Vec<FloatTag>;

float sum_of_squares(const float* x, std::int64_t n) {
    const FloatTag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    Vec sum = hn::Zero(d);
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Vec v = hn::LoadU(d, x + i);
        sum = hn::MulAdd(v, v, sum);
    }
    float total = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < n; ++i) {
        total += x[i] * x[i];
    }
    return total;
}

void rms_row(const float* x, const float* weight, float eps, std::int64_t n, float* y) {
    const FloatTag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const float factor = 1.0F / std::sqrt(sum_of_squares(x, n) / static_cast<float>(n) + eps);
    const Vec scale = hn::Set(d, factor);
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), scale), hn::LoadU(d, weight + i)), d, y + i);
    }
    for (; i < n; ++i) {
        y[i] = x[i] * factor * weight[i];
    }
}

void silu_row(const float* gate, const float* up, std::int64_t n, float* y) {
    const FloatTag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const Vec one = hn::Set(d, 1.0F);
    const Vec lowest = hn::Set(d, -87.0F); // below, x * sigmoid(x) is zero in float
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Vec g = hn::LoadU(d, gate + i);
        const Vec e = hn::Exp(d, hn::Neg(hn::Max(g, lowest)));
        hn::StoreU(hn::Mul(hn::Div(g, hn::Add(one, e)), hn::LoadU(d, up + i)), d, y + i);
    }
    for (; i < n; ++i) {
        y[i] = gate[i] / (1.0F + std::exp(-std::max(gate[i], -87.0F))) * up[i];
    }
}

void rotate_pairs_apart(float* low, float* high, const float* cos, const float* sin, std::int64_t pairs) {
    const FloatTag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    std::int64_t j = 0;
    for (; j + lanes <= pairs; j += lanes) {
        const Vec c = hn::LoadU(d, cos + j);
        const Vec s = hn::LoadU(d, sin + j);
        const Vec a = hn::LoadU(d, low + j);
        const Vec b = hn::LoadU(d, high + j);
        hn::StoreU(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), d, low + j);
        hn::StoreU(hn::MulAdd(b, c, hn::Mul(a, s)), d, high + j);
    }
    for (; j < pairs; ++j) {
        const float a = low[j];
        const float b = high[j];
        low[j] = a * cos[j] - b * sin[j];
        high[j] = b * cos[j] + a * sin[j];
    }
}

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::kernels {
namespace {

HWY_EXPORT(rms_row);
HWY_EXPORT(silu_row);
HWY_EXPORT(rotate_pairs_apart);

// Rows in groups of at least this many elements; fewer are done by the caller alone.
constexpr std::int64_t kGrain = 65536;

template <class Row>
void by_rows(ThreadPool& pool, std::int64_t rows, std::int64_t cols, const Row& row) {
    const std::int64_t step = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, cols));
    pool.run((rows + step - 1) / step, [&](std::int64_t block, int) {
        const std::int64_t end = std::min(rows, (block + 1) * step);
        for (std::int64_t i = block * step; i < end; ++i) {
            row(i);
        }
    });
}

} // namespace

void rms_norm(ThreadPool& pool, ConstMatrix x, std::span<const float> weight, float eps, Matrix y) {
    CHECK(y.rows == x.rows && y.cols == x.cols && static_cast<std::int64_t>(weight.size()) == x.cols);
    by_rows(pool, x.rows, x.cols, [&](std::int64_t i) {
        HWY_DYNAMIC_DISPATCH(rms_row)(x.row(i), weight.data(), eps, x.cols, y.row(i));
    });
}

void layer_norm(ThreadPool& pool, Matrix x, std::span<const float> weight, std::span<const float> bias, float eps) {
    CHECK(static_cast<std::int64_t>(weight.size()) == x.cols && weight.size() == bias.size());
    by_rows(pool, x.rows, x.cols, [&](std::int64_t i) {
        const std::span<float> row = x.row_span(i);
        double sum = 0;
        for (const float v : row) {
            sum += v;
        }
        const double mean = sum / static_cast<double>(row.size());
        double squares = 0;
        for (const float v : row) {
            squares += (v - mean) * (v - mean);
        }
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(row.size()) + eps);
        for (std::size_t j = 0; j < row.size(); ++j) {
            row[j] = static_cast<float>((row[j] - mean) * factor) * weight[j] + bias[j];
        }
    });
}

void silu_mul(ThreadPool& pool, ConstMatrix gate, ConstMatrix up, Matrix y) {
    CHECK(gate.rows == y.rows && gate.cols == y.cols && up.rows == y.rows && up.cols == y.cols);
    by_rows(pool, y.rows, y.cols,
            [&](std::int64_t i) { HWY_DYNAMIC_DISPATCH(silu_row)(gate.row(i), up.row(i), y.cols, y.row(i)); });
}

void add(ThreadPool& pool, ConstMatrix x, Matrix y) {
    CHECK(x.rows == y.rows && x.cols == y.cols);
    by_rows(pool, y.rows, y.cols, [&](std::int64_t i) {
        const float* from = x.row(i);
        float* to = y.row(i);
        for (std::int64_t j = 0; j < y.cols; ++j) {
            to[j] += from[j];
        }
    });
}

void gelu_erf(ThreadPool& pool, Matrix x) {
    constexpr float kInverseRoot2 = 0.70710678118654752F;
    by_rows(pool, x.rows, x.cols, [&](std::int64_t i) {
        for (float& v : x.row_span(i)) {
            v = 0.5F * v * (1.0F + std::erf(v * kInverseRoot2));
        }
    });
}

void rope_interleaved(ThreadPool& pool, Matrix x, int n_heads, const RopeTable& table) {
    const std::int64_t head_dim = x.cols / n_heads;
    CHECK(table.cos.rows == x.rows && 2 * table.cos.cols <= head_dim);
    by_rows(pool, x.rows, x.cols, [&](std::int64_t i) {
        const float* cos = table.cos.row(i);
        const float* sin = table.sin.row(i);
        for (int head = 0; head < n_heads; ++head) {
            float* v = x.row(i) + head * head_dim;
            for (std::int64_t j = 0; j < table.cos.cols; ++j) {
                const float a = v[2 * j];
                const float b = v[2 * j + 1];
                v[2 * j] = a * cos[j] - b * sin[j];
                v[2 * j + 1] = b * cos[j] + a * sin[j];
            }
        }
    });
}

void rope_half_split(ThreadPool& pool, Matrix x, int n_heads, const RopeTable& table) {
    const std::int64_t head_dim = x.cols / n_heads;
    CHECK(table.cos.rows == x.rows && 2 * table.cos.cols <= head_dim);
    by_rows(pool, x.rows, x.cols, [&](std::int64_t i) {
        for (int head = 0; head < n_heads; ++head) {
            float* v = x.row(i) + head * head_dim;
            HWY_DYNAMIC_DISPATCH(rotate_pairs_apart)(v, v + table.cos.cols, table.cos.row(i), table.sin.row(i),
                                                     table.cos.cols);
        }
    });
}

void copy_row(const WeightMatrix& w, std::int64_t row, std::span<float> out) {
    const auto cols = static_cast<std::int64_t>(out.size());
    CHECK(row >= 0 && row < w.rows && cols == w.cols);
    decode_tile(w, {.row = row, .rows = 1, .col = 0, .cols = cols, .stride = cols}, out.data());
}

} // namespace handeye::kernels
#endif
