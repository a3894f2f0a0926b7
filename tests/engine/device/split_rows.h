// SPDX-License-Identifier: Apache-2.0
// Floats as the left side of a product, made with plain loops.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/ops.h"

#include <cstdint>
#include <span>
#include <vector>

namespace handeye {

/// Memory of a SplitRows. `rows_max` is one more than there are rows: what stands beyond them is no number.
class SplitFloats {
public:
    /// values (rows, cols); column i is values' column inputs[i], or i.
    SplitFloats(const std::vector<float>& values, int rows, int cols, int planes, std::span<const std::int32_t> inputs = {}) {
        const int chunks = (cols + device::kChunk - 1) / device::kChunk;
        const auto width = static_cast<std::size_t>(chunks * device::kChunk);
        const std::size_t rows_max = static_cast<std::size_t>(rows) + 1;
        parts_.assign(static_cast<std::size_t>(planes) * rows_max * width + 8, 0x7FC0);
        sums_.assign(rows_max * width / device::kSumGroup + 4, 0);
        values_.assign(static_cast<std::size_t>(rows) * width, 0);
        for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
            for (std::size_t i = 0; i < width; ++i) {
                const auto input = i < inputs.size() ? static_cast<std::size_t>(inputs[i]) : i;
                float left = i < static_cast<std::size_t>(cols) ? values[row * static_cast<std::size_t>(cols) + input] : 0;
                sums_[(row * width + i) / device::kSumGroup] += left;
                const std::size_t step = i % 64 / 16, t = i % 16 / 4, e = i % 4;
                for (std::size_t plane = 0; plane < static_cast<std::size_t>(planes); ++plane) {
                    const std::uint16_t part = on_host::float_bf16(left);
                    parts_[(plane * rows_max + row) * width + i / 64 * 64 + 16 * t + 4 * step + e] = part;
                    left -= on_host::bf16_float(part);
                    values_[row * width + i] += on_host::bf16_float(part);
                }
            }
        }
        rows_ = {.parts = parts_.data(), .sums = sums_.data(), .rows = rows, .rows_max = rows + 1, .cols = cols, .chunks = chunks, .planes = planes};
    }

    [[nodiscard]] const device::SplitRows& rows() const { return rows_; }
    /// What the planes add up to.
    [[nodiscard]] double at(int row, int col) const { return values_[static_cast<std::size_t>(row * rows_.chunks * device::kChunk + col)]; }

private:
    std::vector<std::uint16_t> parts_;
    std::vector<float> sums_, values_;
    device::SplitRows rows_;
};

} // namespace handeye
