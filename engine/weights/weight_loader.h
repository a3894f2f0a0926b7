// SPDX-License-Identifier: Apache-2.0
// Takes the parts of a model out of a checkpoint, each in whatever format it is in, and remembers what nobody took.
#pragma once

#include "base/result.h"
#include "engine/quant/weight_format.h"
#include "engine/weights/checkpoint.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

/// Whether numbers are read, or only names, types and shapes are checked.
enum class Contents { Read, HeadersOnly };

/// How weights are taken.
struct LoadOptions {
    Contents contents = Contents::Read;
    int pack_bits = 0; ///< 4 or 8: plain matrices of the decoder's layers are packed while they are loaded (engine/quant/pack.h)
    /// Packs all rows of `plain` into `bytes`; set when pack_bits is and numbers are read.
    std::function<void(const WeightMatrix& plain, const WeightMatrix& packed, std::span<std::byte> bytes)> pack;
};

/// What was taken for one module ("model.layers.0.mlp.down_proj"), or one norm, bias or other tensor that is no matrix.
struct ModuleRecord {
    std::string name;
    std::string format; ///< "bf16", "q4_k", "gptq-4bit"
    bool is_matrix = false;
    bool is_packed_here = false; ///< while loading; in the file it is plain
    bool is_linear = false; ///< a matrix of a decoder layer, which may be packed
    std::int64_t rows = 0; ///< 0 when it is no matrix
    std::int64_t cols = 0;
    std::int64_t parameters = 0;
    std::int64_t bytes = 0; ///< in the file, scales included
};

/// Borrows the checkpoint while loading. Every error names the tensor, its type and shape, and what was expected.
class WeightLoader {
public:
    explicit WeightLoader(const Checkpoint& checkpoint, QuantHints hints = {}, LoadOptions options = {})
        : checkpoint_(checkpoint), hints_(hints), options_(std::move(options)) {}

    [[nodiscard]] const TensorView* find(std::string_view name) const { return checkpoint_.find(name); }
    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    /// Whether a module of this name has weights, in whatever format.
    [[nodiscard]] bool has_module(const std::string& module) const;

    /// A plain tensor of this shape.
    Result<TensorView> tensor(std::string_view name, const Shape& shape);
    /// The same as floats, for norms and biases; zeros when only headers are read.
    Result<std::vector<float>> floats(std::string_view name, const Shape& shape);
    /// Empty when there is no such tensor.
    Result<std::vector<float>> floats_if_any(std::string_view name, const Shape& shape);
    /// A matrix in the format that its tensors are in.
    Result<WeightMatrix> matrix(const std::string& module, const ModuleShape& shape);
    /// The same for a matrix of a decoder layer: packed when the options say so and it is plain. Its pages of the file are let go of.
    Result<WeightMatrix> linear(const std::string& module, const ModuleShape& shape);

    [[nodiscard]] Contents contents() const { return options_.contents; }
    /// What was taken, in that order.
    [[nodiscard]] const std::vector<ModuleRecord>& taken() const { return taken_; }
    /// Names that nobody took, less those that are known to mean nothing here.
    [[nodiscard]] std::vector<std::string> unused() const;
    /// Tensors whose name begins so are not missed.
    void ignore_prefix(std::string prefix) { ignored_.push_back(std::move(prefix)); }
    /// Weights that were taken, packed ones counted one by one.
    [[nodiscard]] std::int64_t parameters() const { return parameters_; }
    /// What most of the matrices' weights are in: "bf16", "q4_k", "gptq-4bit".
    [[nodiscard]] std::string main_format() const;

private:
    void take_tensor(std::string_view name, const TensorView& view);

    const Checkpoint& checkpoint_;
    QuantHints hints_;
    LoadOptions options_;
    std::vector<ModuleRecord> taken_;
    std::set<std::string, std::less<>> used_;
    std::vector<std::string> ignored_;
    std::map<std::string, std::int64_t> weights_by_format_;
    std::int64_t parameters_ = 0;
};

} // namespace handeye
