// SPDX-License-Identifier: Apache-2.0
// Codes and scales of the GGUF types whose weights are entries of a codebook. A code is an entry's magnitude, further up where it has a minus.
// Layouts are those of blocks_iq.cpp.
#include "engine/quant/blocks.h"
#include "engine/quant/iq_tables.h"
#include "engine/quant/row_codes_blocks.h"

namespace handeye::blocks {
namespace {

// 32 weights are part k, 8 of them group l: element 32k + 8l + j.
constexpr std::int64_t kParts = 8;
constexpr std::int64_t kGroups = 4;

/// Which of the magnitudes a value is.
using Places = std::array<std::uint8_t, 64>;
template <std::size_t Count>
constexpr Places places_of(const std::array<std::int8_t, Count>& magnitudes) {
    Places places{};
    for (std::size_t i = 0; i < Count; ++i) {
        places[static_cast<std::size_t>(magnitudes[i])] = static_cast<std::uint8_t>(i);
    }
    return places;
}
constexpr Places kIq2Places = places_of(kIq2Magnitudes);
constexpr Places kIq3XxsPlaces = places_of(kIq3XxsMagnitudes);
constexpr Places kIq3SPlaces = places_of(kIq3SMagnitudes);

/// An entry of `Values` magnitudes and as many signs; `Count` magnitudes exist.
template <unsigned Count, std::size_t Values>
void put_signed(const std::array<std::int8_t, Values>& entry, const Places& places, unsigned signs, std::uint8_t* codes) {
    for (unsigned j = 0; j < Values; ++j) {
        const unsigned place = places[static_cast<std::size_t>(entry[j])];
        codes[j] = static_cast<std::uint8_t>(place + Count * (signs >> j & 1U));
    }
}
void put_iq2(const std::array<std::int8_t, 8>& entry, unsigned signs, std::uint8_t* codes) {
    put_signed<kIq2Magnitudes.size()>(entry, kIq2Places, signs, codes);
}

/// -1, 0 or 1 and an eighth.
void put_shifted(const std::array<std::int8_t, 8>& entry, bool is_less, std::uint8_t* codes) {
    for (std::size_t j = 0; j < 8; ++j) {
        codes[j] = static_cast<std::uint8_t>(entry[j] + (is_less ? 4 : 1));
    }
}

std::uint16_t bits_at(const std::byte* block, std::int64_t at) { return static_cast<std::uint16_t>(word16(block, at)); }
/// Scales of these types are odd.
std::uint8_t odd(unsigned scale) { return static_cast<std::uint8_t>(2U * scale + 1U); }

} // namespace

void iq2_xxs_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq2xxs_grid();
    to.super[0] = bits_at(block, 0);
    for (std::int64_t k = 0; k < kParts; ++k) {
        const std::uint32_t w = word32(block, 2 + 8 * k + 4);
        to.fine[k] = odd(w >> 28U);
        for (std::int64_t l = 0; l < kGroups; ++l) {
            const unsigned signs = even_signs(w >> (7U * static_cast<unsigned>(l)) & 127U);
            put_iq2(grid[byte_at(block, 2 + 8 * k + l)], signs, to.codes + 32 * k + 8 * l);
        }
    }
}

void iq2_xs_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq2xs_grid();
    to.super[0] = bits_at(block, 0);
    for (std::int64_t g = 0; g < kParts * kGroups; ++g) {
        const std::uint32_t q = word16(block, 2 + 2 * g);
        to.fine[g / 2] = odd(nibble(byte_at(block, 66 + g / 4), g / 2 % 2));
        put_iq2(grid[q & 511U], even_signs(q >> 9U), to.codes + 8 * g);
    }
}

void iq2_s_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq2s_grid();
    to.super[0] = bits_at(block, 0);
    for (std::int64_t g = 0; g < kParts * kGroups; ++g) {
        const unsigned high = byte_at(block, 66 + g / 4) >> (2U * static_cast<unsigned>(g % 4)) & 3U;
        to.fine[g / 2] = odd(nibble(byte_at(block, 74 + g / 4), g / 2 % 2));
        put_iq2(grid[byte_at(block, 2 + g) | high << 8U], byte_at(block, 34 + g), to.codes + 8 * g);
    }
}

void iq3_xxs_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq3xxs_grid();
    constexpr auto kCount = static_cast<unsigned>(kIq3XxsMagnitudes.size());
    to.super[0] = bits_at(block, 0);
    for (std::int64_t k = 0; k < kParts; ++k) {
        const std::uint32_t w = word32(block, 66 + 4 * k);
        to.fine[k] = odd(w >> 28U);
        for (std::int64_t l = 0; l < kGroups; ++l) {
            const unsigned signs = even_signs(w >> (7U * static_cast<unsigned>(l)) & 127U);
            const std::int64_t at = 8 * k + 2 * l; // of the two entries of 4
            put_signed<kCount>(grid[byte_at(block, 2 + at)], kIq3XxsPlaces, signs, to.codes + 4 * at);
            put_signed<kCount>(grid[byte_at(block, 3 + at)], kIq3XxsPlaces, signs >> 4U, to.codes + 4 * at + 4);
        }
    }
}

void iq3_s_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq3s_grid();
    constexpr auto kCount = static_cast<unsigned>(kIq3SMagnitudes.size());
    to.super[0] = bits_at(block, 0);
    for (std::int64_t k = 0; k < kParts; ++k) {
        to.fine[k] = odd(nibble(byte_at(block, 106 + k / 2), k % 2));
        for (std::int64_t t = 8 * k; t < 8 * k + 8; ++t) { // entries of 4
            const unsigned high = byte_at(block, 66 + k) >> static_cast<unsigned>(t % 8) & 1U;
            const unsigned signs = nibble(byte_at(block, 74 + t / 2), t % 2);
            put_signed<kCount>(grid[byte_at(block, 2 + t) | high << 8U], kIq3SPlaces, signs, to.codes + 4 * t);
        }
    }
}

void iq1_s_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq1s_grid();
    to.super[0] = bits_at(block, 0);
    for (std::int64_t k = 0; k < kParts; ++k) {
        const std::uint32_t h = word16(block, 34 + 2 * k);
        to.fine[k] = odd(h >> 12U & 7U);
        for (std::int64_t l = 0; l < kGroups; ++l) {
            const unsigned high = h >> (3U * static_cast<unsigned>(l)) & 7U;
            put_shifted(grid[byte_at(block, 2 + 4 * k + l) | high << 8U], h >> 15U != 0, to.codes + 32 * k + 8 * l);
        }
    }
}

void iq1_m_codes(const std::byte* block, const BlockPlace& to) {
    const auto& grid = iq1s_grid();
    unsigned super = 0;
    for (int i = 0; i < 4; ++i) {
        super |= (word16(block, 48 + 2 * i) >> 12U) << (4U * static_cast<unsigned>(i));
    }
    to.super[0] = static_cast<std::uint16_t>(super);
    for (std::int64_t part = 0; part < 16; ++part) { // 16 weights share a scale of three bits, four of them to a word
        to.fine[part] = odd(word16(block, 48 + 2 * (part / 4)) >> (3U * static_cast<unsigned>(part % 4)) & 7U);
        for (std::int64_t g = 2 * part; g < 2 * part + 2; ++g) {
            const unsigned h = nibble(byte_at(block, 32 + g / 2), g % 2);
            put_shifted(grid[byte_at(block, g) | (h & 7U) << 8U], (h & 8U) != 0, to.codes + 8 * g);
        }
    }
}

} // namespace handeye::blocks
