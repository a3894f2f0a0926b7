// SPDX-License-Identifier: Apache-2.0
// AWQ in its "gemm" version: 4-bit codes and zero points packed along the outputs, eight to a word in an order of their own.
// W[o][i] = scales[g][o] * (code(i, o) - zero(g, o)). Layout of AutoAWQ.
#include "engine/quant/packing.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

using packing::word;

constexpr std::array<std::string_view, 3> kSuffixes = {".qweight", ".qzeros", ".scales"};
constexpr std::int64_t kPerWord = 8;
constexpr std::array<unsigned, 8> kShifts = {0, 16, 4, 20, 8, 24, 12, 28}; // of output 8c + t
constexpr std::uint32_t kMiddle = 8; // the zero point of files that store none

bool is_awq(const ModuleTensors& tensors, const ModuleShape& shape) {
    const TensorView* codes = tensors.find(".qweight");
    return codes != nullptr && codes->shape.size() == 2 && codes->shape[0] == shape.cols;
}

Result<WeightMatrix> open_awq(const ModuleTensors& tensors, const ModuleShape& shape) {
    if (shape.stacked > 0 || shape.rows % kPerWord != 0) {
        return tensors.bad(fmt::format("{} outputs do not fill words of {}", shape.rows, kPerWord));
    }
    WeightMatrix w = packing::empty_matrix(kAwqFormat, tensors, shape);
    w.bits = 4;
    w.codes = TRY(tensors.expect(".qweight", DType::I32, {shape.cols, shape.rows / kPerWord}))->data;
    const TensorView* scales = tensors.find(".scales");
    const std::int64_t groups = scales != nullptr && scales->shape.size() == 2 ? scales->shape[0] : 0;
    w.scales = TRY(tensors.numbers(".scales", {groups, shape.rows}));
    if (tensors.has(".qzeros")) {
        w.zeros = TRY(tensors.expect(".qzeros", DType::I32, {groups, shape.rows / kPerWord}))->data;
    }
    TRY(packing::read_groups(tensors, "", groups, w)); // there is no list; groups must be even
    return w;
}

void decode_awq(const WeightMatrix& w, const Tile& tile, float* out) {
    const std::int64_t words = w.stored_rows / kPerWord;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::int64_t row = w.first_row + tile.row + r;
        const unsigned shift = kShifts[static_cast<std::size_t>(row % kPerWord)];
        float* to = out + r * tile.stride;
        for (std::int64_t c = 0; c < tile.cols;) {
            const std::int64_t group = (tile.col + c) / w.group;
            const float scale = w.scales.at(group * w.stored_rows + row);
            const int zero = static_cast<int>(w.zeros == nullptr ? kMiddle : word(w.zeros, group * words + row / kPerWord) >> shift & 15U);
            const std::int64_t end = std::min(tile.cols, (group + 1) * w.group - tile.col);
            for (; c < end; ++c) {
                const std::uint32_t code = word(w.codes, (tile.col + c) * words + row / kPerWord) >> shift & 15U;
                to[c] = scale * static_cast<float>(static_cast<int>(code) - zero);
            }
        }
    }
}

} // namespace

extern const WeightFormat kAwqFormat{"awq", kSuffixes, is_awq, open_awq, decode_awq};

} // namespace handeye
