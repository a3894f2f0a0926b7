// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/token_chances.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>

namespace handeye {
namespace {

constexpr double kNever = -1e30; // a logarithm that JSON can hold

std::optional<int> value_of(std::string_view bytes) {
    const bool is_number = !bytes.empty() && bytes.size() <= 3 && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || (bytes.size() > 1 && bytes.front() == '0')) {
        return std::nullopt;
    }
    return std::accumulate(bytes.begin(), bytes.end(), 0, [](int value, char c) { return value * 10 + (c - '0'); });
}

} // namespace

NumberTokens::NumberTokens(const Tokenizer& tokenizer) {
    for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
        if (const auto value = value_of(tokenizer.token_bytes(id))) {
            tokens_.emplace_back(id, *value);
        }
    }
}

bool NumberTokens::holds(TokenId id) const {
    const auto found = std::ranges::lower_bound(tokens_, id, {}, &std::pair<TokenId, int>::first);
    return found != tokens_.end() && found->first == id;
}

double log_sum_exp(std::span<const float> logits) {
    float best = -std::numeric_limits<float>::infinity();
    for (const float logit : logits) {
        best = std::isfinite(logit) ? std::max(best, logit) : best;
    }
    double sum = 0;
    for (const float logit : logits) {
        sum += std::isfinite(logit) ? std::exp(static_cast<double>(logit - best)) : 0.0;
    }
    return static_cast<double>(best) + std::log(sum);
}

TokenLogprobs token_logprobs(const Tokenizer& tokenizer, std::span<const float> logits, TokenId id, int top) {
    const double total = log_sum_exp(logits);
    const auto chance = [&](TokenId token) {
        const float logit = logits[static_cast<std::size_t>(token)];
        return TokenChance{.id = token, .logprob = std::isfinite(logit) ? static_cast<double>(logit) - total : kNever, .bytes = std::string(tokenizer.token_bytes(token))};
    };
    if (top <= 0) {
        return {.token = chance(id), .top = {}};
    }
    std::vector<TokenId> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto count = std::min(static_cast<std::size_t>(top), order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), [&](TokenId a, TokenId b) {
        const auto at = [&](TokenId token) { return std::isnan(logits[static_cast<std::size_t>(token)]) ? -std::numeric_limits<float>::infinity() : logits[static_cast<std::size_t>(token)]; };
        return at(a) != at(b) ? at(a) > at(b) : a < b;
    });
    TokenLogprobs out{.token = chance(id), .top = {}};
    for (std::size_t i = 0; i < count; ++i) {
        out.top.push_back(chance(order[i]));
    }
    return out;
}

std::vector<NumberSpread::Chance> number_chances(const NumberTokens& numbers, std::span<const float> logits) {
    const double total = log_sum_exp(logits);
    std::vector<NumberSpread::Chance> out;
    for (const auto& [id, value] : numbers.all()) {
        const float logit = logits[static_cast<std::size_t>(id)];
        const double probability = std::isfinite(logit) ? std::exp(static_cast<double>(logit) - total) : 0.0;
        if (probability >= kNumberChanceMin) {
            out.push_back({.value = value, .probability = probability});
        }
    }
    std::ranges::sort(out, {}, &NumberSpread::Chance::value);
    return out;
}

} // namespace handeye
