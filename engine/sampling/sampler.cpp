// SPDX-License-Identifier: Apache-2.0
#include "engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr double kScaledFrom = 0.01;  // temperatures from which logits are divided by them on a device: numbers stay small
constexpr double kLogSumError = 2e-5; // of a device's logarithm of a sum in float; relative to it where it is above 1

struct Candidate {
    std::int32_t id = 0;
    double logit = 0; // divided by the temperature
};

// Bounds of a sum of probabilities, each as a multiple of the best candidate's: where all logits are known, both are the sum.
struct Weights {
    double least = 0;
    double most = 0;
};

bool before(const Candidate& a, const Candidate& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; }

// The best `top_k` (0: all), best first.
void keep_best(std::vector<Candidate>& candidates, int top_k) {
    const std::size_t kept = top_k > 0 ? std::min(static_cast<std::size_t>(top_k), candidates.size()) : candidates.size();
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(kept), candidates.end(), before);
    candidates.resize(kept);
}

double weight(const std::vector<Candidate>& sorted, std::size_t i) { return std::exp(sorted[i].logit - sorted.front().logit); }

double least_likely(double best, double min_p) { return best + std::log(min_p); }

// Leaves out what is less probable than `min_p` times the best one.
void cut_unlikely(std::vector<Candidate>& candidates, double min_p) {
    const auto best = std::ranges::max_element(candidates, {}, &Candidate::logit);
    const double least = least_likely(best->logit, min_p);
    std::erase_if(candidates, [least](const Candidate& c) { return c.logit < least; });
}

// Keeps the smallest set of best candidates whose probability reaches top_p of the total; at least one. Tells what the set weighs: where it cannot be seen
// which is the last of it, all candidates stay.
Weights cut_tail(std::vector<Candidate>& sorted, const Weights& total, double top_p) {
    double sum = 0;
    std::size_t kept = 0;
    while (kept < sorted.size() && (kept == 0 || sum < top_p * total.least)) {
        sum += weight(sorted, kept);
        ++kept;
    }
    if (sum >= top_p * total.most) {
        sorted.resize(kept);
        return {sum, sum};
    }
    return {top_p * total.least, std::min(total.most, top_p * total.most + weight(sorted, kept - 1))};
}

// The place of the candidate at `left` of the weights, best first; beyond the last where they weigh less.
std::size_t place_at(const std::vector<Candidate>& sorted, double left) {
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        left -= weight(sorted, i);
        if (left < 0) {
            return i;
        }
    }
    return sorted.size();
}

// The candidate at share `at` (0..1) of the kept ones' probability, best first. Nothing where it depends on what they weigh within the bounds.
std::optional<std::int32_t> draw(const std::vector<Candidate>& sorted, const Weights& kept, double at) {
    const std::size_t first = place_at(sorted, kept.least * at);
    if (kept.least == kept.most) {
        return sorted[std::min(first, sorted.size() - 1)].id;
    }
    return first < sorted.size() && place_at(sorted, kept.most * at) == first ? std::optional(sorted[first].id) : std::nullopt;
}

// splitmix64: a counter through a mixer, the same on every machine.
double uniform(std::uint64_t& state) { // in [0, 1)
    state += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    return static_cast<double>(z >> 11U) * 0x1p-53;
}

// The id at the next share of the probability; nothing, and the share is still to come, where it depends on the others within their bounds. None of them is
// better than the last candidate.
std::optional<std::int32_t> draw_from(std::vector<Candidate> candidates, const Weights& others, const SamplingOptions& options, std::uint64_t& state) {
    if (options.min_p > 0) {
        cut_unlikely(candidates, options.min_p);
    }
    keep_best(candidates, options.top_k);
    double sum = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        sum += weight(candidates, i);
    }
    const Weights kept = cut_tail(candidates, {sum + others.least, sum + others.most}, options.top_p);
    const std::uint64_t before = state;
    const std::optional<std::int32_t> id = draw(candidates, kept, uniform(state));
    state = id ? state : before;
    return id;
}

// What the ids weigh that a device left out, beside the best of those here.
Weights weigh_others(const device::RowCandidates& row, const std::vector<Candidate>& here, const SamplingOptions& options, bool is_cut) {
    const auto weight_of = [&](double logit) { return std::exp(logit - here.front().logit); };
    const double last = row.best[row.found - 1].logit / options.temperature; // no other is better
    const bool is_full = options.top_k > 0 && here.size() >= static_cast<std::size_t>(options.top_k);
    if (row.found < device::kCandidatesMost || is_full || (options.min_p > 0 && last < least_likely(here.front().logit, options.min_p))) {
        return {};
    }
    Weights others{.least = 0, .most = 2.0 * device::kVocabularyMost * weight_of(last)}; // twice: sums round
    double found = 0;
    for (const device::Candidate& c : row.best) {
        found += weight_of(c.logit / options.temperature);
    }
    const double log_sum = row.log_sum_scaled;
    if (options.temperature < kScaledFrom || !std::isfinite(log_sum) || !std::isfinite(found)) {
        return others;
    }
    const double error = kLogSumError * std::max(1.0, std::abs(log_sum));
    others.most = std::min(others.most, std::max(0.0, weight_of(log_sum + error) - found));
    others.least = is_cut ? 0.0 : std::max(0.0, weight_of(log_sum - error) - found);
    return others;
}

} // namespace

