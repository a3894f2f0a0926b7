// SPDX-License-Identifier: Apache-2.0
// Rows as the left side of a product: floats into numbers in bf16, after a norm or a gated activation where one stands before.
#include "engine/device/kernels.h"
#include "engine/device/row_access.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

using device::SplitRows;

// What the next number has to hold; nothing when this one is infinite or none.
__device__ inline float left_over(float value, float taken) { return fabsf(taken) < INFINITY ? value - taken : 0.0F; }

__device__ inline void store_parts(const SplitRows& out, int row, int unit, Unit from) {
    const std::int64_t cols = std::int64_t{out.chunks} * device::kChunk;
    for (int plane = 0; plane < out.planes; ++plane) {
        std::uint32_t pairs[2][2];
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HANDEYE_UNROLL
            for (int i = 0; i < 2; ++i) {
                float& first = from.v[half][2 * i];
                float& second = from.v[half][2 * i + 1];
                pairs[half][i] = bf16_pair(first, second);
                first = left_over(first, pair_first(pairs[half][i]));
                second = left_over(second, pair_second(pairs[half][i]));
            }
        }
        std::uint16_t* const to = out.parts + (std::int64_t{plane} * out.rows_max + row) * cols + std::int64_t{unit} * 8;
        store16(to, {pairs[0][0], pairs[0][1], pairs[1][0], pairs[1][1]});
    }
}

// The numbers of a sum lie with the four lanes of equal h: each adds its own to what the one before hands on. All lanes of a warp together.
__device__ inline void store_sums(const SplitRows& out, int row, int unit, const Unit& from) {
    const int t = unit / 2 % 4;
    float sums[2] = {0.0F, 0.0F};
    HANDEYE_UNROLL
    for (int step = 0; step < 4; ++step) {
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            const float before = __shfl_up_sync(kAllLanes, sums[half], 2);
            const float start = step == 0 ? 0.0F : before;
            const float (&v)[4] = from.v[half];
            sums[half] = step == t ? start + v[0] + v[1] + v[2] + v[3] : sums[half];
        }
    }
    if (t == 3 && unit < out.chunks * kUnitsOfChunk) {
        float* const to = out.sums + (std::int64_t{row} * out.chunks + unit / kUnitsOfChunk) * 4 + unit % 2 * 2;
        to[0] = sums[0];
        to[1] = sums[1];
    }
}

__device__ inline void store_split(const SplitRows& out, int row, int unit, const Unit& from) {
    if (unit < out.chunks * kUnitsOfChunk) {
        store_parts(out, row, unit, from);
    }
    store_sums(out, row, unit, from);
}

__global__ void __launch_bounds__(kRowThreads) split_kernel(device::Split op) {
    const int row = static_cast<int>(blockIdx.x);
    const int unit = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
    const float* const x = row_of(op.x, row);
    if (op.normed != nullptr) {
        store_unit(op.normed + std::int64_t{row} * op.x.cols, unit, op.x.cols, load_unit(x, unit, op.x.cols));
    }
    store_split(op.out, row, unit, op.inputs == nullptr ? load_unit(x, unit, op.x.cols) : gather_unit(x, op.inputs, unit, op.out.cols));
}

__device__ inline float silu_product(float gate, float up) { return gate / (1.0F + expf(-fmaxf(gate, -87.0F))) * up; } // below, the product is zero in float

__global__ void __launch_bounds__(kRowThreads) silu_split_kernel(device::SiluSplit op) {
    const int row = static_cast<int>(blockIdx.x);
    const int unit = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
    const float* const gates = row_of(op.gate, row);
    const float* const ups = row_of(op.up, row);
    Unit gate = op.inputs == nullptr ? load_unit(gates, unit, op.gate.cols) : gather_unit(gates, op.inputs, unit, op.out.cols);
    const Unit up = op.inputs == nullptr ? load_unit(ups, unit, op.gate.cols) : gather_unit(ups, op.inputs, unit, op.out.cols);
    HANDEYE_UNROLL
    for (int half = 0; half < 2; ++half) {
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            gate.v[half][e] = silu_product(gate.v[half][e], up.v[half][e]);
        }
    }
    store_split(op.out, row, unit, gate);
}

__global__ void __launch_bounds__(kRowThreadsMost) split_norm_kernel(device::Split op) {
    __shared__ float scratch[kRowsOfBlock][kWarp];
    const int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
    const int cols = op.x.cols;
    const bool is_one = row < op.x.rows;
    const HeldRow x(is_one ? row_of(op.x, row) : nullptr, is_one ? cols : 0);
    const float factor = rms_factor(x, op.eps, scratch[threadIdx.y]);
    if (!is_one) {
        return;
    }
    const bool in_order = op.inputs == nullptr;
    const int out_units = op.out.chunks * kUnitsOfChunk;
    if (in_order || op.normed != nullptr) {
        x.each(in_order ? out_units : units_of(cols), [&](int unit, const Unit& u) {
            const Unit out = scaled(u, factor, load_unit(op.weight, unit, cols), unit, cols);
            if (op.normed != nullptr) {
                store_unit(op.normed + std::int64_t{row} * cols, unit, cols, out);
            }
            if (in_order) {
                store_split(op.out, row, unit, out);
            }
        });
    }
    if (!in_order) { // read again, most likely from the cache
        for (int unit = static_cast<int>(threadIdx.x); unit / kWarp * kWarp < out_units; unit += static_cast<int>(blockDim.x)) {
            const Unit weight = gather_unit(op.weight, op.inputs, unit, op.out.cols);
            store_split(op.out, row, unit, scaled(gather_unit(x.row, op.inputs, unit, op.out.cols), factor, weight, unit, op.out.cols));
        }
    }
}

} // namespace

void run(Stream stream, const device::Split& op) {
    const int units = op.out.chunks * kUnitsOfChunk;
    if (op.x.rows == 0 || units == 0) {
        return;
    }
    if (op.weight == nullptr) {
        launch(stream, dim3(static_cast<unsigned>(op.x.rows), pieces(units, kRowThreads)), kRowThreads, 0, split_kernel, op);
        return;
    }
    const dim3 block = norm_block(op.x.rows, units);
    launch(stream, pieces(op.x.rows, static_cast<int>(block.y)), block, 0, split_norm_kernel, op);
}

void run(Stream stream, const device::SiluSplit& op) {
    const int units = op.out.chunks * kUnitsOfChunk;
    if (op.gate.rows != 0 && units != 0) {
        launch(stream, dim3(static_cast<unsigned>(op.gate.rows), pieces(units, kRowThreads)), kRowThreads, 0, silu_split_kernel, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE
