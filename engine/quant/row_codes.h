// SPDX-License-Identifier: Apache-2.0
// Packed weights as the whole numbers that they are stored as, whatever the format: what a device's memory is filled from.
// weight = scale * value + offset, value = level[code] or code - zero. Nothing is rounded: computed in float in the order below, it is what
// decode_tile() gives, or one rounding away.
#pragma once

#include "engine/quant/weight_matrix.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace handeye {

/// Where a group's scale and offset come from.
enum class ScaleKind : std::uint8_t {
    Number,          ///< scale = number
    NumberAndOffset, ///< scale = number; offset = another one
    NumberAndZero,   ///< scale = number; offset = -scale * zero, a whole number from 0 to 255
    Super,           ///< scale = factor * super * fine, a half for 256 weights and a signed byte for the group
    SuperAndMin,     ///< scale = factor * super * fine, both unsigned; offset = -(super_min * fine_min)
};

/// What a matrix's codes and scales are like: the same for all its rows.
struct CodeLayout {
    int bits = 0;                           ///< of a code: 2, 3, 4, 5, 6 or 8
    int zero = 0;                           ///< taken away from each code
    std::span<const std::int8_t> levels;    ///< what each code stands for; empty: itself less `zero`
    ScaleKind scales = ScaleKind::Number;
    DType numbers = DType::F32;             ///< of scales and offsets that are numbers: F16, BF16 or F32
    std::int64_t group = 0;                 ///< inputs that share a scale: a multiple of 16
    float factor = 1;
};

/// One row: as many codes as the matrix has inputs, and of each group what its kind of scale has. The rest is empty.
struct RowCodes {
    std::vector<std::uint8_t> codes;
    std::vector<float> scale, offset;
    std::vector<std::uint8_t> zero;
    std::vector<std::uint16_t> super, super_min; ///< halves, one for 256 weights
    std::vector<std::uint8_t> fine, fine_min;    ///< fine of Super: two's complement
};

/// Null for plain and FP8 weights, and for groups that are no multiples of 16 inputs.
std::optional<CodeLayout> code_layout(const WeightMatrix& w);
/// Row `row` of w, counted from its own first one; inputs in the order of input_order() where there is one. Any thread.
void read_row_codes(const WeightMatrix& w, const CodeLayout& layout, std::int64_t row, RowCodes& out);
/// Which input stands at each place, so that inputs of one group are neighbours: for matrices whose groups are given as a list and hold
/// equally many inputs. Empty: inputs stand in their own order. code_layout() is null where such a list's groups are unequal.
std::vector<std::int32_t> input_order(const WeightMatrix& w);

} // namespace handeye
