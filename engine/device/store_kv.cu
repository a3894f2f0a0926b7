// SPDX-License-Identifier: Apache-2.0
// Keys and values of new tokens into their pages, the same bytes as kernels::store_kv_row() makes, after their rotation. A warp has one head of one token.
#include "engine/device/kernels.h"
#include "engine/device/kv_rows.h"
#include "engine/device/rotate.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kWarps = 4;
constexpr float kCodeMost = 127;

__device__ void store_floats(const float* from, std::uint8_t* to, int numbers, int lane) {
    for (int i = lane; i < numbers; i += kWarp) {
        *static_cast<std::uint32_t*>(const_cast<void*>(checked(to + 4 * i, 4))) = float_bits(from[i]);
    }
}

__device__ void store_halves(const float* from, std::uint8_t* to, int numbers, int lane) {
    for (int i = lane; 2 * i < numbers; i += kWarp) {
        *static_cast<std::uint32_t*>(const_cast<void*>(checked(to + 4 * i, 4))) = half_pair(from[2 * i], from[2 * i + 1]);
    }
}

__device__ std::uint32_t code_of(float value, float step) {
    const float code = step > 0 ? fminf(fmaxf(rintf(value / step), -kCodeMost), kCodeMost) : 0.0F;
    return static_cast<std::uint32_t>(static_cast<int>(code)) & 0xFFU;
}

/// Codes are rounded by the scale as it is stored.
__device__ void store_codes(const float* from, std::uint8_t* to, int numbers, int lane) {
    for (int group = 0; group * kKvGroup < numbers; ++group) {
        const int first = group * kKvGroup + 4 * lane;
        const bool mine = 4 * lane < kKvGroup && first < numbers;
        const Floats4 four = mine ? load_floats4(from + first) : Floats4{};
        const float top = warp_max(fmaxf(fmaxf(fabsf(four.at[0]), fabsf(four.at[1])), fmaxf(fabsf(four.at[2]), fabsf(four.at[3]))));
        const std::uint16_t scale = float_half(top / kCodeMost);
        const float step = half_float(scale);
        if (mine) {
            *static_cast<std::uint32_t*>(const_cast<void*>(checked(to + first, 4))) =
                code_of(four.at[0], step) | code_of(four.at[1], step) << 8U | code_of(four.at[2], step) << 16U | code_of(four.at[3], step) << 24U;
        }
        if (lane == 0) {
            *static_cast<std::uint16_t*>(const_cast<void*>(checked(to + numbers + 2 * group, 2))) = scale;
        }
    }
}

/// One head of one token into its place in the pages.
__device__ void store_head(const device::StoreKv& op, const device::SequenceSpan& span, int row, const float* from, int part, int head, int lane) {
    const int token = span.past + row - span.first_row;
    std::uint8_t* const to = op.kv.pool + span.pages[token / device::kPageTokens] * op.kv.page_bytes + kv_offset(op.kv, op.layer, part, head)
        + static_cast<std::int64_t>(token % device::kPageTokens) * op.kv.row_bytes;
    if (op.kv.format == KvFormat::F32) {
        store_floats(from, to, op.kv.head_dim, lane);
    } else if (op.kv.format == KvFormat::F16) {
        store_halves(from, to, op.kv.head_dim, lane);
    } else {
        store_codes(from, to, op.kv.head_dim, lane);
    }
}

// Heads of a row: those of keys, of values, of queries.
__global__ __launch_bounds__(kWarps * kWarp) void store_kv(device::StoreKv op, int heads) {
    const int warp = static_cast<int>(blockIdx.x * kWarps + threadIdx.x / kWarp);
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row = warp / heads;
    if (row >= op.k.rows) {
        return;
    }
    const int part = warp % heads < 2 * op.kv.kv_heads ? warp % heads / op.kv.kv_heads : 2;
    const int head = warp % heads - part * op.kv.kv_heads;
    float* const numbers = row_of(part == 0 ? op.k : part == 1 ? op.v : op.q, row) + static_cast<std::int64_t>(head) * op.kv.head_dim;
    if (part != 1) {
        for (int step = lane; step < rotation_steps(op.by); step += kWarp) {
            op.by.half_split ? rotate_step<true>(numbers, op.by, row, step) : rotate_step<false>(numbers, op.by, row, step);
        }
        __syncwarp(); // what other lanes have written is read
    }
    for (int i = 0; part != 2 && i < op.n_spans; ++i) {
        const device::SequenceSpan span = op.spans[i];
        if (row >= span.first_row && row < span.first_row + span.rows) {
            store_head(op, span, row, numbers, part, head, lane);
        }
    }
}

} // namespace

void run(Stream stream, const device::StoreKv& op) {
    if (op.k.rows == 0 || op.n_spans == 0) {
        return;
    }
    const int heads = 2 * op.kv.kv_heads + (op.q.data != nullptr ? op.q.cols / op.kv.head_dim : 0);
    launch(stream, dim3(pieces(op.k.rows * heads, kWarps)), dim3(kWarps * kWarp), 0, store_kv, op, heads);
}

} // namespace handeye::HANDEYE_DEVICE
