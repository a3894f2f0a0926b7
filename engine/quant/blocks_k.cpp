// SPDX-License-Identifier: Apache-2.0
// Blocks of 256 weights in sub-blocks, whose scales are themselves quantised.
// Compiled once per instruction set; the inner loops have fixed lengths, so that the compiler makes vectors of them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/blocks_k.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/quant/blocks.h"

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::blocks::HWY_NAMESPACE {


struct ScaleAndMin {
    float scale = 0;
    float min = 0;
};

// Pair j of the 8 six-bit pairs in 12 bytes of Q4_K and Q5_K.
inline ScaleAndMin six_bit_pair(const std::byte* s, int j) {
    if (j < 4) {
        return {static_cast<float>(byte_at(s, j) & 63U), static_cast<float>(byte_at(s, j + 4) & 63U)};
    }
    const unsigned both = byte_at(s, j + 4);
    return {static_cast<float>((both & 15U) | byte_at(s, j - 4) >> 6U << 4U),
            static_cast<float>(both >> 4U | byte_at(s, j) >> 6U << 4U)};
}

// scales[16], qs[64], d f16, dmin f16
void q2_k(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 80);
    const float dmin = half_at(block, 82);
    for (int part = 0; part < 16; ++part) { // 16 weights share a scale
        const unsigned s = byte_at(block, part);
        const float scale = d * static_cast<float>(s & 15U);
        const float min = dmin * static_cast<float>(s >> 4U);
        const auto shift = 2U * static_cast<unsigned>(part % 8 / 2);
        const int from = 16 + 32 * (part / 8) + 16 * (part % 2);
        for (int i = 0; i < 16; ++i) {
            out[16 * part + i] = scale * static_cast<float>(static_cast<int>(byte_at(block, from + i) >> shift & 3U)) - min;
        }
    }
}

// hmask[32], qs[64], scales[12], d f16
void q3_k(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 108);
    const std::byte* s = block + 96;
    for (int part = 0; part < 16; ++part) {
        const unsigned low = part < 8 ? byte_at(s, part) & 15U : byte_at(s, part - 8) >> 4U;
        const unsigned high = byte_at(s, 8 + part % 4) >> (2U * static_cast<unsigned>(part / 4)) & 3U;
        const float scale = d * static_cast<float>(static_cast<int>(low | high << 4U) - 32);
        const auto shift = 2U * static_cast<unsigned>(part % 8 / 2);
        const auto mask_bit = static_cast<unsigned>(part / 2);
        for (int i = 0; i < 16; ++i) {
            const int at = 16 * (part % 2) + i;
            const int q = static_cast<int>(byte_at(block, 32 + 32 * (part / 8) + at) >> shift & 3U);
            const int high_bit = static_cast<int>(byte_at(block, at) >> mask_bit & 1U); // a cleared one takes 4 away
            out[16 * part + i] = scale * static_cast<float>(q - 4 + 4 * high_bit);
        }
    }
}

// d f16, dmin f16, scales[12], qs[128]
void q4_k(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    const float dmin = half_at(block, 2);
    for (int part = 0; part < 8; ++part) { // 32 weights share a pair
        const ScaleAndMin pair = six_bit_pair(block + 4, part);
        const float scale = d * pair.scale;
        const float min = dmin * pair.min;
        const std::byte* HWY_RESTRICT from = block + 16 + 32 * (part / 2);
        const auto shift = 4U * static_cast<unsigned>(part % 2);
        for (int i = 0; i < 32; ++i) {
            out[32 * part + i] = scale * static_cast<float>(static_cast<int>(byte_at(from, i) >> shift & 15U)) - min;
        }
    }
}

// d f16, dmin f16, scales[12], qh[32], qs[128]
void q5_k(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    const float dmin = half_at(block, 2);
    for (int part = 0; part < 8; ++part) {
        const ScaleAndMin pair = six_bit_pair(block + 4, part);
        const float scale = d * pair.scale;
        const float min = dmin * pair.min;
        const std::byte* HWY_RESTRICT from = block + 48 + 32 * (part / 2);
        const auto shift = 4U * static_cast<unsigned>(part % 2);
        for (int i = 0; i < 32; ++i) {
            const unsigned high = byte_at(block, 16 + i) >> static_cast<unsigned>(part) & 1U;
            out[32 * part + i] = scale * static_cast<float>(static_cast<int>((byte_at(from, i) >> shift & 15U) | high << 4U)) - min;
        }
    }
}

// ql[128], qh[64], i8 scales[16], d f16
void q6_k(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 208);
    for (int part = 0; part < 16; ++part) {
        const float scale = d * static_cast<float>(signed_at(block, 192 + part));
        const int half = part / 8;
        const int k = part % 8 / 2; // which 32 of the half's 128
        const auto low_shift = 4U * static_cast<unsigned>(k / 2);
        const auto high_shift = 2U * static_cast<unsigned>(k);
        const int first = 16 * (part % 2);
        for (int i = 0; i < 16; ++i) {
            const unsigned low = byte_at(block, 64 * half + 32 * (k % 2) + first + i) >> low_shift & 15U;
            const unsigned high = byte_at(block, 128 + 32 * half + first + i) >> high_shift & 3U;
            out[16 * part + i] = scale * static_cast<float>(static_cast<int>(low | high << 4U) - 32);
        }
    }
}

// d f16, scales_h u16, scales_l[4], qs[128]
void iq4_xs(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    for (int part = 0; part < 8; ++part) {
        const unsigned low = nibble(byte_at(block, 4 + part / 2), part % 2);
        const unsigned high = word16(block, 2) >> (2U * static_cast<unsigned>(part)) & 3U;
        const float scale = d * static_cast<float>(static_cast<int>(low | high << 4U) - 32);
        for (int i = 0; i < 16; ++i) {
            const unsigned both = byte_at(block, 8 + 16 * part + i);
            out[32 * part + i] = scale * static_cast<float>(kIq4Levels[both & 15U]);
            out[32 * part + 16 + i] = scale * static_cast<float>(kIq4Levels[both >> 4U]);
        }
    }
}

} // namespace handeye::blocks::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::blocks {

HWY_EXPORT(q2_k);
HWY_EXPORT(q3_k);
HWY_EXPORT(q4_k);
HWY_EXPORT(q5_k);
HWY_EXPORT(q6_k);
HWY_EXPORT(iq4_xs);

void q2_k(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q2_k)(block, out); }
void q3_k(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q3_k)(block, out); }
void q4_k(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q4_k)(block, out); }
void q5_k(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q5_k)(block, out); }
void q6_k(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q6_k)(block, out); }
void iq4_xs(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq4_xs)(block, out); }

} // namespace handeye::blocks
#endif
