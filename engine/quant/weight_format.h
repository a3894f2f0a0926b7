// SPDX-License-Identifier: Apache-2.0
// The list of weight formats: how a module's tensors say which one they are in, and how it is decoded. A new format is one
// file and one row.
#pragma once

#include "base/result.h"
#include "engine/quant/weight_matrix.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace handeye {

/// What a checkpoint's config says about its weights. A hint: names, types and shapes of the tensors decide.
struct QuantHints {
    bool gptq_zeros_are_exact = false; ///< checkpoint_format "gptq_v2": the stored zero points need no +1
    bool is_symmetric = false;         ///< "sym"
};

/// The tensors of one module ("model.layers.0.mlp.down_proj") by the last part of their names (".weight").
class ModuleTensors {
public:
    using Find = std::function<const TensorView*(std::string_view name)>;
    ModuleTensors(std::string module, QuantHints hints, Find find)
        : module_(std::move(module)), hints_(hints), find_(std::move(find)) {}

    /// Null when there is no such tensor.
    [[nodiscard]] const TensorView* find(std::string_view suffix) const { return find_(module_ + std::string(suffix)); }
    [[nodiscard]] bool has(std::string_view suffix) const { return find(suffix) != nullptr; }
    [[nodiscard]] const std::string& module() const { return module_; }
    [[nodiscard]] const QuantHints& hints() const { return hints_; }

    /// The tensor, which must have this dtype and shape. Errors name it.
    [[nodiscard]] Result<const TensorView*> expect(std::string_view suffix, DType dtype, const Shape& shape) const;
    /// The tensor as numbers, F32, F16 or BF16; `shape` is checked when it is not empty.
    [[nodiscard]] Result<NumberView> numbers(std::string_view suffix, const Shape& shape) const;
    /// InvalidArgument that names the module.
    [[nodiscard]] Error bad(std::string_view what) const;

private:
    std::string module_;
    QuantHints hints_;
    Find find_;
};

/// The shape a module must have. `stacked` > 0: so many matrices of `rows` rows, one after the other.
struct ModuleShape {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stacked = 0;
    [[nodiscard]] std::int64_t all_rows() const { return stacked > 0 ? stacked * rows : rows; }
};

struct WeightFormat {
    std::string_view name;
    /// The tensors that one module consists of, those that may be absent included.
    std::span<const std::string_view> suffixes;
    /// Whether names and types of the tensors are this format's, and where two formats share them, the shapes.
    bool (*is_written)(const ModuleTensors& tensors, const ModuleShape& shape);
    /// Checks every shape, range and value that decoding relies on.
    Result<WeightMatrix> (*open)(const ModuleTensors& tensors, const ModuleShape& shape);
    void (*decode)(const WeightMatrix& w, const Tile& tile, float* out);
};

std::span<const WeightFormat* const> weight_formats();
/// "bf16", "q4_k", "gptq-4bit"
std::string format_name(const WeightMatrix& w);

/// Opens a module in the one format that its tensors are written in. NotFound when it has no weights; InvalidArgument when
/// they are in two formats or have other shapes. The errors name the module and the tensor.
Result<WeightMatrix> open_module(const ModuleTensors& tensors, const ModuleShape& shape);

// The rows, each in a file of its own.
extern const WeightFormat kPlainFormat;
extern const WeightFormat kBlocksFormat;
extern const WeightFormat kGptqFormat;
extern const WeightFormat kAwqFormat;
extern const WeightFormat kCompressedTensorsFormat;
extern const WeightFormat kFp8Format;
extern const WeightFormat kMlxFormat;

} // namespace handeye
