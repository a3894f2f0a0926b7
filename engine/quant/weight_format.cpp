// SPDX-License-Identifier: Apache-2.0
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace handeye {
namespace {

// A new format is one file and one row.
const std::array kFormats = {
    &kPlainFormat,
    &kBlocksFormat, &kGptqFormat, &kAwqFormat, &kCompressedTensorsFormat, &kFp8Format, &kMlxFormat,
};

} // namespace

float NumberView::at(std::int64_t index) const {
    if (dtype == DType::F32) {
        float value = 0;
        std::memcpy(&value, data + index * 4, sizeof value);
        return value;
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, data + index * 2, sizeof bits);
    return dtype == DType::BF16 ? std::bit_cast<float>(std::uint32_t{bits} << 16U) : half_as_float(bits);
}

std::span<const WeightFormat* const> weight_formats() { return kFormats; }

std::string format_name(const WeightMatrix& w) {
    std::string name(w.blocks != nullptr ? w.blocks->name : w.format == &kPlainFormat ? dtype_name(w.dtype) : w.format->name);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return w.bits > 0 ? fmt::format("{}-{}bit", name, w.bits) : name;
}

void decode_tile(const WeightMatrix& w, const Tile& tile, float* out) { w.format->decode(w, tile, out); }

WeightMatrix matrix_of(const TensorView& view, std::int64_t cols) {
    CHECK(cols > 0 && view.count() % cols == 0 && (view.is_plain() || view.blocks != nullptr));
    WeightMatrix w;
    w.format = view.blocks != nullptr ? &kBlocksFormat : &kPlainFormat;
    w.cols = cols;
    w.rows = view.count() / cols;
    w.stored_rows = w.rows;
    w.codes = view.data;
    w.dtype = view.dtype;
    w.blocks = view.blocks;
    w.stored_bytes = static_cast<std::int64_t>(view.size_bytes());
    return w;
}

Error ModuleTensors::bad(std::string_view what) const {
    return {ErrorCode::InvalidArgument, fmt::format("{}: {}", module_, what)};
}

Result<const TensorView*> ModuleTensors::expect(std::string_view suffix, DType dtype, const Shape& shape) const {
    const TensorView* view = find(suffix);
    if (view == nullptr) {
        return Error{ErrorCode::NotFound, fmt::format("the checkpoint lacks the tensor {}{}", module_, suffix)};
    }
    if (view->blocks != nullptr || view->dtype != dtype || view->shape != shape) {
        return bad(fmt::format("{} is {} {}, expected {} {}", suffix, view->type_name(), shape_text(view->shape),
                               dtype_name(dtype), shape_text(shape)));
    }
    return view;
}

Result<NumberView> ModuleTensors::numbers(std::string_view suffix, const Shape& shape) const {
    const TensorView* view = find(suffix);
    if (view == nullptr) {
        return Error{ErrorCode::NotFound, fmt::format("the checkpoint lacks the tensor {}{}", module_, suffix)};
    }
    if (!view->is_plain() || view->shape != shape) {
        return bad(fmt::format("{} is {} {}, expected F32, F16 or BF16 {}", suffix, view->type_name(),
                               shape_text(view->shape), shape_text(shape)));
    }
    return NumberView{view->data, view->dtype};
}

Result<WeightMatrix> open_module(const ModuleTensors& tensors, const ModuleShape& shape) {
    const WeightFormat* format = nullptr;
    for (const WeightFormat* each : kFormats) {
        if (!each->is_written(tensors, shape)) {
            continue;
        }
        if (format != nullptr) {
            return tensors.bad(fmt::format("its tensors are both {} and {}", format->name, each->name));
        }
        format = each;
    }
    if (format != nullptr) {
        return format->open(tensors, shape);
    }
    if (const TensorView* weight = tensors.find(".weight"); weight != nullptr) {
        return Error{ErrorCode::Unsupported, fmt::format("{}.weight is {}: no weight format known here has it",
                                                         tensors.module(), weight->type_name())};
    }
    return Error{ErrorCode::NotFound, fmt::format("the checkpoint lacks the tensor {}.weight", tensors.module())};
}

} // namespace handeye
