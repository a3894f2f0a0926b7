// SPDX-License-Identifier: Apache-2.0
// How a kernel writes SplitRows.
#pragma once

#include "engine/device/row_access.h"

namespace handeye::HANDEYE_DEVICE {

/// silu(gate) * up
__device__ inline float silu_product(float gate, float up) { return gate / (1.0F + expf(-fmaxf(gate, -87.0F))) * up; } // below, the product is zero in float

// What the next number has to hold; nothing when this one is infinite or none.
__device__ inline float left_over(float value, float taken) { return fabsf(taken) < INFINITY ? value - taken : 0.0F; }

__device__ inline void store_parts(const device::SplitRows& out, int row, int unit, Unit from) {
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
__device__ inline void store_sums(const device::SplitRows& out, int row, int unit, const Unit& from) {
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

__device__ inline void store_split(const device::SplitRows& out, int row, int unit, const Unit& from) {
    if (unit < out.chunks * kUnitsOfChunk) {
        store_parts(out, row, unit, from);
    }
    store_sums(out, row, unit, from);
}

/// One number of each lane; sixteen lanes beside each other have the inputs of one sum. All lanes of a warp together.
__device__ inline void store_one_split(const device::SplitRows& out, bool is_one, int row, int input, float value) {
    float sum = 0;
    for (int i = 0; i < device::kSumGroup; ++i) {
        sum += __shfl_sync(kAllLanes, value, i, device::kSumGroup);
    }
    if (!is_one) {
        return;
    }
    const std::int64_t cols = std::int64_t{out.chunks} * device::kChunk;
    const int place = input / 64 * 64 + input % 16 / 4 * 16 + input % 64 / 16 * 4 + input % 4;
    if (input % device::kSumGroup == 0) {
        out.sums[std::int64_t{row} * out.chunks * 4 + input / device::kSumGroup] = sum;
    }
    for (int plane = 0; plane < out.planes; ++plane) {
        const std::uint16_t part = float_bf16(value);
        out.parts[(std::int64_t{plane} * out.rows_max + row) * cols + place] = part;
        value = left_over(value, bf16_float(part));
    }
}

} // namespace handeye::HANDEYE_DEVICE
