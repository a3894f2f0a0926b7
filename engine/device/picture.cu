// SPDX-License-Identifier: Apache-2.0
// A picture's bytes to patch rows: the two passes of the resize, then normalisation and cutting. Passes compute in integers, so that a device gives the
// pixels that the host does. All are bound by memory, and small beside the tower.
#include "engine/device/kernels.h"
#include "engine/device/row_access.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kChannels = 3;
constexpr int kRowsAtOnce = 4; // of a thread of the pass across: they share their weights

__device__ inline int at_most(int value, int most) { return value < most ? value : most; }
__device__ inline std::uint8_t finished(int sum, int precision) {
    const int value = sum >> precision;
    return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}
__device__ inline std::uint8_t* pixel(const device::Pixels& p, int row, int col) { return p.data + (static_cast<std::int64_t>(row) * p.width + col) * kChannels; }

// A thread has one column of a few rows.
__global__ void __launch_bounds__(kRowThreads) resize_across(device::ResizePixels op) {
    const int x = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
    const int row = static_cast<int>(blockIdx.x) * kRowsAtOnce;
    if (x >= op.to.width) {
        return;
    }
    const std::int16_t* const weights = op.weights + static_cast<std::int64_t>(x) * op.taps;
    const int first = op.first[x];
    int sums[kRowsAtOnce][kChannels];
    HANDEYE_UNROLL
    for (int r = 0; r < kRowsAtOnce; ++r) {
        HANDEYE_UNROLL
        for (int c = 0; c < kChannels; ++c) {
            sums[r][c] = 1 << (op.precision - 1);
        }
    }
    for (int k = 0; k < op.taps; ++k) {
        const int weight = weights[k];
        const int from = at_most(first + k, op.from.width - 1); // beyond it the weight is 0
        HANDEYE_UNROLL
        for (int r = 0; r < kRowsAtOnce; ++r) {
            const std::uint8_t* const bytes = pixel(op.from, at_most(row + r, op.from.height - 1), from);
            HANDEYE_UNROLL
            for (int c = 0; c < kChannels; ++c) {
                sums[r][c] += weight * bytes[c];
            }
        }
    }
    HANDEYE_UNROLL
    for (int r = 0; r < kRowsAtOnce; ++r) {
        if (row + r < op.to.height) {
            std::uint8_t* const out = pixel(op.to, row + r, x);
            HANDEYE_UNROLL
            for (int c = 0; c < kChannels; ++c) {
                out[c] = finished(sums[r][c], op.precision);
            }
        }
    }
}

// A thread has one byte of a row, whatever its channel; a block's threads share their weights.
__global__ void __launch_bounds__(kRowThreads) resize_down(device::ResizePixels op) {
    const int at = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
    const int row = static_cast<int>(blockIdx.x);
    if (at >= op.to.width * kChannels) {
        return;
    }
    const std::int16_t* const weights = op.weights + static_cast<std::int64_t>(row) * op.taps;
    const int first = op.first[row];
    int sum = 1 << (op.precision - 1);
    for (int k = 0; k < op.taps; ++k) {
        sum += weights[k] * pixel(op.from, at_most(first + k, op.from.height - 1), 0)[at];
    }
    pixel(op.to, row, 0)[at] = finished(sum, op.precision);
}

// One block a patch; a thread has pixels, each of which it writes once for every channel and time.
__global__ void __launch_bounds__(kRowThreads) cut_patches(device::CutPatches op) {
    const int row = static_cast<int>(blockIdx.x);
    const int area = op.merge * op.merge;
    const int blocks_across = op.from.width / (op.patch * op.merge);
    const int block = row / area, inside = row % area;
    const int top = (block / blocks_across * op.merge + inside / op.merge) * op.patch;
    const int left = (block % blocks_across * op.merge + inside % op.merge) * op.patch;
    const int pixels = op.patch * op.patch;
    float* const out = op.to.data + row * op.to.stride;
    for (int i = static_cast<int>(threadIdx.x); i < pixels; i += static_cast<int>(blockDim.x)) {
        const std::uint8_t* const bytes = pixel(op.from, top + i / op.patch, left + i % op.patch);
        HANDEYE_UNROLL
        for (int c = 0; c < kChannels; ++c) {
            const float value = (static_cast<float>(bytes[c]) - op.mean[c]) / op.deviation[c]; // a true division: the host's
            for (int t = 0; t < op.temporal; ++t) {
                out[(c * op.temporal + t) * pixels + i] = value;
            }
        }
    }
}

} // namespace

void run(Stream stream, const device::ResizePixels& op) {
    if (op.to.width == 0 || op.to.height == 0) {
        return;
    }
    if (op.is_down) {
        launch(stream, row_grid(op.to.height, op.to.width * kChannels), kRowThreads, 0, resize_down, op);
    } else {
        launch(stream, row_grid(static_cast<int>(pieces(op.to.height, kRowsAtOnce)), op.to.width), kRowThreads, 0, resize_across, op);
    }
}

void run(Stream stream, const device::CutPatches& op) {
    if (op.to.rows != 0) {
        const unsigned threads = pieces(op.patch * op.patch, kWarp) * kWarp;
        launch(stream, static_cast<unsigned>(op.to.rows), threads < kRowThreads ? threads : kRowThreads, 0, cut_patches, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE
