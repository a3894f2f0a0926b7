// SPDX-License-Identifier: Apache-2.0
// Codes out of words, compiled once per instruction set. Loops have fixed lengths, so that the compiler makes vectors of them.
#if defined(HANDEYE_UNPACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANDEYE_UNPACK_INL_H_
#undef HANDEYE_UNPACK_INL_H_
#else
#define HANDEYE_UNPACK_INL_H_
#endif

#include "engine/quant/packing.h"

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {

/// The codes of one word, lowest bits first: out = scale * (code - zero).
template <unsigned Bits>
HWY_INLINE void unpack_word(std::uint32_t codes, float scale, int zero, float* HWY_RESTRICT out) {
    constexpr std::uint32_t kMask = (1U << Bits) - 1U;
    for (unsigned k = 0; k < 32 / Bits; ++k) {
        out[k] = scale * static_cast<float>(static_cast<int>(codes >> (Bits * k) & kMask) - zero);
    }
}

/// Eight codes of a stream of bits that begins with a byte: out = scale * code + offset.
template <unsigned Bits>
HWY_INLINE void unpack_eight(const std::byte* HWY_RESTRICT from, float scale, float offset, float* HWY_RESTRICT out) {
    constexpr std::uint64_t kMask = (1U << Bits) - 1U;
    std::uint64_t codes = 0;
    for (unsigned i = 0; i < Bits; ++i) { // eight codes are as many bytes as one has bits
        codes |= std::to_integer<std::uint64_t>(from[i]) << (8U * i);
    }
    for (unsigned k = 0; k < 8; ++k) {
        out[k] = scale * static_cast<float>(static_cast<int>(codes >> (Bits * k) & kMask)) + offset;
    }
}

/// Where scale and zero point of (row, group) lie is what tells GPTQ from compressed-tensors: `find` gives both, `code_word` the
/// word of (row, first column). Tiles begin and end with whole words.
template <unsigned Bits, class Find, class CodeWord>
HWY_INLINE void unpack_tile(const WeightMatrix& w, const Tile& tile, float* out, const Find& find, const CodeWord& code_word) {
    constexpr std::int64_t kPerWord = 32 / Bits;
    constexpr std::uint32_t kMask = (1U << Bits) - 1U;
    const bool is_even = w.group_of == nullptr && w.group % kPerWord == 0;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::int64_t row = w.first_row + tile.row + r;
        float* to = out + r * tile.stride;
        packing::GroupScan groups(w);
        float scale = 0;
        int zero = 0;
        for (std::int64_t c = 0; c < tile.cols; c += kPerWord) {
            const std::int64_t col = tile.col + c;
            const std::uint32_t codes = code_word(row, col);
            if (is_even) {
                if (groups.enters(col)) {
                    find(row, groups.group(), scale, zero);
                }
                unpack_word<Bits>(codes, scale, zero, to + c);
                continue;
            }
            for (std::int64_t k = 0; k < kPerWord; ++k) {
                if (groups.enters(col + k)) {
                    find(row, groups.group(), scale, zero);
                }
                const std::uint32_t code = codes >> (Bits * static_cast<unsigned>(k)) & kMask;
                to[c + k] = scale * static_cast<float>(static_cast<int>(code) - zero);
            }
        }
    }
}

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
