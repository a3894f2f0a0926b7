// SPDX-License-Identifier: Apache-2.0
// Codes of few bits to bytes, eight at a time in one word.
#pragma once

#include <cstdint>
#include <cstring>

namespace handeye {

/// `width` ones in each `step` bits, the first of them at bit `first`.
constexpr std::uint64_t repeated_ones(unsigned width, unsigned step, unsigned first) {
    std::uint64_t ones = 0;
    for (unsigned at = first; at < 64; at += step) {
        ones |= (~std::uint64_t{0} >> (64U - width)) << at;
    }
    return ones;
}

/// Eight codes that follow each other, the first in the lowest bits, to a byte each.
template <unsigned Bits>
constexpr std::uint64_t spread_eight(std::uint64_t codes) {
    if constexpr (Bits < 8) { // halves apart, then halves of those, then single codes
        codes = (codes & repeated_ones(4 * Bits, 64, 0)) | (codes & repeated_ones(4 * Bits, 64, 4 * Bits)) << (32U - 4 * Bits);
        codes = (codes & repeated_ones(2 * Bits, 32, 0)) | (codes & repeated_ones(2 * Bits, 32, 2 * Bits)) << (16U - 2 * Bits);
        codes = (codes & repeated_ones(Bits, 16, 0)) | (codes & repeated_ones(Bits, 16, Bits)) << (8U - Bits);
    }
    return codes;
}

/// The codes of one word.
template <unsigned Bits>
void spread_word(std::uint32_t word, std::uint8_t* to) {
    if constexpr (Bits == 8) {
        std::memcpy(to, &word, sizeof word);
    } else {
        for (unsigned at = 0; at < 32; at += 8 * Bits, to += 8) {
            const std::uint64_t eight = spread_eight<Bits>(word >> at);
            std::memcpy(to, &eight, sizeof eight);
        }
    }
}

} // namespace handeye
