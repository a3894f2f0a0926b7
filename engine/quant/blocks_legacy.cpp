// SPDX-License-Identifier: Apache-2.0
// Blocks of 32 weights with one scale: the low nibbles of 16 bytes are the first half, the high nibbles the second.
#include "engine/quant/blocks.h"

namespace handeye::blocks {
namespace {

constexpr int kElements = 32;

} // namespace

// d f16, qs[16]
void q4_0(const std::byte* block, float* out) {
    const float d = half_at(block, 0);
    for (int e = 0; e < kElements; ++e) {
        const int q = static_cast<int>(nibble(byte_at(block, 2 + e % 16), e / 16)) - 8;
        out[e] = d * static_cast<float>(q);
    }
}

// d f16, m f16, qs[16]
void q4_1(const std::byte* block, float* out) {
    const float d = half_at(block, 0);
    const float m = half_at(block, 2);
    for (int e = 0; e < kElements; ++e) {
        out[e] = d * static_cast<float>(nibble(byte_at(block, 4 + e % 16), e / 16)) + m;
    }
}

// d f16, qh u32 (the fifth bits), qs[16]
void q5_0(const std::byte* block, float* out) {
    const float d = half_at(block, 0);
    const std::uint32_t high = word32(block, 2);
    for (unsigned e = 0; e < kElements; ++e) {
        const unsigned q = nibble(byte_at(block, 6 + e % 16), e / 16) | (high >> e & 1U) << 4U;
        out[e] = d * static_cast<float>(static_cast<int>(q) - 16);
    }
}

// d f16, m f16, qh u32, qs[16]
void q5_1(const std::byte* block, float* out) {
    const float d = half_at(block, 0);
    const float m = half_at(block, 2);
    const std::uint32_t high = word32(block, 4);
    for (unsigned e = 0; e < kElements; ++e) {
        const unsigned q = nibble(byte_at(block, 8 + e % 16), e / 16) | (high >> e & 1U) << 4U;
        out[e] = d * static_cast<float>(q) + m;
    }
}

// d f16, i8 qs[32]
void q8_0(const std::byte* block, float* out) {
    const float d = half_at(block, 0);
    for (int e = 0; e < kElements; ++e) {
        out[e] = d * static_cast<float>(signed_at(block, 2 + e));
    }
}

// d f16, qs[16] into a table of levels
void iq4_nl(const std::byte* block, float* out) {
    const float d = half_at(block, 0);
    for (int e = 0; e < kElements; ++e) {
        out[e] = d * static_cast<float>(kIq4Levels[nibble(byte_at(block, 2 + e % 16), e / 16)]);
    }
}

} // namespace handeye::blocks
