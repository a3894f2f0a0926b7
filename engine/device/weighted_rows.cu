// SPDX-License-Identifier: Apache-2.0
// Sums of weighted rows: positions sampled from the tower's table, and the experts of a row.
#include "engine/device/kernels.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kThreads = 256;

// One block a row; each thread has columns of its own.
__global__ void add_weighted_rows(device::AddWeightedRows op) {
    const int row = static_cast<int>(blockIdx.x);
    float* const y = op.y.data + row * op.y.stride;
    const std::int32_t* const rows = op.rows + static_cast<std::int64_t>(row) * op.taps;
    const float* const weights = op.weights + static_cast<std::int64_t>(row) * op.taps;
    for (int col = static_cast<int>(threadIdx.x); col < op.y.cols; col += static_cast<int>(blockDim.x)) {
        float sum = 0;
        for (int t = 0; t < op.taps; ++t) {
            sum += weights[t] * op.table[static_cast<std::int64_t>(rows[t]) * op.y.cols + col];
        }
        y[col] += sum;
    }
}

__global__ void combine_experts(device::CombineExperts op) {
    const int row = static_cast<int>(blockIdx.x);
    float* const y = op.y.data + row * op.y.stride;
    const float* const weights = op.weights + static_cast<std::int64_t>(row) * op.used;
    for (int col = static_cast<int>(threadIdx.x); col < op.y.cols; col += static_cast<int>(blockDim.x)) {
        float sum = y[col];
        for (int s = 0; s < op.used; ++s) {
            sum += weights[s] * op.x.data[(static_cast<std::int64_t>(row) * op.used + s) * op.x.stride + col];
        }
        y[col] = sum;
    }
}

} // namespace

void run(Stream stream, const device::AddWeightedRows& op) {
    if (op.y.rows > 0) {
        launch(stream, dim3(static_cast<unsigned>(op.y.rows)), dim3(kThreads), 0, add_weighted_rows, op);
    }
}

void run(Stream stream, const device::CombineExperts& op) {
    if (op.y.rows > 0) {
        launch(stream, dim3(static_cast<unsigned>(op.y.rows)), dim3(kThreads), 0, combine_experts, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE
