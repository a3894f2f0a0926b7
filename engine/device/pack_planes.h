// SPDX-License-Identifier: Apache-2.0
// The numbers of one lane's two rows as words of a DeviceMatrix's planes, in the order that device_matrix.h gives.
#pragma once

#include "engine/device/device_matrix.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace handeye::device {

inline constexpr int kLanes = 32;

struct PlaneBits {
    int base = 0, extra = 0;
};
inline PlaneBits planes_of(const DeviceMatrix& m) {
    switch (m.kind) {
        case CodeKind::F32: return {.base = 32};
        case CodeKind::Bf16:
        case CodeKind::F16: return {.base = 16};
        case CodeKind::Fp8: return {.base = 8};
        case CodeKind::Whole: break;
    }
    switch (m.bits) {
        case 3: return {.base = 2, .extra = 1};
        case 5: return {.base = 4, .extra = 1};
        case 6: return {.base = 4, .extra = 2};
        default: return {.base = m.bits};
    }
}
inline std::int64_t chunk_bytes(int bits) { return std::int64_t{kLanes} * 4 * bits; }

// Four numbers of a lane's row in one step.
template <class T>
std::uint64_t four_of(const std::byte* row, std::int64_t input) {
    std::uint64_t out = 0;
    std::memcpy(&out, row + input * static_cast<std::int64_t>(sizeof(T)), 4 * sizeof(T));
    return out;
}
inline std::uint32_t lower(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
inline std::uint32_t upper(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); }

// Byte 1 and byte 2 change places: codes (0, 2, 1, 3).
inline std::uint32_t firsts_before_seconds(std::uint32_t codes) { return (codes & 0xFF0000FFU) | (codes & 0xFF00U) << 8U | (codes >> 8U & 0xFF00U); }

// Codes of up to four bits of one step as nibbles; x is row g's, y row g + 8's.
inline std::uint32_t nibbles(std::uint32_t x, std::uint32_t y) { return firsts_before_seconds(x) | firsts_before_seconds(y) << 4U; }
inline std::uint32_t level_nibbles(std::uint32_t x, std::uint32_t y) {
    const std::uint32_t pairs_x = (x | x >> 4U) & 0x00FF00FFU; // bytes 0 and 2: two codes each
    const std::uint32_t pairs_y = (y | y >> 4U) & 0x00FF00FFU;
    return pairs_x | pairs_y << 8U;
}

inline void put_word(std::byte* chunk, int bits, int lane, int index, std::uint32_t word) {
    const int bytes = std::min(16, 4 * bits); // of a piece
    const int words = bytes / 4;
    std::memcpy(chunk + (index / words * kLanes + lane) * bytes + index % words * 4, &word, sizeof word);
}

// Of four steps' nibbles, the bits from `shift` on that a plane of `bits` holds.
inline void put_nibbles(std::byte* chunk, int bits, int lane, const std::uint32_t (&steps)[4], unsigned shift) {
    const auto step = [&](int j, std::uint32_t mask) { return steps[j] >> shift & mask; };
    if (bits == 4) {
        for (int j = 0; j < 4; ++j) {
            put_word(chunk, bits, lane, j, step(j, 0xFFFFFFFFU));
        }
    } else if (bits == 2) {
        put_word(chunk, bits, lane, 0, step(0, 0x33333333U) | step(1, 0x33333333U) << 2U);
        put_word(chunk, bits, lane, 1, step(2, 0x33333333U) | step(3, 0x33333333U) << 2U);
    } else if (bits == 1) {
        put_word(chunk, bits, lane, 0, step(0, 0x11111111U) | step(1, 0x11111111U) << 1U | step(2, 0x11111111U) << 2U | step(3, 0x11111111U) << 3U);
    }
}

// One chunk of a lane whose rows' numbers for it begin at x and y.
inline void pack_floats(const std::byte* x, const std::byte* y, int lane, std::byte* chunk) {
    for (int j = 0; j < 4; ++j) {
        for (int half = 0; half < 2; ++half) {
            const std::uint64_t two_x = four_of<std::uint16_t>(x, 32 * j + 8 * (lane % 4) + 4 * half); // two floats are as long as four halves
            const std::uint64_t two_y = four_of<std::uint16_t>(y, 32 * j + 8 * (lane % 4) + 4 * half);
            put_word(chunk, 32, lane, 8 * j + 4 * half, lower(two_x));
            put_word(chunk, 32, lane, 8 * j + 4 * half + 1, upper(two_x));
            put_word(chunk, 32, lane, 8 * j + 4 * half + 2, lower(two_y));
            put_word(chunk, 32, lane, 8 * j + 4 * half + 3, upper(two_y));
        }
    }
}
inline void pack_halves(const std::byte* x, const std::byte* y, int lane, std::byte* chunk) {
    for (int j = 0; j < 4; ++j) {
        const std::uint64_t four_x = four_of<std::uint16_t>(x, 16 * j + 4 * (lane % 4));
        const std::uint64_t four_y = four_of<std::uint16_t>(y, 16 * j + 4 * (lane % 4));
        put_word(chunk, 16, lane, 4 * j, lower(four_x));
        put_word(chunk, 16, lane, 4 * j + 1, lower(four_y));
        put_word(chunk, 16, lane, 4 * j + 2, upper(four_x));
        put_word(chunk, 16, lane, 4 * j + 3, upper(four_y));
    }
}
inline void pack_bytes(const std::byte* x, const std::byte* y, int lane, std::byte* chunk) {
    for (int j = 0; j < 4; ++j) {
        const std::uint32_t a = lower(four_of<std::uint8_t>(x, 16 * j + 4 * (lane % 4)));
        const std::uint32_t b = lower(four_of<std::uint8_t>(y, 16 * j + 4 * (lane % 4)));
        put_word(chunk, 8, lane, 2 * j, (a & 0xFFU) | (b & 0xFFU) << 8U | (a & 0xFF00U) << 8U | (b & 0xFF00U) << 16U);
        put_word(chunk, 8, lane, 2 * j + 1, (a >> 16U & 0xFFU) | (b >> 8U & 0xFF00U) | (a >> 8U & 0xFF0000U) | (b & 0xFF000000U));
    }
}
inline void pack_nibbles(const DeviceMatrix& m, PlaneBits planes, const std::byte* x, const std::byte* y, int lane, std::byte* base, std::byte* extra) {
    std::uint32_t low[4];
    std::uint32_t high[4]; // the bits that nibbles have no room for: of 5 and 6
    for (int j = 0; j < 4; ++j) {
        const std::uint32_t a = lower(four_of<std::uint8_t>(x, 16 * j + 4 * (lane % 4)));
        const std::uint32_t b = lower(four_of<std::uint8_t>(y, 16 * j + 4 * (lane % 4)));
        const auto spread = m.has_levels ? level_nibbles : nibbles;
        low[j] = spread(a & 0x0F0F0F0FU, b & 0x0F0F0F0FU);
        high[j] = spread(a >> 4U & 0x0F0F0F0FU, b >> 4U & 0x0F0F0F0FU);
    }
    put_nibbles(base, planes.base, lane, low, 0);
    if (planes.base == 4) {
        put_nibbles(extra, planes.extra, lane, high, 0);
    } else {
        put_nibbles(extra, planes.extra, lane, low, 2);
    }
}

} // namespace handeye::device
