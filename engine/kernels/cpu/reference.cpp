// SPDX-License-Identifier: Apache-2.0
// The operations as the definition reads, in double where a sum is taken: slow, and what the fast kernels are tested against.
#include "engine/kernels/ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace handeye::kernels::reference {

void matmul(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias, Matrix y, Into into) {
    std::vector<float> weights(static_cast<std::size_t>(w.cols));
    for (std::int64_t j = 0; j < y.cols; ++j) {
        decode_tile(w, {.row = j, .rows = 1, .col = 0, .cols = w.cols, .stride = w.cols}, weights.data());
        for (std::int64_t i = 0; i < x.rows; ++i) {
            double sum = bias.empty() ? 0.0 : bias[static_cast<std::size_t>(j)];
            for (std::int64_t k = 0; k < x.cols; ++k) {
                sum += double{x.row(i)[k]} * weights[static_cast<std::size_t>(k)];
            }
            y.row(i)[j] = static_cast<float>(into == Into::Add ? y.row(i)[j] + sum : sum);
        }
    }
}

void rms_norm(ConstMatrix x, std::span<const float> weight, float eps, Matrix y) {
    for (std::int64_t i = 0; i < x.rows; ++i) {
        double squares = 0;
        for (std::int64_t j = 0; j < x.cols; ++j) {
            squares += double{x.row(i)[j]} * x.row(i)[j];
        }
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(x.cols) + eps);
        for (std::int64_t j = 0; j < x.cols; ++j) {
            y.row(i)[j] = static_cast<float>(x.row(i)[j] * factor * weight[static_cast<std::size_t>(j)]);
        }
    }
}

void silu_mul(ConstMatrix gate, ConstMatrix up, Matrix y) {
    for (std::int64_t i = 0; i < y.rows; ++i) {
        for (std::int64_t j = 0; j < y.cols; ++j) {
            const double g = gate.row(i)[j];
            y.row(i)[j] = static_cast<float>(g / (1.0 + std::exp(-g)) * up.row(i)[j]);
        }
    }
}

void attention(const AttentionInput& in, Matrix y) {
    const int group = in.n_heads / in.n_kv_heads;
    std::vector<double> weights(static_cast<std::size_t>(in.n_keys));
    std::vector<float> kept(static_cast<std::size_t>(in.head_dim));
    for (std::int64_t i = 0; i < in.q.rows; ++i) {
        const std::int64_t seen = in.causal ? in.n_keys - in.q.rows + i + 1 : in.n_keys;
        for (int head = 0; head < in.n_heads; ++head) {
            const float* q = in.q.row(i) + std::int64_t{head} * in.head_dim;
            const std::int64_t base = (head / group) * in.kv_head_stride;
            double highest = -std::numeric_limits<double>::infinity();
            for (std::int64_t p = 0; p < seen; ++p) {
                double score = 0;
                load_kv_row(in.kv_format, in.k + base + p * in.kv_row_stride, kept);
                for (int d = 0; d < in.head_dim; ++d) {
                    score += double{q[d]} * kept[static_cast<std::size_t>(d)];
                }
                weights[static_cast<std::size_t>(p)] = score * in.scale;
                highest = std::max(highest, score * in.scale);
            }
            double total = 0;
            for (std::int64_t p = 0; p < seen; ++p) {
                double& weight = weights[static_cast<std::size_t>(p)];
                weight = std::exp(weight - highest);
                total += weight;
            }
            std::vector<double> sums(static_cast<std::size_t>(in.head_dim));
            for (std::int64_t p = 0; p < seen; ++p) {
                load_kv_row(in.kv_format, in.v + base + p * in.kv_row_stride, kept);
                for (std::size_t d = 0; d < sums.size(); ++d) {
                    sums[d] += weights[static_cast<std::size_t>(p)] * kept[d];
                }
            }
            for (int d = 0; d < in.head_dim; ++d) {
                y.row(i)[std::int64_t{head} * in.head_dim + d] = static_cast<float>(sums[static_cast<std::size_t>(d)] / total);
            }
        }
    }
}

} // namespace handeye::kernels::reference