Result<void> check_sampling(const SamplingOptions& o) {
    const auto in = [](double v, double low, double high) { return v >= low && v <= high; }; // false for NaN
    if (!in(o.temperature, 0.0, 100.0)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("temperature {} is outside 0..100", o.temperature)};
    }
    if (!in(o.top_p, 0.0, 1.0)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("top_p {} is outside 0..1", o.top_p)};
    }
    if (o.top_k < 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("top_k {} is below 0", o.top_k)};
    }
    if (!in(o.repetition_penalty, 0.01, 100.0)) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("repetition_penalty {} is outside 0.01..100", o.repetition_penalty)};
    }
    if (!in(o.presence_penalty, -100.0, 100.0) || !in(o.frequency_penalty, -100.0, 100.0)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("presence_penalty {} or frequency_penalty {} is outside -100..100", o.presence_penalty, o.frequency_penalty)};
    }
    if (!in(o.min_p, 0.0, 1.0)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("min_p {} is outside 0..1", o.min_p)};
    }
    for (const auto& [id, bias] : o.logit_bias) {
        if (id < 0 || !in(bias, -1000.0, 1000.0)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("logit_bias of token {} is {}: ids are not negative, biases lie in -1000..1000", id, bias)};
        }
    }
    return {};
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), state_(options.seed) {}

void Sampler::observe(std::span<const std::int32_t> ids) {
    for (const std::int32_t id : ids) {
        if (id >= 0) {
            seen_.resize(std::max(seen_.size(), static_cast<std::size_t>(id) + 1));
            seen_[static_cast<std::size_t>(id)] = true;
        }
    }
}

void Sampler::observe_new(std::int32_t id) {
    observe({&id, 1});
    ++written_[id];
}

// Penalties and biases; what is no number becomes what is never chosen.
void Sampler::adjust(std::span<float> logits) const {
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (!std::isfinite(logits[i])) {
            logits[i] = kNever;
        } else if (penalty != 1.0F && i < seen_.size() && seen_[i]) {
            logits[i] = logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty;
        }
    }
    if (options_.presence_penalty != 0 || options_.frequency_penalty != 0) {
        for (const auto& [id, count] : written_) {
            if (static_cast<std::size_t>(id) < logits.size()) {
                logits[static_cast<std::size_t>(id)] -= static_cast<float>(options_.presence_penalty + options_.frequency_penalty * count);
            }
        }
    }
    for (const auto& [id, bias] : options_.logit_bias) {
        if (static_cast<std::size_t>(id) < logits.size()) {
            logits[static_cast<std::size_t>(id)] += static_cast<float>(bias);
        }
    }
}

Result<std::int32_t> Sampler::choose(std::span<float> logits) {
    adjust(logits);
    const auto best = std::max_element(logits.begin(), logits.end());
    if (best == logits.end() || *best == kNever) {
        return Error{ErrorCode::Internal, fmt::format("none of the {} logits is a finite number", logits.size())};
    }
    if (options_.temperature == 0.0) {
        return static_cast<std::int32_t>(best - logits.begin());
    }
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (logits[i] != kNever) {
            candidates.push_back({static_cast<std::int32_t>(i), logits[i] / options_.temperature});
        }
    }
    return *draw_from(std::move(candidates), {}, options_, state_); // without others it is always told
}

bool Sampler::can_use_best() const {
    return options_.repetition_penalty == 1.0 && options_.presence_penalty == 0 && options_.frequency_penalty == 0 && options_.logit_bias.empty();
}

float Sampler::scale() const { return options_.temperature >= kScaledFrom ? static_cast<float>(1 / options_.temperature) : 1.0F; }

std::optional<std::int32_t> Sampler::choose_from_best(const device::RowCandidates& row, const std::function<bool(std::int32_t)>& may_come) {
    const bool is_greedy = options_.temperature == 0.0;
    std::vector<Candidate> here;
    for (const device::Candidate& c : std::span(row.best).first(static_cast<std::size_t>(row.found))) {
        if (!may_come || may_come(c.id)) {
            here.push_back({c.id, is_greedy ? c.logit : c.logit / options_.temperature});
        }
    }
    if (here.empty() || !can_use_best()) {
        return std::nullopt;
    }
    if (is_greedy) {
        return here.front().id;
    }
    const bool is_cut = options_.min_p > 0 || options_.top_k > 0 || may_come; // then others may not count
    const Weights others = weigh_others(row, here, options_, is_cut);
    return draw_from(std::move(here), others, options_, state_);
}

} // namespace handeye
