// SPDX-License-Identifier: Apache-2.0
// A matrix of weights as its file holds it: packed, with its scales beside it. Nothing of it is copied when it is opened.
#pragma once

#include "engine/tensor/tensor.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace handeye {

struct WeightFormat;
struct LowRank;

/// F32, F16 or BF16 numbers of any alignment; empty when `data` is null.
struct NumberView {
    const std::byte* data = nullptr;
    DType dtype = DType::F32;
    [[nodiscard]] float at(std::int64_t index) const;
};

/// W of y = W x, (rows, cols). Plain data: which fields mean something is the format's to say. The bytes are borrowed from
/// the container, except where `owner` holds them.
struct WeightMatrix {
    const WeightFormat* format = nullptr; ///< null: no matrix
    std::int64_t rows = 0;                ///< outputs
    std::int64_t cols = 0;                ///< inputs
    std::int64_t first_row = 0;           ///< of the stored matrix
    std::int64_t stored_rows = 0;         ///< what the tensors hold; rows are part of it
    const std::byte* codes = nullptr;
    DType dtype = DType::F32;             ///< plain weights
    const BlockFormat* blocks = nullptr;  ///< weights in blocks
    NumberView scales;
    NumberView offsets;                   ///< MLX
    const std::byte* zeros = nullptr;     ///< packed zero points, or null
    const std::byte* group_of = nullptr;  ///< group of each input (I32), or null: input / group
    int bits = 0;                         ///< of one code
    int zero_shift = 0;                   ///< what is added to a stored zero point
    std::int64_t group = 0;               ///< inputs that share a scale
    std::int64_t row_group = 1;           ///< outputs that share a scale
    std::int64_t stored_bytes = 0;        ///< of all the tensors
    std::shared_ptr<const std::vector<std::byte>> owner;
    std::shared_ptr<const std::vector<LowRank>> added; ///< products that are added to this one's, for exactly these rows; or null

    [[nodiscard]] explicit operator bool() const { return format != nullptr; }
    /// Some of the rows, without what is added to all of them; the caller has checked that they exist.
    [[nodiscard]] WeightMatrix rows_from(std::int64_t first, std::int64_t count) const {
        WeightMatrix part = *this;
        part.first_row += first;
        part.rows = count;
        part.added = nullptr;
        return part;
    }
    [[nodiscard]] std::int64_t count() const { return rows * cols; }
    /// What these rows take in their file, scales included.
    [[nodiscard]] double size_bytes() const {
        return static_cast<double>(stored_bytes) * static_cast<double>(rows) / static_cast<double>(stored_rows);
    }
};

/// What an adapter adds to a product: y += scale * up (down x).
struct LowRank {
    WeightMatrix down; ///< (rank, inputs)
    WeightMatrix up;   ///< (outputs, rank)
    float scale = 1;
};

/// Which weights to decode: rows row..row+rows, inputs col..col+cols. Row r goes to out + r * stride.
struct Tile {
    std::int64_t row = 0;
    std::int64_t rows = 0;
    std::int64_t col = 0; ///< a multiple of 256
    std::int64_t cols = 0;
    std::int64_t stride = 0;
};

/// The tile as float. Any thread; the matrix is only read.
void decode_tile(const WeightMatrix& w, const Tile& tile, float* out);

/// Plain or blocked elements as a matrix of rows of `cols`; they must fill whole rows.
WeightMatrix matrix_of(const TensorView& view, std::int64_t cols);

} // namespace handeye
