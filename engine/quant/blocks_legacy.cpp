// SPDX-License-Identifier: Apache-2.0
// Blocks of 32 weights with one scale: the low nibbles of 16 bytes are the first half, the high nibbles the second.
// Compiled once per instruction set; every loop has a fixed length, so that the compiler makes vectors of it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/blocks_legacy.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/quant/blocks.h"

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::blocks::HWY_NAMESPACE {

constexpr int kHalf = 16;

// d f16, qs[16]
void q4_0(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    for (int i = 0; i < kHalf; ++i) {
        const int both = static_cast<int>(byte_at(block, 2 + i));
        out[i] = d * static_cast<float>((both & 15) - 8);
        out[kHalf + i] = d * static_cast<float>((both >> 4) - 8);
    }
}

// d f16, m f16, qs[16]
void q4_1(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    const float m = half_at(block, 2);
    for (int i = 0; i < kHalf; ++i) {
        const int both = static_cast<int>(byte_at(block, 4 + i));
        out[i] = d * static_cast<float>(both & 15) + m;
        out[kHalf + i] = d * static_cast<float>(both >> 4) + m;
    }
}

// d f16, qh u32 (the fifth bits), qs[16]
void q5_0(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    const std::uint32_t high = word32(block, 2);
    for (unsigned i = 0; i < kHalf; ++i) {
        const unsigned both = byte_at(block, 6 + i);
        out[i] = d * static_cast<float>(static_cast<int>((both & 15U) | (high >> i & 1U) << 4U) - 16);
        out[kHalf + i] = d * static_cast<float>(static_cast<int>(both >> 4U | (high >> (i + 16U) & 1U) << 4U) - 16);
    }
}

// d f16, m f16, qh u32, qs[16]
void q5_1(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    const float m = half_at(block, 2);
    const std::uint32_t high = word32(block, 4);
    for (unsigned i = 0; i < kHalf; ++i) {
        const unsigned both = byte_at(block, 8 + i);
        out[i] = d * static_cast<float>(static_cast<int>((both & 15U) | (high >> i & 1U) << 4U)) + m;
        out[kHalf + i] = d * static_cast<float>(static_cast<int>(both >> 4U | (high >> (i + 16U) & 1U) << 4U)) + m;
    }
}

// d f16, i8 qs[32]
void q8_0(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    for (int i = 0; i < 2 * kHalf; ++i) {
        out[i] = d * static_cast<float>(signed_at(block, 2 + i));
    }
}

// d f16, qs[16] into a table of levels
void iq4_nl(const std::byte* HWY_RESTRICT block, float* HWY_RESTRICT out) {
    const float d = half_at(block, 0);
    for (int i = 0; i < kHalf; ++i) {
        const unsigned both = byte_at(block, 2 + i);
        out[i] = d * static_cast<float>(kIq4Levels[both & 15U]);
        out[kHalf + i] = d * static_cast<float>(kIq4Levels[both >> 4U]);
    }
}

} // namespace handeye::blocks::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::blocks {

HWY_EXPORT(q4_0);
HWY_EXPORT(q4_1);
HWY_EXPORT(q5_0);
HWY_EXPORT(q5_1);
HWY_EXPORT(q8_0);
HWY_EXPORT(iq4_nl);

void q4_0(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q4_0)(block, out); }
void q4_1(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q4_1)(block, out); }
void q5_0(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q5_0)(block, out); }
void q5_1(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q5_1)(block, out); }
void q8_0(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(q8_0)(block, out); }
void iq4_nl(const std::byte* block, float* out) { HWY_DYNAMIC_DISPATCH(iq4_nl)(block, out); }

} // namespace handeye::blocks
#endif
