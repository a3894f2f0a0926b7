// SPDX-License-Identifier: Apache-2.0
// Weights in GGUF blocks as whole numbers, for units that multiply such. Blocks of 256: weight = scale * (256 * high + low) - min, each part of 8 bits.
// Blocks of 32: weight = scale * code - min.
#pragma once

#include "engine/quant/weight_matrix.h"

#include <cstdint>

namespace handeye::kernels {

inline constexpr std::int64_t kCodeBlock = 256; ///< weights of a row that are unpacked at once
inline constexpr std::int64_t kMinGroup = 32;   ///< weights that share a min
inline constexpr std::int64_t kCodeRows = 16;   ///< rows of w that are unpacked at once
inline constexpr std::int64_t kCodeDepth = 64;  ///< weights of a row beside each other

/// One format: one of the first two is there. Rows count from the matrix's own first one.
struct CodeParts {
    /// Block `block` of rows row..row+count (at most kCodeRows; the others are zeros). codes: (kCodeBlock / kCodeDepth, 2 parts, kCodeRows, kCodeDepth) bytes,
    /// high ones first; scales: kCodeRows.
    void (*unpack)(const WeightMatrix& w, std::int64_t row, std::int64_t count, std::int64_t block, std::int8_t* codes, float* scales) = nullptr;
    /// The same of blocks of 32, whose last ones are zeros where the row ends. codes: (kCodeRows, kCodeBlock) bytes; scales: (kCodeBlock / kMinGroup, kCodeRows).
    void (*unpack_groups)(const WeightMatrix& w, std::int64_t row, std::int64_t count, std::int64_t block, std::int8_t* codes, float* scales) = nullptr;
    /// The mins of a row with their sign turned: cols / kMinGroup floats. Null for a format without.
    void (*negative_mins)(const WeightMatrix& w, std::int64_t row, float* out) = nullptr;
};

/// Of weights that are no such blocks: all null.
CodeParts code_parts(const WeightMatrix& w);

} // namespace handeye::kernels
