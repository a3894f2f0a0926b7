// SPDX-License-Identifier: Apache-2.0
// The codebooks of the IQ types, entry by entry. Numbers chosen by ggml's authors from quantisation statistics
// (ggml-common.h, MIT); no formula makes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace handeye::blocks {

template <std::size_t Entries, std::size_t Values>
using Codebook = std::array<std::array<std::int8_t, Values>, Entries>;

const Codebook<256, 8>& iq2xxs_grid();
const Codebook<512, 8>& iq2xs_grid();
const Codebook<1024, 8>& iq2s_grid();
const Codebook<256, 4>& iq3xxs_grid();
const Codebook<512, 4>& iq3s_grid();
const Codebook<2048, 8>& iq1s_grid();

/// Bit j is set where value j is negative: the seventh-bit index with its parity as the eighth bit.
constexpr unsigned even_signs(unsigned index) {
    unsigned parity = index ^ index >> 4U;
    parity ^= parity >> 2U;
    parity ^= parity >> 1U;
    return index | (parity & 1U) << 7U;
}

/// -1 where the bit of a value is set, else 1.
inline constexpr std::array<std::array<float, 8>, 256> kSigns = [] {
    std::array<std::array<float, 8>, 256> signs{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        for (unsigned j = 0; j < 8; ++j) {
            signs[byte][j] = (byte >> j & 1U) != 0 ? -1.0F : 1.0F;
        }
    }
    return signs;
}();

} // namespace handeye::blocks
