// SPDX-License-Identifier: Apache-2.0
// What happens to rows between products: norms, sums, rotations, and the blocks of patches. All are bound by memory.
#include "engine/device/kernels.h"
#include "engine/device/rotate.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

__global__ void __launch_bounds__(kRowThreadsMost) rms_norm_kernel(device::RmsNorm op) {
    __shared__ float scratch[kRowsOfBlock][kWarp];
    const int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
    const int cols = op.x.cols;
    const bool is_one = row < op.x.rows; // blocks have whole numbers of rows
    const HeldRow x(is_one ? row_of(op.x, row) : nullptr, is_one ? cols : 0);
    const float factor = rms_factor(x, op.eps, scratch[threadIdx.y]);
    if (!is_one) {
        return;
    }
    float* const y = row_of(op.y, row);
    x.each(units_of(cols), [&](int unit, const Unit& u) {
        Unit out = scaled(u, factor, load_unit(op.weight, unit, cols), unit, cols);
        if (op.into == device::Into::Add) {
            const Unit before = load_unit(y, unit, cols);
            HANDEYE_UNROLL
            for (int half = 0; half < 2; ++half) {
                HANDEYE_UNROLL
                for (int e = 0; e < 4; ++e) {
                    out.v[half][e] += before.v[half][e];
                }
            }
        }
        store_unit(y, unit, cols, out);
    });
}

__device__ inline float gelu(float x) { return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F)); }

__global__ void __launch_bounds__(kRowThreadsMost) layer_norm_gelu_kernel(device::LayerNormGelu op) {
    __shared__ float scratch[kWarp];
    const int cols = op.x.cols;
    float* const row = row_of(op.x, static_cast<int>(blockIdx.x));
    const HeldRow x(row, cols);
    float sum = 0;
    x.each(units_of(cols), [&](int, const Unit& u) {
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            sum += u.v[0][e];
            sum += u.v[1][e];
        }
    });
    const float mean = block_sum(sum, scratch) / static_cast<float>(cols);
    float squares = 0;
    x.each(units_of(cols), [&](int unit, const Unit& u) {
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HANDEYE_UNROLL
            for (int e = 0; e < 4; ++e) {
                const float apart = column(unit, half) + e < cols ? u.v[half][e] - mean : 0.0F;
                squares += apart * apart;
            }
        }
    });
    const float factor = 1.0F / sqrtf(block_sum(squares, scratch) / static_cast<float>(cols) + op.eps);
    x.each(units_of(cols), [&](int unit, Unit u) {
        const Unit weight = load_unit(op.weight, unit, cols);
        const Unit bias = load_unit(op.bias, unit, cols);
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HANDEYE_UNROLL
            for (int e = 0; e < 4; ++e) {
                u.v[half][e] = gelu((u.v[half][e] - mean) * factor * weight.v[half][e] + bias.v[half][e]);
            }
        }
        store_unit(row, unit, cols, u);
    });
}

// ---- one number after the other ----

__global__ void __launch_bounds__(kRowThreads) add_kernel(device::Add op) {
    const int row = static_cast<int>(blockIdx.x);
    const int col = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x) * 4;
    float x[4], y[4];
    load4(row_of(op.x, row), col, op.x.cols, x);
    load4(row_of(op.y, row), col, op.x.cols, y);
    HANDEYE_UNROLL
    for (int e = 0; e < 4; ++e) {
        y[e] += x[e];
    }
    store4(row_of(op.y, row), col, op.x.cols, y);
}

template <bool kHalfSplit>
__global__ void __launch_bounds__(kRowThreads) rope_kernel(device::Rope op) {
    const int row = static_cast<int>(blockIdx.x);
    const int steps = rotation_steps(op.by); // of one head
    const int i = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
    if (i < op.heads * steps) {
        rotate_step<kHalfSplit>(row_of(op.x, row) + i / steps * op.head_dim, op.by, row, i % steps);
    }
}

__global__ void __launch_bounds__(kRowThreads) gather_blocks_kernel(device::GatherBlocks op) {
    const int block = static_cast<int>(blockIdx.x);
    const int first = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x) * 4;
    const int cols = op.x.cols * op.taps;
    float out[4];
    HANDEYE_UNROLL
    for (int e = 0; e < 4; ++e) {
        const int at = first + e;
        out[e] = at < cols ? row_of(op.x, block * op.taps + at % op.taps)[at / op.taps] : 0.0F;
    }
    store4(row_of(op.to, block), first, cols, out);
}

} // namespace

void run(Stream stream, const device::RmsNorm& op) {
    if (op.x.rows != 0 && op.x.cols != 0) {
        const dim3 block = norm_block(op.x.rows, units_of(op.x.cols));
        launch(stream, pieces(op.x.rows, static_cast<int>(block.y)), block, 0, rms_norm_kernel, op);
    }
}

void run(Stream stream, const device::LayerNormGelu& op) {
    if (op.x.rows != 0 && op.x.cols != 0) {
        launch(stream, static_cast<unsigned>(op.x.rows), norm_block(1, units_of(op.x.cols)), 0, layer_norm_gelu_kernel, op);
    }
}

void run(Stream stream, const device::Add& op) {
    if (op.x.rows != 0 && op.x.cols != 0) {
        launch(stream, row_grid(op.x.rows, (op.x.cols + 3) / 4), kRowThreads, 0, add_kernel, op);
    }
}

void run(Stream stream, const device::Rope& op) {
    if (op.x.rows != 0 && op.by.pairs != 0) {
        launch(stream, row_grid(op.x.rows, op.heads * rotation_steps(op.by)), kRowThreads, 0, op.by.half_split ? rope_kernel<true> : rope_kernel<false>, op);
    }
}

void run(Stream stream, const device::GatherBlocks& op) {
    const int blocks = op.x.rows / op.taps;
    if (blocks != 0 && op.x.cols != 0) {
        launch(stream, row_grid(blocks, (op.x.cols * op.taps + 3) / 4), kRowThreads, 0, gather_blocks_kernel, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE
