// SPDX-License-Identifier: Apache-2.0
// Blocks of 256 weights whose groups of 8 or 4 are entries of a codebook with signs.
// Compiled once per instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/blocks_iq.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/quant/blocks.h"
#include "engine/quant/iq_tables.h"

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::blocks::HWY_NAMESPACE {


// 32 weights are part k, 8 of them group l: element 32k + 8l + j.
constexpr int kParts = 8;
constexpr int kGroups = 4;

template <class Entry>
void put8(float scale, const Entry& entry, unsigned signs, float* HWY_RESTRICT out) {
    const auto& sign = kSigns[signs & 255U];
    for (unsigned j = 0; j < 8; ++j) {
        out[j] = scale * static_cast<float>(entry[j]) * sign[j];
    }
}

template <class Entry>
void put4(float scale, const Entry& entry, unsigned signs, float* HWY_RESTRICT out) {
    const auto& sign = kSigns[signs & 15U];
    for (unsigned j = 0; j < 4; ++j) {
        out[j] = scale * static_cast<float>(entry[j]) * sign[j];
    }
}

template <class Entry>
void put_shifted(float scale, const Entry& entry, float delta, float* HWY_RESTRICT out) {
    for (unsigned j = 0; j < 8; ++j) {
        out[j] = scale * (static_cast<float>(entry[j]) + delta);
    }
}

// d f16; for each part 4 indices and a word: 4 sign indices of 7 bits, scale of 4
void iq2_xxs(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq2xxs_grid();
    const float d = half_at(block, 0);
    for (int k = 0; k < kParts; ++k) {
        const std::uint32_t w = word32(block, 2 + 8 * k + 4);
        const float scale = d * (0.5F + static_cast<float>(w >> 28U)) * 0.25F;
        for (int l = 0; l < kGroups; ++l) {
            const unsigned signs = even_signs(w >> (7U * static_cast<unsigned>(l)) & 127U);
            put8(scale, grid[byte_at(block, 2 + 8 * k + l)], signs, out + 32 * k + 8 * l);
        }
    }
}

// d f16, u16 qs[32] (9 bits index, 7 bits signs), scales[8]
void iq2_xs(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq2xs_grid();
    const float d = half_at(block, 0);
    for (int k = 0; k < kParts; ++k) {
        for (int l = 0; l < kGroups; ++l) {
            const std::uint32_t q = word16(block, 2 + 2 * (4 * k + l));
            const float scale = d * (0.5F + static_cast<float>(nibble(byte_at(block, 66 + k), l / 2))) * 0.25F;
            put8(scale, grid[q & 511U], even_signs(q >> 9U), out + 32 * k + 8 * l);
        }
    }
}

// d f16, low[32], signs[32], qh[8], scales[8]
void iq2_s(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq2s_grid();
    const float d = half_at(block, 0);
    for (int k = 0; k < kParts; ++k) {
        for (int l = 0; l < kGroups; ++l) {
            const int g = 4 * k + l;
            const unsigned high = byte_at(block, 66 + k) >> (2U * static_cast<unsigned>(l)) & 3U;
            const float scale = d * (0.5F + static_cast<float>(nibble(byte_at(block, 74 + k), l / 2))) * 0.25F;
            put8(scale, grid[byte_at(block, 2 + g) | high << 8U], byte_at(block, 34 + g), out + 8 * g);
        }
    }
}

// d f16, qs[64], u32 words[8]
void iq3_xxs(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq3xxs_grid();
    const float d = half_at(block, 0);
    for (int k = 0; k < kParts; ++k) {
        const std::uint32_t w = word32(block, 66 + 4 * k);
        const float scale = d * (0.5F + static_cast<float>(w >> 28U)) * 0.5F;
        for (int l = 0; l < kGroups; ++l) {
            const unsigned signs = even_signs(w >> (7U * static_cast<unsigned>(l)) & 127U);
            float* to = out + 32 * k + 8 * l;
            put4(scale, grid[byte_at(block, 2 + 8 * k + 2 * l)], signs, to);
            put4(scale, grid[byte_at(block, 2 + 8 * k + 2 * l + 1)], signs >> 4U, to + 4);
        }
    }
}

// d f16, qs[64], qh[8], signs[32], scales[4]
void iq3_s(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq3s_grid();
    const float d = half_at(block, 0);
    for (int t = 0; t < 64; ++t) { // groups of 4
        const int k = t / 8;
        const unsigned high = byte_at(block, 66 + k) >> static_cast<unsigned>(t % 8) & 1U;
        const float scale = d * static_cast<float>(1U + 2U * nibble(byte_at(block, 106 + k / 2), k % 2));
        put4(scale, grid[byte_at(block, 2 + t) | high << 8U], nibble(byte_at(block, 74 + t / 2), t % 2), out + 4 * t);
    }
}

// d f16, qs[32], u16 qh[8]
void iq1_s(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq1s_grid();
    const float d = half_at(block, 0);
    for (int k = 0; k < kParts; ++k) {
        const std::uint32_t h = word16(block, 34 + 2 * k);
        const float scale = d * static_cast<float>(2U * (h >> 12U & 7U) + 1U);
        const float delta = (h >> 15U & 1U) != 0 ? -0.125F : 0.125F;
        for (int l = 0; l < kGroups; ++l) {
            const unsigned high = h >> (3U * static_cast<unsigned>(l)) & 7U;
            put_shifted(scale, grid[byte_at(block, 4 * k + l + 2) | high << 8U], delta, out + 32 * k + 8 * l);
        }
    }
}

// qs[32], qh[16], u16 scales[4] whose top nibbles are the f16 scale
void iq1_m(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const auto& grid = iq1s_grid();
    unsigned bits = 0;
    for (unsigned i = 0; i < 4; ++i) {
        bits |= (word16(block, 48 + 2 * static_cast<int>(i)) >> 12U) << (4U * i);
    }
    const float d = half_as_float(static_cast<std::uint16_t>(bits));
    for (int k = 0; k < kParts; ++k) {
        for (int l = 0; l < kGroups; ++l) {
            const int g = 4 * k + l;
            const unsigned h = nibble(byte_at(block, 32 + g / 2), g % 2);
            const auto shift = static_cast<unsigned>(6 * (k % 2) + 3 * (l / 2));
            const unsigned s = word16(block, 48 + 2 * (k / 2)) >> shift & 7U;
            const float delta = (h & 8U) != 0 ? -0.125F : 0.125F;
            put_shifted(d * static_cast<float>(2U * s + 1U), grid[byte_at(block, g) | (h & 7U) << 8U], delta, out + 8 * g);
        }
    }
}

} // namespace handeye::blocks::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::blocks {

HWY_EXPORT(iq2_xxs);
HWY_EXPORT(iq2_xs);
HWY_EXPORT(iq2_s);
HWY_EXPORT(iq3_xxs);
HWY_EXPORT(iq3_s);
HWY_EXPORT(iq1_s);
HWY_EXPORT(iq1_m);

void iq2_xxs(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq2_xxs)(block, out); }
void iq2_xs(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq2_xs)(block, out); }
void iq2_s(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq2_s)(block, out); }
void iq3_xxs(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq3_xxs)(block, out); }
void iq3_s(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq3_s)(block, out); }
void iq1_s(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq1_s)(block, out); }
void iq1_m(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq1_m)(block, out); }

} // namespace handeye::blocks
#endif
