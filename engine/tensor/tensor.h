// SPDX-License-Identifier: Apache-2.0
// Non-owning views of numbers: typed tensors of a checkpoint, and float matrices with a row stride.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

enum class DType { F32, F16, BF16, F64, I64, I32, I16, I8, U64, U32, U16, U8, Bool, F8E4M3, F8E5M2 };

/// Bytes of one element.
std::size_t dtype_size(DType dtype);
/// The spelling of safetensors headers ("BF16").
std::string_view dtype_name(DType dtype);

using Shape = std::vector<std::int64_t>;
/// "[2, 3]"
std::string shape_text(const Shape& shape);

/// Numbers that are stored in blocks with scales of their own ("Q4_K"). engine/quant/blocks.h lists all.
struct BlockFormat {
    std::string_view name;
    std::uint32_t gguf_type = 0; ///< the id in GGUF files
    std::int64_t elements = 1;   ///< of one block
    std::int64_t bytes = 1;      ///< of one block
    void (*decode)(const std::byte* block, float* out) = nullptr;
};

/// Row-major elements, last index fastest. Valid as long as the container that it came from.
struct TensorView {
    const std::byte* data = nullptr;
    DType dtype = DType::F32;
    Shape shape;
    const BlockFormat* blocks = nullptr; ///< set: the elements of each row are in such blocks, and `dtype` means nothing

    [[nodiscard]] std::int64_t count() const {
        std::int64_t n = 1;
        for (const std::int64_t d : shape) {
            n *= d;
        }
        return n;
    }
    [[nodiscard]] std::size_t size_bytes() const {
        return blocks != nullptr ? static_cast<std::size_t>(count() / blocks->elements * blocks->bytes)
                                 : static_cast<std::size_t>(count()) * dtype_size(dtype);
    }
    /// Whether the elements are F32, F16 or BF16.
    [[nodiscard]] bool is_plain() const {
        return blocks == nullptr && (dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16);
    }
    /// "BF16", or the name of the blocks.
    [[nodiscard]] std::string_view type_name() const { return blocks != nullptr ? blocks->name : dtype_name(dtype); }
    /// The elements, when they are T; the caller has checked the dtype.
    template <class T>
    [[nodiscard]] std::span<const T> as() const {
        return {reinterpret_cast<const T*>(data), static_cast<std::size_t>(count())};
    }
};

/// The value of IEEE half-precision bits.
float half_as_float(std::uint16_t bits);
/// The nearest half, of two the even one; beyond the largest it is infinite.
std::uint16_t float_as_half(float value);
/// One element as float; `view.is_plain()`.
float element_as_float(const TensorView& view, std::int64_t index);

/// A float matrix somewhere in memory; `stride` counts floats from one row to the next.
template <class T>
struct MatrixView {
    T* data = nullptr;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stride = 0;

    [[nodiscard]] T* row(std::int64_t r) const { return data + r * stride; }
    [[nodiscard]] std::span<T> row_span(std::int64_t r) const { return {row(r), static_cast<std::size_t>(cols)}; }
    [[nodiscard]] MatrixView rows_from(std::int64_t first, std::int64_t count) const {
        return {row(first), count, cols, stride};
    }
    [[nodiscard]] MatrixView cols_from(std::int64_t first, std::int64_t count) const {
        return {data + first, rows, count, stride};
    }
    operator MatrixView<const T>() const { return {data, rows, cols, stride}; } // NOLINT(google-explicit-constructor)
};
using Matrix = MatrixView<float>;
using ConstMatrix = MatrixView<const float>;

} // namespace handeye
