// SPDX-License-Identifier: Apache-2.0
// GGUF blocks as codes and scales (row_codes.h): what each type's codes are like, and how one block is read.
#pragma once

#include "engine/quant/row_codes.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace handeye {

/// Where one block's part of a row goes. Only what the type has is written.
struct BlockPlace {
    std::uint8_t* codes = nullptr;
    float* scale = nullptr;
    float* offset = nullptr;
    std::uint16_t* super = nullptr;
    std::uint16_t* super_min = nullptr;
    std::uint8_t* fine = nullptr;
    std::uint8_t* fine_min = nullptr;
};

struct BlockCodes {
    std::uint32_t gguf_type = 0;
    CodeLayout layout;
    void (*read)(const std::byte* block, const BlockPlace& to) = nullptr;
};

/// Null for an id that is not in the list.
const BlockCodes* find_block_codes(std::uint32_t gguf_type);

namespace blocks {

/// Magnitudes of a codebook, then the same with a minus.
template <std::size_t Count>
constexpr std::array<std::int8_t, 2 * Count> with_signs(const std::array<std::int8_t, Count>& magnitudes) {
    std::array<std::int8_t, 2 * Count> levels{};
    for (std::size_t i = 0; i < Count; ++i) {
        levels[i] = magnitudes[i];
        levels[Count + i] = static_cast<std::int8_t>(-magnitudes[i]);
    }
    return levels;
}

// What the codebooks of iq_tables.h hold.
inline constexpr std::array<std::int8_t, 3> kIq2Magnitudes = {8, 25, 43};
inline constexpr std::array<std::int8_t, 8> kIq3XxsMagnitudes = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr std::array<std::int8_t, 8> kIq3SMagnitudes = {1, 3, 5, 7, 9, 11, 13, 15};

inline constexpr auto kIq2Levels = with_signs(kIq2Magnitudes);
inline constexpr auto kIq3XxsLevels = with_signs(kIq3XxsMagnitudes);
inline constexpr auto kIq3SLevels = with_signs(kIq3SMagnitudes);
/// Eight times -1, 0 and 1, each with an eighth added, then taken away.
inline constexpr std::array<std::int8_t, 6> kIq1Levels = {-7, 1, 9, -9, -1, 7};

void iq2_xxs_codes(const std::byte* block, const BlockPlace& to);
void iq2_xs_codes(const std::byte* block, const BlockPlace& to);
void iq2_s_codes(const std::byte* block, const BlockPlace& to);
void iq3_xxs_codes(const std::byte* block, const BlockPlace& to);
void iq3_s_codes(const std::byte* block, const BlockPlace& to);
void iq1_s_codes(const std::byte* block, const BlockPlace& to);
void iq1_m_codes(const std::byte* block, const BlockPlace& to);

} // namespace blocks
} // namespace handeye
