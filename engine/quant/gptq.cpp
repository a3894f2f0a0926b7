// SPDX-License-Identifier: Apache-2.0
// GPTQ: codes packed along the inputs, zero points along the outputs, scales of groups of inputs in their order or by a list.
// W[o][i] = scales[g][o] * (code(i, o) - zero(g, o)). Layout of GPTQModel and AutoGPTQ.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/gptq.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/quant/unpack-inl.h"

#include <array>

#include <fmt/format.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {

template <unsigned Bits>
void gptq_bits(const WeightMatrix& w, const Tile& tile, float* out) {
    constexpr std::uint32_t kMask = (1U << Bits) - 1U;
    constexpr std::int64_t kPerWord = 32 / Bits;
    const std::int64_t words = w.stored_rows / kPerWord;
    const auto find = [&](std::int64_t row, std::int64_t group, float& scale, int& zero) {
        const std::uint32_t stored = packing::word(w.zeros, group * words + row / kPerWord) >> (static_cast<unsigned>(row % kPerWord) * Bits);
        scale = w.scales.at(group * w.stored_rows + row);
        zero = static_cast<int>((stored + static_cast<unsigned>(w.zero_shift)) & kMask);
    };
    unpack_tile<Bits>(w, tile, out, find, [&](std::int64_t row, std::int64_t col) {
        return packing::word(w.codes, col / kPerWord * w.stored_rows + row);
    });
}

void decode_gptq(const WeightMatrix& w, const Tile& tile, float* out) {
    w.bits == 2 ? gptq_bits<2>(w, tile, out) : w.bits == 4 ? gptq_bits<4>(w, tile, out) : gptq_bits<8>(w, tile, out);
}

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye {
HWY_EXPORT(decode_gptq);
namespace {

using packing::word;

constexpr std::array<std::string_view, 4> kSuffixes = {".qweight", ".qzeros", ".scales", ".g_idx"};

bool is_gptq(const ModuleTensors& tensors, const ModuleShape& shape) {
    const TensorView* codes = tensors.find(".qweight");
    return codes != nullptr && !(codes->shape.size() == 2 && codes->shape[0] == shape.cols);
}

// Version 1 stores a zero point less one. A symmetric file's points are all alike and show which it is.
int zero_shift(const QuantHints& hints, const TensorView& zeros, int bits) {
    if (hints.is_symmetric && zeros.count() > 0) {
        const std::uint32_t first = word(zeros.data, 0);
        if (first == (bits == 8 ? 0x7F7F7F7FU : 0x77777777U)) {
            return 1;
        }
        if (first == (bits == 8 ? 0x80808080U : 0x88888888U)) {
            return 0;
        }
    }
    return hints.gptq_zeros_are_exact ? 0 : 1;
}

Result<WeightMatrix> open_gptq(const ModuleTensors& tensors, const ModuleShape& shape) {
    const TensorView& codes = *tensors.find(".qweight");
    const std::int64_t words = codes.shape.size() == 2 ? codes.shape[0] : 0;
    const std::int64_t bits = 32 * words / shape.cols;
    if (shape.stacked > 0 || (bits != 2 && bits != 4 && bits != 8) || bits * shape.cols != 32 * words) {
        return tensors.bad(fmt::format(".qweight {} is not {} inputs of 2, 4 or 8 bits", shape_text(codes.shape), shape.cols));
    }
    const std::int64_t per_word = 32 / bits;
    if (shape.rows % per_word != 0) {
        return tensors.bad(fmt::format("{} outputs do not fill words of {}", shape.rows, per_word));
    }
    WeightMatrix w = packing::empty_matrix(kGptqFormat, tensors, shape);
    w.bits = static_cast<int>(bits);
    w.codes = TRY(tensors.expect(".qweight", DType::I32, {words, shape.rows}))->data;
    const TensorView* scales = tensors.find(".scales");
    const std::int64_t groups = scales != nullptr && scales->shape.size() == 2 ? scales->shape[0] : 0;
    w.scales = TRY(tensors.numbers(".scales", {groups, shape.rows}));
    const TensorView* zeros = TRY(tensors.expect(".qzeros", DType::I32, {groups, shape.rows / per_word}));
    w.zeros = zeros->data;
    w.zero_shift = zero_shift(tensors.hints(), *zeros, w.bits);
    TRY(packing::read_groups(tensors, ".g_idx", groups, w));
    return w;
}

void decode(const WeightMatrix& w, const Tile& tile, float* out) { HWY_DYNAMIC_DISPATCH(decode_gptq)(w, tile, out); }

} // namespace

extern const WeightFormat kGptqFormat{"gptq", kSuffixes, is_gptq, open_gptq, decode};

} // namespace handeye
#endif
