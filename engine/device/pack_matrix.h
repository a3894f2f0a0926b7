// SPDX-License-Identifier: Apache-2.0
// Lays out weights as a DeviceMatrix, in memory of the host, to be copied to a device.
#pragma once

#include "engine/device/device_matrix.h"
#include "engine/quant/row_codes.h"
#include "engine/quant/weight_matrix.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace handeye::device {

/// What a matrix is laid out like and how large that is, known before anything is read of its weights. One allocation holds all its parts.
struct MatrixPlan {
    DeviceMatrix shape;      ///< pointers null
    std::int64_t bytes = 0;  ///< of all parts, a multiple of 16
    struct Offsets {         ///< of each part from the beginning, a multiple of 16; below 0: there is none
        std::int64_t base = -1, extra = -1, scale = -1, offset = -1, fine = -1, fine_min = -1, inputs = -1;
    } offsets;
    std::optional<CodeLayout> layout; ///< of Whole and Fp8
    std::vector<std::int32_t> inputs; ///< DeviceMatrix::inputs; empty: in their order
};

/// Plain and FP8 weights keep their type, packed ones their codes; what has no codes on a device is laid out as floats.
MatrixPlan plan_matrix(const WeightMatrix& w);
/// The same of codes that come from elsewhere.
MatrixPlan plan_codes(std::int64_t rows, std::int64_t cols, const CodeLayout& layout);

/// Fills strips first_strip..first_strip+count of every part; the first strip comes with `inputs`. `to` is the whole matrix's memory, at a multiple of 16.
/// Any thread, strips of its own.
void pack_strips(const WeightMatrix& w, const MatrixPlan& plan, std::int64_t first_strip, std::int64_t count, std::byte* to);
/// Fills one strip with the codes of up to 16 rows.
void pack_codes(const MatrixPlan& plan, std::int64_t strip, std::span<const RowCodes> rows, std::byte* to);

/// The matrix whose parts lie at `base`.
DeviceMatrix at(const MatrixPlan& plan, const void* base);

/// Whether two matrices differ in nothing but where they lie.
bool same_layout(const DeviceMatrix& a, const DeviceMatrix& b);

} // namespace handeye::device
