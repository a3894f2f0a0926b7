// SPDX-License-Identifier: Apache-2.0
// FP8 weights (e4m3, no infinities) with a scale for the tensor, for each output, or for blocks of 128 x 128: as
// compressed-tensors writes them (weight_scale) and as native files do (weight_scale_inv, a multiplier all the same).
#include "engine/quant/packing.h"

#include <array>
#include <bit>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::array<std::string_view, 3> kSuffixes = {".weight", ".weight_scale", ".weight_scale_inv"};
constexpr std::int64_t kBlock = 128;

bool is_fp8(const ModuleTensors& tensors, const ModuleShape&) {
    const TensorView* weight = tensors.find(".weight");
    return weight != nullptr && weight->blocks == nullptr && weight->dtype == DType::F8E4M3;
}

constexpr std::int64_t blocks_in(std::int64_t count) { return (count + kBlock - 1) / kBlock; }

Result<WeightMatrix> open_fp8(const ModuleTensors& tensors, const ModuleShape& shape) {
    const std::string_view suffix = tensors.has(".weight_scale") ? ".weight_scale" : ".weight_scale_inv";
    const TensorView* scales = tensors.find(suffix);
    if (scales == nullptr || (tensors.has(".weight_scale") && tensors.has(".weight_scale_inv"))) {
        return tensors.bad("FP8 weights need a weight_scale or a weight_scale_inv, one of them");
    }
    if (shape.stacked > 0) {
        return tensors.bad("FP8 experts in one tensor are not known");
    }
    WeightMatrix w = packing::empty_matrix(kFp8Format, tensors, shape);
    w.codes = TRY(tensors.expect(".weight", DType::F8E4M3, {shape.rows, shape.cols}))->data;
    if (scales->shape == Shape{} || scales->shape == Shape{1}) {
        w.row_group = shape.rows;
        w.group = shape.cols;
    } else if (scales->shape == Shape{shape.rows, 1} || scales->shape == Shape{shape.rows}) {
        w.row_group = 1;
        w.group = shape.cols;
    } else if (scales->shape == Shape{blocks_in(shape.rows), blocks_in(shape.cols)}) {
        w.row_group = w.group = kBlock;
    } else {
        return tensors.bad(fmt::format("{} {} is no scale for a tensor, an output or blocks of {} of {} x {}", suffix,
                                       shape_text(scales->shape), kBlock, shape.rows, shape.cols));
    }
    w.scales = TRY(tensors.numbers(suffix, scales->shape));
    return w;
}

constexpr float e4m3(unsigned byte) {
    const unsigned exponent = byte >> 3U & 15U;
    const unsigned mantissa = byte & 7U;
    if (exponent == 15 && mantissa == 7) {
        return std::bit_cast<float>(0x7FC00000U | (byte & 0x80U) << 24U); // not a number
    }
    float value = static_cast<float>(exponent == 0 ? mantissa : mantissa + 8U) * 0x1p-9F;
    for (unsigned i = 1; i < exponent; ++i) {
        value *= 2.0F;
    }
    return (byte & 0x80U) != 0 ? -value : value;
}

constexpr std::array<float, 256> kValues = [] {
    std::array<float, 256> values{};
    for (unsigned i = 0; i < 256; ++i) {
        values[i] = e4m3(i);
    }
    return values;
}();

void decode_fp8(const WeightMatrix& w, const Tile& tile, float* out) {
    const std::int64_t scales_of_row = (w.cols + w.group - 1) / w.group;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::int64_t row = w.first_row + tile.row + r;
        float* to = out + r * tile.stride;
        for (std::int64_t c = 0; c < tile.cols;) {
            const std::int64_t col = tile.col + c;
            const float scale = w.scales.at(row / w.row_group * scales_of_row + col / w.group);
            const std::int64_t end = std::min(tile.cols, c + w.group - col % w.group);
            for (; c < end; ++c) {
                to[c] = kValues[std::to_integer<std::size_t>(w.codes[row * w.cols + tile.col + c])] * scale;
            }
        }
    }
}

} // namespace

extern const WeightFormat kFp8Format{"fp8", kSuffixes, is_fp8, open_fp8, decode_fp8};

} // namespace handeye
