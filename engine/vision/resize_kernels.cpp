// SPDX-License-Identifier: Apache-2.0
// The two row kernels of the resize.
#include "engine/vision/resize.h"

#include <algorithm>

namespace handeye {
namespace {

std::uint8_t rounded(int sum, int precision) { return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255)); }

} // namespace

void resize_row_across(const ResizePass& pass, const std::uint8_t* row, std::uint8_t* out) {
    const int half = 1 << (pass.precision - 1);
    const std::int16_t* weights = pass.weights.data();
    for (std::size_t i = 0; i < pass.first.size(); ++i, weights += pass.taps) {
        const std::uint8_t* from = row + static_cast<std::ptrdiff_t>(pass.first[i]) * 3;
        int red = half, green = half, blue = half;
        for (int k = 0; k < pass.taps; ++k, from += 3) {
            red += weights[k] * from[0];
            green += weights[k] * from[1];
            blue += weights[k] * from[2];
        }
        out[i * 3] = rounded(red, pass.precision);
        out[i * 3 + 1] = rounded(green, pass.precision);
        out[i * 3 + 2] = rounded(blue, pass.precision);
    }
}

void resize_rows_down(const ResizePass& pass, int out_index, std::span<const std::uint8_t* const> rows, std::size_t bytes,
                      std::uint8_t* out) {
    const int half = 1 << (pass.precision - 1);
    const std::int16_t* weights = &pass.weights[static_cast<std::size_t>(out_index) * rows.size()];
    for (std::size_t x = 0; x < bytes; ++x) {
        int sum = half;
        for (std::size_t k = 0; k < rows.size(); ++k) {
            sum += weights[k] * rows[k][x];
        }
        out[x] = rounded(sum, pass.precision);
    }
}

} // namespace handeye
