// SPDX-License-Identifier: Apache-2.0
// What the packed formats share: codes in 32-bit words, and groups of inputs.
#pragma once

#include "engine/quant/weight_format.h"

#include <cstdint>
#include <cstring>

namespace handeye::packing {

/// Little-endian word `index` at any alignment.
inline std::uint32_t word(const std::byte* data, std::int64_t index) {
    std::uint32_t value = 0;
    std::memcpy(&value, data + index * 4, sizeof value);
    return value;
}

/// Follows the groups of one row's inputs, from any column upwards.
class GroupScan {
public:
    explicit GroupScan(const WeightMatrix& w) : w_(w) {}
    /// Whether input `col` is in another group than the one before; always at first.
    bool enters(std::int64_t col) {
        if (w_.group_of != nullptr) {
            const auto now = static_cast<std::int32_t>(word(w_.group_of, col));
            const bool is_other = now != group_;
            group_ = now;
            return is_other;
        }
        if (col < end_) {
            return false;
        }
        group_ = col / w_.group;
        end_ = (group_ + 1) * w_.group;
        return true;
    }
    [[nodiscard]] std::int64_t group() const { return group_; }

private:
    const WeightMatrix& w_;
    std::int64_t group_ = -1;
    std::int64_t end_ = 0; // of the group, when inputs are grouped in their order
};

/// Fills w.group, and w.group_of where inputs are not grouped in their order. `suffix` may be absent or without elements.
/// InvalidArgument: a group out of range, or neither a list nor `groups` equal ones.
inline Result<void> read_groups(const ModuleTensors& tensors, std::string_view suffix, std::int64_t groups, WeightMatrix& w) {
    const TensorView* list = tensors.find(suffix);
    const bool is_even = groups > 0 && w.cols % groups == 0;
    w.group = is_even ? w.cols / groups : 0;
    if (list == nullptr || list->count() == 0) {
        return is_even ? Result<void>() : Result<void>(tensors.bad("its scales do not divide its inputs into groups"));
    }
    list = TRY(tensors.expect(suffix, DType::I32, {w.cols}));
    bool is_in_order = is_even;
    for (std::int64_t i = 0; i < w.cols; ++i) {
        const auto group = static_cast<std::int32_t>(word(list->data, i));
        if (group < 0 || group >= groups) {
            return tensors.bad("a group in the list of groups is out of range");
        }
        is_in_order = is_in_order && group == i / w.group;
    }
    w.group_of = is_in_order ? nullptr : list->data;
    return {};
}

/// The sum of the bytes of those tensors that are there.
inline std::int64_t bytes_of(const ModuleTensors& tensors, std::span<const std::string_view> suffixes) {
    std::int64_t bytes = 0;
    for (const std::string_view suffix : suffixes) {
        const TensorView* view = tensors.find(suffix);
        bytes += view == nullptr ? 0 : static_cast<std::int64_t>(view->size_bytes());
    }
    return bytes;
}

inline WeightMatrix empty_matrix(const WeightFormat& format, const ModuleTensors& tensors, const ModuleShape& shape) {
    WeightMatrix w;
    w.format = &format;
    w.rows = w.stored_rows = shape.all_rows();
    w.cols = shape.cols;
    w.stored_bytes = bytes_of(tensors, format.suffixes);
    return w;
}

} // namespace handeye::packing
