// SPDX-License-Identifier: Apache-2.0
#include "engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

struct Candidate {
    std::int32_t id = 0;
    double logit = 0;
};

bool before(const Candidate& a, const Candidate& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; }

// The best `top_k` (0: all), best first.
void keep_best(std::vector<Candidate>& candidates, int top_k) {
    const std::size_t kept = top_k > 0 ? std::min(static_cast<std::size_t>(top_k), candidates.size()) : candidates.size();
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(kept), candidates.end(), before);
    candidates.resize(kept);
}

// Leaves out what is less probable than `min_p` times the best one.
void cut_unlikely(std::vector<Candidate>& candidates, double min_p) {
    const auto best = std::ranges::max_element(candidates, {}, &Candidate::logit);
    const double least = best->logit + std::log(min_p);
    std::erase_if(candidates, [least](const Candidate& c) { return c.logit < least; });
}

// Keeps the smallest set of best candidates whose probability reaches top_p; at least one.
void cut_tail(std::vector<Candidate>& sorted, double top_p) {
    double total = 0;
    for (const Candidate& c : sorted) {
        total += std::exp(c.logit - sorted.front().logit);
    }
    double sum = 0;
    std::size_t kept = 0;
    while (kept < sorted.size() && (kept == 0 || sum < top_p * total)) {
        sum += std::exp(sorted[kept].logit - sorted.front().logit);
        ++kept;
    }
    sorted.resize(kept);
}

// The candidate at share `at` (0..1) of the probability, best first.
std::int32_t draw(const std::vector<Candidate>& sorted, double at) {
    const auto weight = [&](const Candidate& c) { return std::exp(c.logit - sorted.front().logit); };
    double left = 0;
    for (const Candidate& c : sorted) {
        left += weight(c);
    }
    left *= at;
    for (const Candidate& c : sorted) {
        left -= weight(c);
        if (left < 0) {
            return c.id;
        }
    }
    return sorted.back().id;
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
    if (options_.min_p > 0) {
        cut_unlikely(candidates, options_.min_p);
    }
    keep_best(candidates, options_.top_k);
    cut_tail(candidates, options_.top_p);
    return draw(candidates, uniform());
}

// splitmix64: a counter through a mixer, the same on every machine.
double Sampler::uniform() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    return static_cast<double>(z >> 11U) * 0x1p-53;
}

} // namespace handeye
