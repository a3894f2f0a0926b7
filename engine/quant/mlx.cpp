// SPDX-License-Identifier: Apache-2.0
// MLX affine weights of 2 to 8 bits: each row is a stream of bits, each group of inputs has a scale (which may be negative) and
// an offset. W[o][i] = scale * code + offset. Experts may be stacked on a leading axis.
#include "engine/quant/packing.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::array<std::string_view, 3> kSuffixes = {".weight", ".scales", ".biases"};

bool is_mlx(const ModuleTensors& tensors, const ModuleShape&) {
    const TensorView* weight = tensors.find(".weight");
    return weight != nullptr && weight->blocks == nullptr && weight->dtype == DType::U32;
}

Shape with_rows(const ModuleShape& shape, std::int64_t last) {
    return shape.stacked > 0 ? Shape{shape.stacked, shape.rows, last} : Shape{shape.rows, last};
}

Result<WeightMatrix> open_mlx(const ModuleTensors& tensors, const ModuleShape& shape) {
    constexpr std::array<std::int64_t, 6> kBits = {2, 3, 4, 5, 6, 8};
    constexpr std::array<std::int64_t, 3> kGroups = {32, 64, 128};
    const TensorView& codes = *tensors.find(".weight");
    const std::int64_t words = codes.shape.empty() ? 0 : codes.shape.back();
    const std::int64_t bits = 32 * words / shape.cols;
    if (std::find(kBits.begin(), kBits.end(), bits) == kBits.end() || bits * shape.cols != 32 * words) {
        return tensors.bad(fmt::format(".weight {} is not rows of {} codes of 2, 3, 4, 5, 6 or 8 bits", shape_text(codes.shape), shape.cols));
    }
    const TensorView* scales = tensors.find(".scales");
    const std::int64_t groups = scales == nullptr || scales->shape.empty() ? 0 : scales->shape.back();
    const std::int64_t group = groups > 0 ? shape.cols / groups : 0;
    if (std::find(kGroups.begin(), kGroups.end(), group) == kGroups.end() || group * groups != shape.cols) {
        return tensors.bad(fmt::format("its {} groups are not of 32, 64 or 128 of {} inputs", groups, shape.cols));
    }
    WeightMatrix w = packing::empty_matrix(kMlxFormat, tensors, shape);
    w.bits = static_cast<int>(bits);
    w.group = group;
    w.codes = TRY(tensors.expect(".weight", DType::U32, with_rows(shape, words)))->data;
    w.scales = TRY(tensors.numbers(".scales", with_rows(shape, groups)));
    w.offsets = TRY(tensors.numbers(".biases", with_rows(shape, groups)));
    return w;
}

template <unsigned Bits>
void decode_bits(const WeightMatrix& w, const Tile& tile, float* out) {
    constexpr unsigned kMask = (1U << Bits) - 1U;
    const std::int64_t groups = w.cols / w.group;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::int64_t row = w.first_row + tile.row + r;
        const std::byte* codes = w.codes + row * (w.cols * Bits / 8);
        for (std::int64_t c = 0; c < tile.cols; c += w.group) { // a tile begins with a group
            const std::int64_t at = row * groups + (tile.col + c) / w.group;
            const float scale = w.scales.at(at);
            const float offset = w.offsets.at(at);
            const std::int64_t end = std::min(tile.cols, c + w.group);
            for (std::int64_t k = c; k < end; ++k) {
                const auto bit = static_cast<std::uint64_t>(tile.col + k) * Bits;
                const auto shift = static_cast<unsigned>(bit % 8);
                unsigned code = std::to_integer<unsigned>(codes[bit / 8]) >> shift;
                if (shift + Bits > 8) { // the code goes on in the next byte
                    code |= std::to_integer<unsigned>(codes[bit / 8 + 1]) << (8U - shift);
                }
                out[r * tile.stride + k] = scale * static_cast<float>(code & kMask) + offset;
            }
        }
    }
}

void decode_mlx(const WeightMatrix& w, const Tile& tile, float* out) {
    constexpr std::array kDecoders = {decode_bits<2>, decode_bits<2>, decode_bits<2>, decode_bits<3>, decode_bits<4>,
                                      decode_bits<5>, decode_bits<6>, decode_bits<8>, decode_bits<8>};
    kDecoders[static_cast<std::size_t>(w.bits)](w, tile, out); // 0, 1 and 7 are not opened
}

} // namespace

extern const WeightFormat kMlxFormat{"mlx", kSuffixes, is_mlx, open_mlx, decode_mlx};

} // namespace handeye
