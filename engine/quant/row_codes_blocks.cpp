// SPDX-License-Identifier: Apache-2.0
// Codes and scales of GGUF blocks: the list of types, and those whose codes are whole numbers. Layouts are those of blocks_legacy.cpp and
// blocks_k.cpp. Loops have fixed lengths, so that the compiler makes vectors of them.
#include "engine/quant/row_codes_blocks.h"

#include "engine/quant/blocks.h"
#include "engine/quant/spread_codes.h"

#include <algorithm>
#include <cstring>

#include <hwy/base.h>

namespace handeye {
namespace blocks {
namespace {

std::uint16_t bits_at(const std::byte* block, std::int64_t at) { return static_cast<std::uint16_t>(word16(block, at)); }

/// Bits `shift` and up of each byte.
template <int Count, unsigned Mask>
void put_bits(const std::byte* HWY_RESTRICT from, unsigned shift, std::uint8_t* HWY_RESTRICT codes) {
    for (int i = 0; i < Count; ++i) {
        codes[i] = static_cast<std::uint8_t>(byte_at(from, i) >> shift & Mask);
    }
}
/// The same as bits `To` and up of codes that have none there yet.
template <int Count, unsigned Mask, unsigned To>
void add_bits(const std::byte* HWY_RESTRICT from, unsigned shift, std::uint8_t* HWY_RESTRICT codes) {
    for (int i = 0; i < Count; ++i) {
        codes[i] = static_cast<std::uint8_t>(codes[i] | (byte_at(from, i) >> shift & Mask) << To);
    }
}
/// 16 bytes: the low nibbles, then the high ones.
void put_nibbles(const std::byte* from, std::uint8_t* codes) {
    put_bits<16, 15>(from, 0, codes);
    put_bits<16, 15>(from, 4, codes + 16);
}
void add_fifth_bits(std::uint32_t bits, std::uint8_t* codes) {
    for (unsigned i = 0; i < 32; i += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, codes + i, sizeof eight);
        eight |= spread_eight<1>(bits >> i & 255U) << 4U;
        std::memcpy(codes + i, &eight, sizeof eight);
    }
}
/// Signed bytes plus 128.
template <int Count>
void put_signed(const std::byte* HWY_RESTRICT from, std::uint8_t* HWY_RESTRICT codes) {
    for (int i = 0; i < Count; ++i) {
        codes[i] = static_cast<std::uint8_t>(byte_at(from, i) ^ 128U);
    }
}

void q4_0_codes(const std::byte* block, const BlockPlace& to) { // IQ4_NL too
    to.scale[0] = half_at(block, 0);
    put_nibbles(block + 2, to.codes);
}

void q4_1_codes(const std::byte* block, const BlockPlace& to) {
    to.scale[0] = half_at(block, 0);
    to.offset[0] = half_at(block, 2);
    put_nibbles(block + 4, to.codes);
}

void q5_0_codes(const std::byte* block, const BlockPlace& to) {
    to.scale[0] = half_at(block, 0);
    put_nibbles(block + 6, to.codes);
    add_fifth_bits(word32(block, 2), to.codes);
}

void q5_1_codes(const std::byte* block, const BlockPlace& to) {
    to.scale[0] = half_at(block, 0);
    to.offset[0] = half_at(block, 2);
    put_nibbles(block + 8, to.codes);
    add_fifth_bits(word32(block, 4), to.codes);
}

void q8_0_codes(const std::byte* block, const BlockPlace& to) {
    to.scale[0] = half_at(block, 0);
    put_signed<32>(block + 2, to.codes);
}

void q2_k_codes(const std::byte* block, const BlockPlace& to) {
    to.super[0] = bits_at(block, 80);
    to.super_min[0] = bits_at(block, 82);
    put_bits<16, 15>(block, 0, to.fine);
    put_bits<16, 15>(block, 4, to.fine_min);
    for (std::int64_t part = 0; part < 8; ++part) { // of 32
        put_bits<32, 3>(block + 16 + 32 * (part / 4), 2U * static_cast<unsigned>(part % 4), to.codes + 32 * part);
    }
}

void q3_k_codes(const std::byte* block, const BlockPlace& to) {
    to.super[0] = bits_at(block, 108);
    const std::byte* scales = block + 96;
    for (int i = 0; i < 16; ++i) {
        const unsigned low = nibble(byte_at(scales, i % 8), i / 8);
        const unsigned high = byte_at(scales, 8 + i % 4) >> (2U * static_cast<unsigned>(i / 4)) & 3U;
        to.fine[i] = static_cast<std::uint8_t>((low | high << 4U) - 32U);
    }
    for (std::int64_t part = 0; part < 8; ++part) {
        put_bits<32, 3>(block + 32 + 32 * (part / 4), 2U * static_cast<unsigned>(part % 4), to.codes + 32 * part);
        add_bits<32, 1, 2>(block, static_cast<unsigned>(part), to.codes + 32 * part);
    }
}

/// The 8 pairs of six bits in 12 bytes of Q4_K and Q5_K.
void put_six_bit_pairs(const std::byte* s, const BlockPlace& to) {
    put_bits<4, 63>(s, 0, to.fine);
    put_bits<4, 63>(s + 4, 0, to.fine_min);
    put_bits<4, 15>(s + 8, 0, to.fine + 4);
    put_bits<4, 15>(s + 8, 4, to.fine_min + 4);
    add_bits<4, 3, 4>(s, 6, to.fine + 4);
    add_bits<4, 3, 4>(s + 4, 6, to.fine_min + 4);
}

void q4_k_codes(const std::byte* block, const BlockPlace& to) {
    to.super[0] = bits_at(block, 0);
    to.super_min[0] = bits_at(block, 2);
    put_six_bit_pairs(block + 4, to);
    for (std::int64_t part = 0; part < 8; ++part) {
        put_bits<32, 15>(block + 16 + 32 * (part / 2), 4U * static_cast<unsigned>(part % 2), to.codes + 32 * part);
    }
}

void q5_k_codes(const std::byte* block, const BlockPlace& to) {
    to.super[0] = bits_at(block, 0);
    to.super_min[0] = bits_at(block, 2);
    put_six_bit_pairs(block + 4, to);
    for (std::int64_t part = 0; part < 8; ++part) {
        put_bits<32, 15>(block + 48 + 32 * (part / 2), 4U * static_cast<unsigned>(part % 2), to.codes + 32 * part);
        add_bits<32, 1, 4>(block + 16, static_cast<unsigned>(part), to.codes + 32 * part);
    }
}

void q6_k_codes(const std::byte* block, const BlockPlace& to) {
    to.super[0] = bits_at(block, 208);
    put_bits<16, 255>(block + 192, 0, to.fine);
    for (std::int64_t part = 0; part < 8; ++part) {
        const std::int64_t half = part / 4;
        const std::int64_t k = part % 4; // which 32 of the half's 128
        put_bits<32, 15>(block + 64 * half + 32 * (k % 2), 4U * static_cast<unsigned>(k / 2), to.codes + 32 * part);
        add_bits<32, 3, 4>(block + 128 + 32 * half, 2U * static_cast<unsigned>(k), to.codes + 32 * part);
    }
}

void iq4_xs_codes(const std::byte* block, const BlockPlace& to) {
    to.super[0] = bits_at(block, 0);
    for (std::int64_t part = 0; part < 8; ++part) {
        const unsigned low = nibble(byte_at(block, 4 + part / 2), part % 2);
        const unsigned high = word16(block, 2) >> (2U * static_cast<unsigned>(part)) & 3U;
        to.fine[part] = static_cast<std::uint8_t>((low | high << 4U) - 32U);
        put_nibbles(block + 8 + 16 * part, to.codes + 32 * part);
    }
}

using Levels = std::span<const std::int8_t>;

constexpr CodeLayout with_number(int bits, int zero, Levels levels = {}) {
    return {.bits = bits, .zero = zero, .levels = levels, .scales = ScaleKind::Number, .numbers = DType::F16, .group = 32};
}
constexpr CodeLayout with_offset(int bits) {
    return {.bits = bits, .scales = ScaleKind::NumberAndOffset, .numbers = DType::F16, .group = 32};
}
constexpr CodeLayout with_super(int bits, int zero, std::int64_t group) {
    return {.bits = bits, .zero = zero, .scales = ScaleKind::Super, .group = group};
}
constexpr CodeLayout with_min(int bits, std::int64_t group) { return {.bits = bits, .scales = ScaleKind::SuperAndMin, .group = group}; }
constexpr CodeLayout with_levels(int bits, Levels levels, std::int64_t group, float factor) {
    return {.bits = bits, .levels = levels, .scales = ScaleKind::Super, .group = group, .factor = factor};
}

// By ggml's ids, as in blocks.cpp.
constexpr std::array kBlockCodes = {
    BlockCodes{2, with_number(4, 8), q4_0_codes},
    BlockCodes{3, with_offset(4), q4_1_codes},
    BlockCodes{6, with_number(5, 16), q5_0_codes},
    BlockCodes{7, with_offset(5), q5_1_codes},
    BlockCodes{8, with_number(8, 128), q8_0_codes},
    BlockCodes{10, with_min(2, 16), q2_k_codes},
    BlockCodes{11, with_super(3, 4, 16), q3_k_codes},
    BlockCodes{12, with_min(4, 32), q4_k_codes},
    BlockCodes{13, with_min(5, 32), q5_k_codes},
    BlockCodes{14, with_super(6, 32, 16), q6_k_codes},
    BlockCodes{16, with_levels(3, kIq2Levels, 32, 0.125F), iq2_xxs_codes},
    BlockCodes{17, with_levels(3, kIq2Levels, 16, 0.125F), iq2_xs_codes},
    BlockCodes{18, with_levels(4, kIq3XxsLevels, 32, 0.25F), iq3_xxs_codes},
    BlockCodes{19, with_levels(3, kIq1Levels, 32, 0.125F), iq1_s_codes},
    BlockCodes{20, with_number(4, 0, kIq4Levels), q4_0_codes},
    BlockCodes{21, with_levels(4, kIq3SLevels, 32, 1), iq3_s_codes},
    BlockCodes{22, with_levels(3, kIq2Levels, 16, 0.125F), iq2_s_codes},
    BlockCodes{23, with_levels(4, kIq4Levels, 32, 1), iq4_xs_codes},
    BlockCodes{29, with_levels(3, kIq1Levels, 16, 0.125F), iq1_m_codes},
};

} // namespace
} // namespace blocks

const BlockCodes* find_block_codes(std::uint32_t gguf_type) {
    const auto& all = blocks::kBlockCodes;
    const auto* found = std::find_if(all.begin(), all.end(), [&](const BlockCodes& codes) { return codes.gguf_type == gguf_type; });
    return found == all.end() ? nullptr : found;
}

} // namespace handeye
