// SPDX-License-Identifier: Apache-2.0
// A folder of goldens: cases.json and the tensors that the reference computed.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/tensor/tensor.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/weights/safetensors.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct GoldenCase {
    std::string name;
    ChatRequest request; ///< messages with their pictures read
    std::string rendered;
    bool has_debug = false;
    std::optional<double> logits_max_abs_limit;
    std::optional<double> mean_kl_limit;
    std::optional<double> image_embeds_limit;
    std::optional<double> pixels_limit;
};

struct TokenizerCase {
    std::string text;
    std::vector<TokenId> ids;
};

class Goldens {
public:
    static Result<Goldens> open(const std::filesystem::path& dir);
    [[nodiscard]] const std::vector<GoldenCase>& cases() const { return cases_; }
    [[nodiscard]] const std::vector<TokenizerCase>& tokenizer_cases() const { return tokenizer_cases_; }

    /// "CASE/TENSOR", or null.
    [[nodiscard]] const TensorView* find(const GoldenCase& c, std::string_view tensor) const;
    /// Errors name a tensor that is missing or has another dtype.
    [[nodiscard]] Result<std::vector<std::int64_t>> integers(const GoldenCase& c, std::string_view tensor) const;
    [[nodiscard]] Result<ConstMatrix> floats(const GoldenCase& c, std::string_view tensor) const;

private:
    Goldens(SafetensorsFile expected) : expected_(std::move(expected)) {}
    [[nodiscard]] Result<const TensorView*> typed(const GoldenCase& c, std::string_view tensor, DType dtype) const;

    SafetensorsFile expected_;
    std::vector<GoldenCase> cases_;
    std::vector<TokenizerCase> tokenizer_cases_;
};

} // namespace handeye
