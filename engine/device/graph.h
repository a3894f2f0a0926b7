// SPDX-License-Identifier: Apache-2.0
// What the graphs on a device are written with: products of any size, norms before them, and the memory that lies between them.
#pragma once

#include "engine/device/device.h"
#include "engine/device/device_weights.h"

#include <array>
#include <span>

namespace handeye::device {

/// How many rows are multiplied in float's own precision: a few always; many only when `exact`, else rounded to bf16 as on every other engine's GPU path.
struct Precision {
    bool exact = false;
};

/// Memory of products: the left side as parts, and weights that a library multiplies.
struct ProductSpace {
    struct Parts { ///< room for SplitRows of any shape that fits
        std::uint16_t* parts = nullptr;
        std::int64_t parts_most = 0;
        float* sums = nullptr;
        std::int64_t sums_most = 0;
    };
    Parts split, inner_split, low_rank_split;
    std::uint16_t* unpacked = nullptr; ///< null: no library is used
    float* low_rank = nullptr;
};

/// What the products of a graph need at most: see() each, then carve.
class ProductSizes {
public:
    explicit ProductSizes(Precision precision) : precision_(precision) {}
    /// A left side of up to `rows` rows.
    void left(int rows, int cols);
    /// What stands between the products of an MLP.
    void inner(int rows, int cols);
    /// The same of rows that are each multiplied by an expert of their own: with all planes, however many they are.
    void expert_inner(int rows, int cols);
    void matrix(const WeightMatrix& w, int rows);
    [[nodiscard]] ProductSpace carve(Carver& carver, bool uses_library) const;

private:
    Precision precision_;
    struct Most {
        std::int64_t parts = 0, sums = 0;
        void see(std::int64_t some_parts, std::int64_t some_sums);
    } left_, inner_, rank_;
    std::int64_t largest_ = 0, rank_rows_ = 0;
};

/// Rows before products: x, or x / rms(x) * norm_weight. When something is still to be added to x, the first look at it does so.
struct Left {
    Rows x;
    const float* norm_weight = nullptr;
    float eps = 0;
    Rows added = {};                   ///< without data: nothing
    const float* added_norm = nullptr; ///< null: as it is

    struct { ///< the left side as it was last made
        SplitRows split;
        const std::int32_t* inputs = nullptr;
        int number = -1; // none
    } ready = {};
};

/// Writes operations one after the other onto a device.
class Graph {
public:
    Graph(Device& device, Precision precision, const ProductSpace& space) : device_(device), precision_(precision), space_(space) {}

    void run(const Operation& operation) { device_.run(operation); }
    /// The left side of products, where it is until another is made there.
    SplitRows split(Left& left, const std::int32_t* inputs = nullptr);
    /// Its memory for rows whose parts something else writes.
    SplitRows left_space(int rows, int cols);
    /// Memory of what stands between the products of an MLP: (rows, cols), with all planes for experts.
    [[nodiscard]] SplitRows inner_space(int rows, int cols) const;
    [[nodiscard]] SplitRows expert_inner_space(int rows, int cols) const;
    /// y (+)= norm(x) w^T + bias and what adapters add, for matrices that share their input.
    struct Output {
        const Linear* w;
        Rows y;
    };
    void products(Left& left, std::span<const Output> outputs, Into into = Into::Overwrite);
    void product(Left left, const Linear& w, Rows y, Into into = Into::Overwrite) { products(left, std::array{Output{&w, y}}, into); }
    /// The same of parts that are there, in the order of the weights.
    void product(const SplitRows& x, const Linear& w, Rows y, Into into = Into::Overwrite);
    /// y (+)= down(silu(gate(n)) * up(n)), n = norm(x)
    void mlp(Left& left, const MlpWeights& w, Rows gate, Rows up, Rows y, Into into);

private:
    SplitRows silu_split(Rows gate, Rows up, const std::int32_t* inputs);
    void one_product(const SplitRows& x, const DeviceMatrix& w, const float* bias, Rows y, Into into);
    void few_products(const SplitRows& x, std::span<const Output> outputs, Into into);
    void add_low_rank(const SplitRows& x, const Linear& w, Rows y);
    [[nodiscard]] SplitRows sized(const ProductSpace::Parts& space, int rows, int cols, int planes) const;

    Device& device_;
    Precision precision_;
    ProductSpace space_;
    int lefts_ = 0; // that were made
};

inline bool uses_library(const Device& device, Precision precision) { return device.info().has_library && !precision.exact; }
/// Planes of a left side of so many rows.
inline int planes_of(Precision precision, int rows) { return precision.exact || rows <= kFewRows ? kPartsMost : 1; }
inline Rows rows_of(float* data, int rows, int cols) { return {.data = data, .rows = rows, .cols = cols, .stride = cols}; }
inline Rows first_rows(Rows all, int rows) {
    all.rows = rows;
    return all;
}
inline Rows columns(Rows all, int first, int count) {
    all.data += first;
    all.cols = count;
    return all;
}

} // namespace handeye::device
