// SPDX-License-Identifier: Apache-2.0
// compressed-tensors "pack-quantized": a row of codes for each output, scales of groups of inputs or one for all.
// W[o][i] = scale[o][g] * (code(o, i) - zero(o, g)), zero the middle of the codes when the file is symmetric.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/compressed_tensors.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/quant/unpack-inl.h"

#include <array>

#include <fmt/format.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {

template <unsigned Bits>
void packed_bits(const WeightMatrix& w, const Tile& tile, float* out) {
    constexpr std::uint32_t kMask = (1U << Bits) - 1U;
    constexpr std::int64_t kPerWord = 32 / Bits;
    const std::int64_t words = w.cols / kPerWord;
    const auto find = [&](std::int64_t row, std::int64_t group, float& scale, int& zero) {
        scale = w.scales.at(row * w.row_group + group);
        zero = 1 << (Bits - 1U);
        if (w.zeros != nullptr) {
            const std::uint32_t stored = packing::word(w.zeros, row / kPerWord * w.row_group + group);
            zero = static_cast<int>(stored >> (static_cast<unsigned>(row % kPerWord) * Bits) & kMask);
        }
    };
    unpack_tile<Bits>(w, tile, out, find, [&](std::int64_t row, std::int64_t col) {
        return packing::word(w.codes, row * words + col / kPerWord);
    });
}

void decode_packed(const WeightMatrix& w, const Tile& tile, float* out) {
    w.bits == 4 ? packed_bits<4>(w, tile, out) : packed_bits<8>(w, tile, out);
}

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye {
HWY_EXPORT(decode_packed);
namespace {

using packing::word;

constexpr std::array<std::string_view, 5> kSuffixes = {".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_shape",
                                                       ".weight_g_idx"};

bool is_packed(const ModuleTensors& tensors, const ModuleShape&) { return tensors.has(".weight_packed"); }

Result<void> check_shape(const ModuleTensors& tensors, const ModuleShape& shape) {
    const TensorView* view = tensors.find(".weight_shape");
    const bool is_list = view != nullptr && view->blocks == nullptr && view->shape == Shape{2} &&
                         (view->dtype == DType::I64 || view->dtype == DType::I32);
    if (!is_list) {
        return tensors.bad(".weight_shape is not two counts");
    }
    const auto at = [&](std::int64_t i) -> std::int64_t {
        const auto low = word(view->data, view->dtype == DType::I64 ? 2 * i : i);
        const std::uint64_t high = view->dtype == DType::I64 ? word(view->data, 2 * i + 1) : 0;
        return static_cast<std::int64_t>(high << 32U | low);
    };
    if (at(0) != shape.rows || at(1) != shape.cols) {
        return tensors.bad(fmt::format(".weight_shape says [{}, {}], the config asks for [{}, {}]", at(0), at(1), shape.rows, shape.cols));
    }
    return {};
}

Result<WeightMatrix> open_packed(const ModuleTensors& tensors, const ModuleShape& shape) {
    TRY(check_shape(tensors, shape));
    const TensorView& codes = *tensors.find(".weight_packed");
    const std::int64_t words = codes.shape.size() == 2 ? codes.shape[1] : 0;
    const std::int64_t bits = shape.cols > 0 ? 32 * words / shape.cols : 0;
    if (shape.stacked > 0 || (bits != 4 && bits != 8) || bits * shape.cols != 32 * words) {
        return tensors.bad(fmt::format(".weight_packed {} is not rows of {} codes of 4 or 8 bits", shape_text(codes.shape), shape.cols));
    }
    WeightMatrix w = packing::empty_matrix(kCompressedTensorsFormat, tensors, shape);
    w.bits = static_cast<int>(bits);
    w.codes = TRY(tensors.expect(".weight_packed", DType::I32, {shape.rows, words}))->data;
    const TensorView* scales = tensors.find(".weight_scale");
    const std::int64_t groups = scales != nullptr && scales->shape.size() == 2 ? scales->shape[1] : 0;
    w.scales = TRY(tensors.numbers(".weight_scale", {shape.rows, groups}));
    TRY(packing::read_groups(tensors, ".weight_g_idx", groups, w));
    if (w.group_of == nullptr && w.group == 0) {
        return tensors.bad("its scales do not divide its inputs into groups");
    }
    w.row_group = groups; // scales of one output
    if (tensors.has(".weight_zero_point")) {
        w.zeros = TRY(tensors.expect(".weight_zero_point", DType::I32, {(shape.rows * bits + 31) / 32, groups}))->data;
    }
    return w;
}

void decode(const WeightMatrix& w, const Tile& tile, float* out) { HWY_DYNAMIC_DISPATCH(decode_packed)(w, tile, out); }

} // namespace

extern const WeightFormat kCompressedTensorsFormat{"compressed-tensors", kSuffixes, is_packed, open_packed, decode};

} // namespace handeye
#endif
