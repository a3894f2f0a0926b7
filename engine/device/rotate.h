// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding of one head (Su et al. 2021): pairs of its numbers turned by a row's angles.
#pragma once

#include "engine/device/row_access.h"

namespace handeye::HANDEYE_DEVICE {

/// Steps of a head's rotation: each turns two pairs side by side, or four pairs whose halves lie apart.
__host__ __device__ inline int rotation_steps(const device::Rotation& by) { return by.half_split ? (by.pairs + 3) / 4 : (by.pairs + 1) / 2; }

template <bool kHalfSplit>
__device__ inline void rotate_step(float* head, const device::Rotation& by, int row, int step) {
    const float* const row_cos = by.cos + std::int64_t{row} * by.pairs;
    const float* const row_sin = by.sin + std::int64_t{row} * by.pairs;
    float a[4], b[4];
    if constexpr (kHalfSplit) {
        const int first = step * 4;
        float* const high = head + by.pairs;
        float cos[4], sin[4];
        load4(row_cos, first, by.pairs, cos);
        load4(row_sin, first, by.pairs, sin);
        load4(head, first, by.pairs, a);
        load4(high, first, by.pairs, b);
        float low_out[4], high_out[4];
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            low_out[e] = a[e] * cos[e] - b[e] * sin[e];
            high_out[e] = b[e] * cos[e] + a[e] * sin[e];
        }
        store4(head, first, by.pairs, low_out);
        store4(high, first, by.pairs, high_out);
    } else {
        const int first = step * 2;
        load4(head, 2 * first, 2 * by.pairs, a);
        HANDEYE_UNROLL
        for (int e = 0; e < 2; ++e) {
            const int pair = first + e < by.pairs ? first + e : first; // one beyond the last is not stored
            b[2 * e] = a[2 * e] * row_cos[pair] - a[2 * e + 1] * row_sin[pair];
            b[2 * e + 1] = a[2 * e + 1] * row_cos[pair] + a[2 * e] * row_sin[pair];
        }
        store4(head, 2 * first, 2 * by.pairs, b);
    }
}

} // namespace handeye::HANDEYE_DEVICE
