// SPDX-License-Identifier: Apache-2.0
// Rows as the left side of a product: floats into numbers in bf16, after a norm or a gated activation where one stands before.
#include "engine/device/kernels.h"
#include "engine/device/row_access.h"
#include "engine/device/split_store.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

__global__ void __launch_bounds__(kRowThreads) split_kernel(device::Split op) {
    const int row = static_cast<int>(blockIdx.x);
    const int unit = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
    const float* const x = row_of(op.x, row);
    if (op.normed != nullptr) {
        store_unit(op.normed + std::int64_t{row} * op.x.cols, unit, op.x.cols, load_unit(x, unit, op.x.cols));
    }
    store_split(op.out, row, unit, op.inputs == nullptr ? load_unit(x, unit, op.x.cols) : gather_unit(x, op.inputs, unit, op.out.cols));
}

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

// x += added, or what its norm makes of it.
__device__ __forceinline__ void add_row(HeldRow& x, float* to, const StreamedRow& added, const device::Split& op, float* scratch) {
    const bool is_normed = op.added_weight != nullptr;
    const float factor = is_normed ? rms_factor(added, op.eps, scratch) : 1.0F;
    x.add(to, [&](int unit) {
        const Unit u = load_unit(added.row, unit, added.cols);
        return is_normed ? scaled(u, factor, load_unit(op.added_weight, unit, added.cols), unit, added.cols) : u;
    });
}

__global__ void __launch_bounds__(kRowThreadsMost) split_norm_kernel(device::Split op) {
    __shared__ float scratch[kRowsOfBlock][kWarp];
    const int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
    const int cols = op.x.cols;
    const bool is_one = row < op.x.rows;
    HeldRow x(is_one ? row_of(op.x, row) : nullptr, is_one ? cols : 0);
    if (op.added.data != nullptr) {
        add_row(x, is_one ? row_of(op.x, row) : nullptr, {is_one ? row_of(op.added, row) : nullptr, is_one ? cols : 0}, op, scratch[threadIdx.y]);
    }
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
