// SPDX-License-Identifier: Apache-2.0
// The weights of one resize pass, and the two row kernels that apply them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace handeye {

/// Fixed-point taps of one pass from n_in to n_out samples. Output i reads `taps` samples from first[i] on, all inside
/// the input; unused taps have weight 0.
struct ResizePass {
    int n_in = 0;
    int n_out = 0;
    int taps = 0;                      ///< per output; even, so that kernels may take two at a time
    int precision = 0;                 ///< fraction bits of the weights
    std::vector<int> first;            ///< (n_out)
    std::vector<std::int16_t> weights; ///< (n_out, taps)
};

/// Antialiased cubic (a = -0.5) taps in 16-bit integers with one precision for the pass.
ResizePass make_resize_pass(int n_in, int n_out);

/// Bytes that must be readable after the taps of the last pixel given to resize_row_across, and writable after its output.
constexpr std::size_t kRowSlackBytes = 16;

/// One row of RGB pixels, n_in of them, to n_out pixels.
void resize_row_across(const ResizePass& pass, const std::uint8_t* row, std::uint8_t* out);

/// One output row: the weighted sum of pass.taps rows, each `bytes` long; `rows[k]` belongs to weights[k].
void resize_rows_down(const ResizePass& pass, int out_index, std::span<const std::uint8_t* const> rows, std::size_t bytes,
                      std::uint8_t* out);

} // namespace handeye
