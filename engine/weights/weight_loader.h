// SPDX-License-Identifier: Apache-2.0
// Takes the parts of a model out of a checkpoint, each in whatever format it is in, and remembers what nobody took.
#pragma once

#include "base/result.h"
#include "engine/quant/weight_format.h"
#include "engine/weights/checkpoint.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Borrows the checkpoint while loading. Every error names the tensor, its type and shape, and what was expected.
class WeightLoader {
public:
    explicit WeightLoader(const Checkpoint& checkpoint, QuantHints hints = {}) : checkpoint_(checkpoint), hints_(hints) {}

    [[nodiscard]] const TensorView* find(std::string_view name) const { return checkpoint_.find(name); }
    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    /// Whether a module of this name has weights, in whatever format.
    [[nodiscard]] bool has_module(const std::string& module) const;

    /// A plain tensor of this shape.
    Result<TensorView> tensor(std::string_view name, const Shape& shape);
    /// The same as floats, for norms and biases.
    Result<std::vector<float>> floats(std::string_view name, const Shape& shape);
    /// Empty when there is no such tensor.
    Result<std::vector<float>> floats_if_any(std::string_view name, const Shape& shape);
    /// A matrix in the format that its tensors are in.
    Result<WeightMatrix> matrix(const std::string& module, const ModuleShape& shape);

    /// Names that nobody took, less those that are known to mean nothing here.
    [[nodiscard]] std::vector<std::string> unused() const;
    /// Tensors whose name begins so are not missed.
    void ignore_prefix(std::string prefix) { ignored_.push_back(std::move(prefix)); }
    /// Weights that were taken, packed ones counted one by one.
    [[nodiscard]] std::int64_t parameters() const { return parameters_; }
    /// What most of the matrices' weights are in: "bf16", "q4_k", "gptq-4bit".
    [[nodiscard]] std::string main_format() const;

private:
    const Checkpoint& checkpoint_;
    QuantHints hints_;
    std::set<std::string, std::less<>> used_;
    std::vector<std::string> ignored_;
    std::map<std::string, std::int64_t> weights_by_format_;
    std::int64_t parameters_ = 0;
};

} // namespace handeye
