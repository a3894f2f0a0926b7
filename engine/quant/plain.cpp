// SPDX-License-Identifier: Apache-2.0
// Weights as ordinary numbers: F32, F16 or BF16.
#include "engine/quant/weight_format.h"

#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

bool is_plain(const ModuleTensors& tensors, const ModuleShape&) {
    const TensorView* weight = tensors.find(".weight");
    const bool has_scale = tensors.has(".weight_scale") || tensors.has(".weight_scale_inv") ||
                           (tensors.has(".scales") && !tensors.has(".qweight")); // those are the packed weight's, and one too many
    return weight != nullptr && weight->is_plain() && !has_scale;
}

Result<WeightMatrix> open_plain(const ModuleTensors& tensors, const ModuleShape& shape) {
    const TensorView& weight = *tensors.find(".weight");
    const Shape expected = shape.stacked > 0 ? Shape{shape.stacked, shape.rows, shape.cols} : Shape{shape.rows, shape.cols};
    if (weight.shape != expected) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("{}.weight has the shape {}, the config asks for {}", tensors.module(),
                                 shape_text(weight.shape), shape_text(expected))};
    }
    return matrix_of(weight, shape.cols);
}

void decode_plain(const WeightMatrix& w, const Tile& tile, float* out) {
    const NumberView numbers{w.codes, w.dtype};
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::int64_t first = (w.first_row + tile.row + r) * w.cols + tile.col;
        for (std::int64_t c = 0; c < tile.cols; ++c) {
            out[r * tile.stride + c] = numbers.at(first + c);
        }
    }
}

constexpr std::array<std::string_view, 1> kSuffixes = {".weight"};

} // namespace

extern const WeightFormat kPlainFormat{"plain", kSuffixes, is_plain, open_plain, decode_plain};

} // namespace handeye
