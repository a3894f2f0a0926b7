// SPDX-License-Identifier: Apache-2.0
// What a row of logits says: the probabilities of the token that was chosen, of the best others, and of every number.
#pragma once

#include "engine/chat.h"
#include "engine/device/choose.h"
#include "engine/tokenizer/tokenizer.h"

#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace handeye {

/// The tokens of a vocabulary that are whole numbers of one to three digits, as models of the GLM family write coordinates: their
/// tokenizers cut digits into groups of three. Immutable.
class NumberTokens {
public:
    explicit NumberTokens(const Tokenizer& tokenizer);
    /// "007" is no number: nobody writes it.
    [[nodiscard]] std::optional<int> value_of(TokenId id) const;
    /// (id, value) by id.
    [[nodiscard]] const std::vector<std::pair<TokenId, int>>& all() const { return tokens_; }

private:
    std::vector<std::pair<TokenId, int>> tokens_;
};

/// The logarithm of the sum of the exponentials of all finite logits.
double log_sum_exp(std::span<const float> logits);

/// Of `id` and the `top` best ones.
TokenLogprobs token_logprobs(const Tokenizer& tokenizer, std::span<const float> logits, TokenId id, int top);
/// Values of at least kNumberChanceMin, ascending.
std::vector<NumberSpread::Chance> number_chances(const NumberTokens& numbers, std::span<const float> logits);

/// The same from the best of an unmasked row. Nothing: it takes all of them.
std::optional<TokenLogprobs> token_logprobs(const Tokenizer& tokenizer, const device::RowCandidates& row, TokenId id, int top);
std::optional<std::vector<NumberSpread::Chance>> number_chances(const NumberTokens& numbers, const device::RowCandidates& row);

} // namespace handeye
