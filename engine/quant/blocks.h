// SPDX-License-Identifier: Apache-2.0
// The blocks of GGUF files: what each ggml type is called, how large it is, how it is decoded. Layouts and formulas are
// ggml's (ggml-common.h, ggml-quants.c, MIT).
#pragma once

#include "engine/tensor/tensor.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace handeye {

std::span<const BlockFormat> block_formats();
/// Null for an id that is not in the list.
const BlockFormat* find_block_format(std::uint32_t gguf_type);

// Decoders, one block each; `out` takes the block's elements.
namespace blocks {

inline unsigned byte_at(const std::byte* block, std::int64_t at) { return std::to_integer<unsigned>(block[at]); }
inline unsigned nibble(unsigned byte, std::int64_t which) { return byte >> (4U * static_cast<unsigned>(which)) & 15U; }
inline int signed_at(const std::byte* block, std::int64_t at) { return static_cast<std::int8_t>(byte_at(block, at)); }
inline std::uint32_t word16(const std::byte* block, std::int64_t at) {
    return byte_at(block, at) | byte_at(block, at + 1) << 8U;
}
inline std::uint32_t word32(const std::byte* block, std::int64_t at) {
    return word16(block, at) | word16(block, at + 2) << 16U;
}
inline float half_at(const std::byte* block, std::int64_t at) {
    return half_as_float(static_cast<std::uint16_t>(word16(block, at)));
}

void q4_0(const std::byte* block, float* out);
void q4_1(const std::byte* block, float* out);
void q5_0(const std::byte* block, float* out);
void q5_1(const std::byte* block, float* out);
void q8_0(const std::byte* block, float* out);
void iq4_nl(const std::byte* block, float* out);
void q2_k(const std::byte* block, float* out);
void q3_k(const std::byte* block, float* out);
void q4_k(const std::byte* block, float* out);
void q5_k(const std::byte* block, float* out);
void q6_k(const std::byte* block, float* out);
void iq4_xs(const std::byte* block, float* out);
void iq2_xxs(const std::byte* block, float* out);
void iq2_xs(const std::byte* block, float* out);
void iq2_s(const std::byte* block, float* out);
void iq3_xxs(const std::byte* block, float* out);
void iq3_s(const std::byte* block, float* out);
void iq1_s(const std::byte* block, float* out);
void iq1_m(const std::byte* block, float* out);

/// The 16 levels of IQ4_NL and IQ4_XS.
inline constexpr std::int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

} // namespace blocks
} // namespace handeye
