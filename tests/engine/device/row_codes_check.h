// SPDX-License-Identifier: Apache-2.0
// A matrix's codes and scales put together again, against its decoder.
#pragma once

#include "engine/quant/row_codes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace handeye {

struct Sum {
    float value = 0;
    float largest_term = 0;
};
inline Sum sum_of(float first, float second) {
    const float value = first + second;
    return {value, std::max({std::abs(first), std::abs(second), std::abs(value)})};
}

// The weight at place `i` of a row, in the order of operations that row_codes.h gives.
inline Sum weight_at(const CodeLayout& layout, const RowCodes& row, std::size_t i) {
    const std::size_t g = i / static_cast<std::size_t>(layout.group);
    const int code = row.codes[i];
    const auto value = static_cast<float>(layout.levels.empty() ? code - layout.zero : layout.levels[static_cast<std::size_t>(code)]);
    switch (layout.scales) {
    case ScaleKind::Number: return {row.scale[g] * value, 0};
    case ScaleKind::NumberAndOffset: return sum_of(row.scale[g] * value, row.offset[g]);
    case ScaleKind::NumberAndZero: return sum_of(row.scale[g] * value, -row.scale[g] * static_cast<float>(row.zero[g]));
    case ScaleKind::Super: {
        const float super = half_as_float(row.super[i / 256]);
        return {layout.factor * super * static_cast<float>(static_cast<std::int8_t>(row.fine[g])) * value, 0};
    }
    case ScaleKind::SuperAndMin: {
        const float scale = layout.factor * half_as_float(row.super[i / 256]) * static_cast<float>(row.fine[g]);
        return sum_of(scale * value, -(half_as_float(row.super_min[i / 256]) * static_cast<float>(row.fine_min[g])));
    }
    }
    return {};
}

inline bool is_held_by(DType dtype, float value) {
    if (dtype == DType::F32 || std::isnan(value)) {
        return true;
    }
    return dtype == DType::F16 ? half_as_float(float_as_half(value)) == value : (std::bit_cast<std::uint32_t>(value) & 0xFFFFU) == 0;
}

inline void expect_layout_holds(const CodeLayout& layout) {
    EXPECT_GT(layout.group, 0);
    EXPECT_EQ(layout.group % 16, 0);
    EXPECT_LE(layout.levels.size(), std::min(16U, 1U << static_cast<unsigned>(layout.bits)));
}

inline void expect_row_fits(const CodeLayout& layout, const RowCodes& row, std::int64_t cols) {
    const auto groups = static_cast<std::size_t>((cols + layout.group - 1) / layout.group);
    const auto supers = static_cast<std::size_t>((cols + 255) / 256);
    const bool has_min = layout.scales == ScaleKind::SuperAndMin;
    const bool has_super = has_min || layout.scales == ScaleKind::Super;
    ASSERT_EQ(row.codes.size(), static_cast<std::size_t>(cols));
    ASSERT_EQ(row.scale.size(), has_super ? 0 : groups);
    ASSERT_EQ(row.offset.size(), layout.scales == ScaleKind::NumberAndOffset ? groups : 0);
    ASSERT_EQ(row.zero.size(), layout.scales == ScaleKind::NumberAndZero ? groups : 0);
    ASSERT_EQ(row.super.size(), has_super ? supers : 0);
    ASSERT_EQ(row.fine.size(), has_super ? groups : 0);
    ASSERT_EQ(row.super_min.size(), has_min ? supers : 0);
    ASSERT_EQ(row.fine_min.size(), has_min ? groups : 0);
    const std::size_t codes = layout.levels.empty() ? std::size_t{1} << static_cast<unsigned>(layout.bits) : layout.levels.size();
    for (const std::uint8_t code : row.codes) {
        ASSERT_LT(code, codes);
    }
    for (const auto* numbers : {&row.scale, &row.offset}) {
        for (const float number : *numbers) {
            ASSERT_TRUE(is_held_by(layout.numbers, number)) << number;
        }
    }
}

// Products of halves and bfloats with codes are exact in float, so that each weight is rounded once at most: the same bits. With scales in
// float there are up to four roundings of half a unit each.
inline void expect_same_weight(const CodeLayout& layout, Sum got, float want, std::int64_t row, std::size_t col) {
    if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got.value)) << "row " << row << ", input " << col;
        return;
    }
    const bool has_float_terms = layout.numbers == DType::F32 &&
                                 (layout.scales == ScaleKind::NumberAndOffset || layout.scales == ScaleKind::NumberAndZero);
    if (!has_float_terms) {
        ASSERT_EQ(got.value, want) << "row " << row << ", input " << col;
        return;
    }
    const float unit = std::nextafter(got.largest_term, std::numeric_limits<float>::infinity()) - got.largest_term;
    ASSERT_NEAR(got.value, want, 2 * unit) << "row " << row << ", input " << col;
}

// Every row, of the matrix and of some of its rows.
inline void expect_decoded(const WeightMatrix& whole, const CodeLayout& layout) {
    expect_layout_holds(layout);
    const std::vector<std::int32_t> order = input_order(whole);
    const auto cols = static_cast<std::size_t>(whole.cols);
    for (const WeightMatrix& w : {whole, whole.rows_from(3, whole.rows - 5).rows_from(2, whole.rows - 9)}) {
        ASSERT_TRUE(code_layout(w));
        std::vector<float> weights(static_cast<std::size_t>(w.count()));
        decode_tile(w, {.row = 0, .rows = w.rows, .col = 0, .cols = w.cols, .stride = w.cols}, weights.data());
        const std::vector<std::uint8_t> old(5000, 0xEE); // of another matrix: nothing of it may be left
        RowCodes row{old, std::vector<float>(5000), std::vector<float>(5000), old, {1, 2, 3}, {1, 2, 3}, old, old};
        for (std::int64_t r = 0; r < w.rows; ++r) {
            read_row_codes(w, layout, r, row);
            ASSERT_NO_FATAL_FAILURE(expect_row_fits(layout, row, w.cols));
            for (std::size_t i = 0; i < cols; ++i) {
                const std::size_t input = order.empty() ? i : static_cast<std::size_t>(order[i]);
                const float want = weights[static_cast<std::size_t>(r) * cols + input];
                ASSERT_NO_FATAL_FAILURE(expect_same_weight(layout, weight_at(layout, row, i), want, r, input));
            }
        }
    }
}

struct Expected {
    int bits = 0;
    int zero = 0;
    std::size_t levels = 0;
    ScaleKind scales = ScaleKind::Number;
    std::int64_t group = 0;
    float factor = 1;
};
inline void expect_layout(const CodeLayout& layout, const Expected& want) {
    EXPECT_EQ(layout.bits, want.bits);
    EXPECT_EQ(layout.zero, want.zero);
    EXPECT_EQ(layout.levels.size(), want.levels);
    EXPECT_EQ(layout.scales, want.scales);
    EXPECT_EQ(layout.group, want.group);
    EXPECT_EQ(layout.factor, want.factor);
}

} // namespace handeye
