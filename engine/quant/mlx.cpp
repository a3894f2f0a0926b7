// SPDX-License-Identifier: Apache-2.0
// MLX affine weights of 2 to 8 bits: each row is a stream of bits, each group of inputs has a scale (which may be negative) and
// an offset. W[o][i] = scale * code + offset. Experts may be stacked on a leading axis.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/mlx.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/quant/unpack-inl.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {

template <unsigned Bits>
void mlx_bits(const WeightMatrix& w, const Tile& tile, float* out) {
    const std::int64_t groups = w.cols / w.group;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::int64_t row = w.first_row + tile.row + r;
        const std::byte* codes = w.codes + (row * w.cols + tile.col) * Bits / 8;
        for (std::int64_t c = 0; c < tile.cols; c += w.group) { // a tile is whole groups
            const std::int64_t at = row * groups + (tile.col + c) / w.group;
            const float scale = w.scales.at(at);
            const float offset = w.offsets.at(at);
            for (std::int64_t k = c; k < c + w.group; k += 8) {
                unpack_eight<Bits>(codes + k * Bits / 8, scale, offset, out + r * tile.stride + k);
            }
        }
    }
}

void decode_mlx(const WeightMatrix& w, const Tile& tile, float* out) {
    constexpr std::array kDecoders = {mlx_bits<2>, mlx_bits<2>, mlx_bits<2>, mlx_bits<3>, mlx_bits<4>,
                                      mlx_bits<5>, mlx_bits<6>, mlx_bits<8>, mlx_bits<8>};
    kDecoders[static_cast<std::size_t>(w.bits)](w, tile, out); // 0, 1 and 7 are not opened
}

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye {
HWY_EXPORT(decode_mlx);
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

void decode(const WeightMatrix& w, const Tile& tile, float* out) { HWY_DYNAMIC_DISPATCH(decode_mlx)(w, tile, out); }

} // namespace

extern const WeightFormat kMlxFormat{"mlx", kSuffixes, is_mlx, open_mlx, decode};

} // namespace handeye
#endif
