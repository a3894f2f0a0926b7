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

std::optional<int> number_in(std::string_view bytes) {
    const bool is_number = !bytes.empty() && bytes.size() <= 3 && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || (bytes.size() > 1 && bytes.front() == '0')) {
        return std::nullopt;
    }
    return std::accumulate(bytes.begin(), bytes.end(), 0, [](int value, char c) { return value * 10 + (c - '0'); });
}

TokenChance chance_of(const Tokenizer& tokenizer, TokenId id, float logit, double total) {
    return {.id = id, .logprob = std::isfinite(logit) ? std::min(0.0, static_cast<double>(logit) - total) : kNever, .bytes = std::string(tokenizer.token_bytes(id))};
}

// What may be told of numbers, as it is gathered.
class Spread {
public:
    explicit Spread(double total) : total_(total) {}
    [[nodiscard]] double probability(float logit) const { return std::isfinite(logit) ? std::exp(static_cast<double>(logit) - total_) : 0.0; }
    void add(int value, float logit) {
        if (const double p = probability(logit); p >= kNumberChanceMin) {
            chances_.push_back({.value = value, .probability = p});
        }
    }
    [[nodiscard]] std::vector<NumberSpread::Chance> ascending() && {
        std::ranges::sort(chances_, {}, &NumberSpread::Chance::value);
        return std::move(chances_);
    }

private:
    double total_; // logarithm of all logits' sum
    std::vector<NumberSpread::Chance> chances_;
};

} // namespace

NumberTokens::NumberTokens(const Tokenizer& tokenizer) {
    for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
        if (const auto value = number_in(tokenizer.token_bytes(id))) {
            tokens_.emplace_back(id, *value);
        }
    }
}

std::optional<int> NumberTokens::value_of(TokenId id) const {
    const auto found = std::ranges::lower_bound(tokens_, id, {}, &std::pair<TokenId, int>::first);
    return found != tokens_.end() && found->first == id ? std::optional(found->second) : std::nullopt;
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
    const auto chance = [&](TokenId token) { return chance_of(tokenizer, token, logits[static_cast<std::size_t>(token)], total); };
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
    Spread spread(log_sum_exp(logits));
    for (const auto& [id, value] : numbers.all()) {
        spread.add(value, logits[static_cast<std::size_t>(id)]);
    }
    return std::move(spread).ascending();
}

std::optional<TokenLogprobs> token_logprobs(const Tokenizer& tokenizer, const device::RowCandidates& row, TokenId id, int top) {
    const std::span best = std::span(row.best).first(static_cast<std::size_t>(row.found));
    const auto chosen = std::ranges::find(best, id, &device::Candidate::id);
    if (chosen == best.end() || top > row.found) {
        return std::nullopt;
    }
    TokenLogprobs out{.token = chance_of(tokenizer, id, chosen->logit, row.log_sum), .top = {}};
    for (const device::Candidate& c : best.first(static_cast<std::size_t>(std::max(top, 0)))) {
        out.top.push_back(chance_of(tokenizer, c.id, c.logit, row.log_sum));
    }
    return out;
}

std::optional<std::vector<NumberSpread::Chance>> number_chances(const NumberTokens& numbers, const device::RowCandidates& row) {
    Spread spread(row.log_sum);
    for (const device::Candidate& c : std::span(row.best).first(static_cast<std::size_t>(row.found))) {
        if (const std::optional<int> value = numbers.value_of(c.id)) {
            spread.add(*value, c.logit);
        }
    }
    const bool has_all = row.found < device::kCandidatesMost || spread.probability(row.best[row.found - 1].logit) < kNumberChanceMin;
    return has_all ? std::optional(std::move(spread).ascending()) : std::nullopt;
}

} // namespace handeye
