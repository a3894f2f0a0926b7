// SPDX-License-Identifier: Apache-2.0
// Which experts see which rows, and rows on their way to experts and back.
#include "engine/device/kernels.h"
#include "engine/device/row_access.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kRoutedOfBlock = 4; // rows, one for each warp
constexpr int kExpertsOfLane = 8; // of experts lane, lane + 32, ...: up to 256

// Larger for the better expert of a row, never 0; no two experts of a row have the same.
__device__ inline unsigned long long rank_of(float score, int expert) {
    const std::uint32_t bits = float_bits(score != score ? -INFINITY : score); // never -0: no sigmoid is
    const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    return static_cast<unsigned long long>(ordered) << 32U | ~static_cast<std::uint32_t>(expert);
}
__device__ inline int expert_of(unsigned long long rank) { return static_cast<int>(~static_cast<std::uint32_t>(rank)); }

__device__ inline float sigmoid(float x) { return 1.0F / (1.0F + expf(-x)); }

__device__ inline unsigned long long warp_most(unsigned long long value) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
        const unsigned long long other = __shfl_xor_sync(kAllLanes, value, step);
        value = other > value ? other : value;
    }
    return value;
}

// The expert that lane k has afterwards is the k-th best.
__device__ inline int best_experts(const device::Route& op, const float* scores, int lane) {
    unsigned long long ranks[kExpertsOfLane];
    HANDEYE_UNROLL
    for (int i = 0; i < kExpertsOfLane; ++i) {
        const int expert = lane + i * kWarp;
        ranks[i] = expert < op.scores.cols ? rank_of(sigmoid(scores[expert]) + (op.bias != nullptr ? op.bias[expert] : 0.0F), expert) : 0;
    }
    int mine = 0;
    for (int k = 0; k < op.used; ++k) {
        unsigned long long best = 0;
        HANDEYE_UNROLL
        for (int i = 0; i < kExpertsOfLane; ++i) {
            best = ranks[i] > best ? ranks[i] : best;
        }
        best = warp_most(best);
        mine = lane == k ? expert_of(best) : mine;
        HANDEYE_UNROLL
        for (int i = 0; i < kExpertsOfLane; ++i) {
            ranks[i] = ranks[i] == best ? 0 : ranks[i];
        }
    }
    return mine;
}

__global__ void __launch_bounds__(kRoutedOfBlock * kWarp) route_kernel(device::Route op) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row = static_cast<int>(blockIdx.x) * kRoutedOfBlock + static_cast<int>(threadIdx.x) / kWarp;
    if (row >= op.scores.rows) {
        return;
    }
    const float* const scores = row_of(op.scores, row);
    const int expert = best_experts(op, scores, lane);
    const float score = sigmoid(scores[expert]);
    float total = 0;
    for (int k = 0; k < op.used; ++k) {
        total += __shfl_sync(kAllLanes, score, k);
    }
    const float factor = (op.normalised ? 1.0F / (total + 1e-20F) : 1.0F) * op.scale;
    if (lane < op.used) {
        const std::int64_t at = std::int64_t{row} * op.used + lane;
        op.chosen[at] = expert;
        op.weights[at] = score * factor;
    }
}

__global__ void __launch_bounds__(kRowThreads) gather_rows_kernel(device::GatherRows op) {
    const int row = static_cast<int>(blockIdx.x);
    const int col = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x) * 4;
    float v[4];
    load4(row_of(op.x, op.rows_of != nullptr ? op.rows_of[row] : row), col, op.to.cols, v);
    store4(row_of(op.to, row), col, op.to.cols, v);
}

__global__ void __launch_bounds__(kRowThreads) scatter_add_kernel(device::ScatterAdd op) {
    const int row = static_cast<int>(blockIdx.x);
    const int col = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x) * 4;
    const float weight = op.weights[row];
    float* const to = row_of(op.y, op.rows_of[row]);
    float x[4], y[4];
    load4(row_of(op.x, row), col, op.x.cols, x);
    load4(to, col, op.x.cols, y);
    HANDEYE_UNROLL
    for (int e = 0; e < 4; ++e) {
        y[e] += weight * x[e];
    }
    store4(to, col, op.x.cols, y);
}

} // namespace

void run(Stream stream, const device::Route& op) {
    if (op.scores.rows != 0) {
        launch(stream, pieces(op.scores.rows, kRoutedOfBlock), kRoutedOfBlock * kWarp, 0, route_kernel, op);
    }
}

void run(Stream stream, const device::GatherRows& op) {
    if (op.to.rows != 0 && op.to.cols != 0) {
        launch(stream, row_grid(op.to.rows, (op.to.cols + 3) / 4), kRowThreads, 0, gather_rows_kernel, op);
    }
}

void run(Stream stream, const device::ScatterAdd& op) {
    if (op.x.rows != 0 && op.x.cols != 0) {
        launch(stream, row_grid(op.x.rows, (op.x.cols + 3) / 4), kRowThreads, 0, scatter_add_kernel, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE
