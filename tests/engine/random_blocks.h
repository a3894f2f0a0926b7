// SPDX-License-Identifier: Apache-2.0
// GGUF blocks of any bits: only their half-precision numbers are chosen, since most of those are huge or none.
#pragma once

#include "engine/quant/blocks.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace handeye {

/// Where a block's halves lie; empty for formats that are not known here.
inline std::vector<std::int64_t> halves_of_block(const BlockFormat& format) {
    switch (format.gguf_type) {
    case 2: case 6: case 8: return {0};             // Q4_0, Q5_0, Q8_0
    case 3: case 7: case 12: case 13: return {0, 2}; // Q4_1, Q5_1, Q4_K, Q5_K
    case 14: return {208};                          // Q6_K
    default: return {};
    }
}

/// `count` blocks; byte i of them all is byte_at(i), halves are 2^-7 to 2^-6 with either sign.
template <class ByteAt>
std::vector<std::byte> blocks_of(const BlockFormat& format, std::int64_t count, std::mt19937& bits, const ByteAt& byte_at) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(count * format.bytes));
    const std::vector<std::int64_t> halves = halves_of_block(format);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = byte_at(i) & (halves.empty() ? std::byte{0x2F} : std::byte{0xFF});
    }
    for (std::int64_t block = 0; block < count; ++block) {
        for (const std::int64_t at : halves) {
            const auto half = static_cast<std::uint16_t>((bits() & 0x83FFU) | 0x2000U);
            std::memcpy(bytes.data() + block * format.bytes + at, &half, sizeof half);
        }
    }
    return bytes;
}
inline std::vector<std::byte> random_blocks(const BlockFormat& format, std::int64_t count, std::mt19937& bits) {
    return blocks_of(format, count, bits, [&](std::size_t) { return static_cast<std::byte>(bits() & 0xFFU); });
}

} // namespace handeye
