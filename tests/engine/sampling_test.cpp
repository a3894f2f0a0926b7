// SPDX-License-Identifier: Apache-2.0
#include "engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::int32_t choose(Sampler& sampler, std::vector<float> logits) { return sampler.choose(logits).value_or(-1); }

TEST(Sampler, IsGreedyAtTemperatureZeroAndTakesTheFirstOfEquals) {
    Sampler sampler({});
    EXPECT_EQ(choose(sampler, {1, 3, 2, 3}), 1);
}

TEST(Sampler, NeverChoosesWhatIsNotANumber) {
    Sampler greedy({});
    EXPECT_EQ(choose(greedy, {kNan, 1, kInfinity, 2, -kInfinity}), 3);
    Sampler warm({.temperature = 1.0, .seed = 3});
    for (int i = 0; i < 200; ++i) {
        const std::int32_t id = choose(warm, {kNan, 1, kInfinity, 2});
        EXPECT_TRUE(id == 1 || id == 3);
    }
}

TEST(Sampler, SaysThatNoLogitIsANumber) {
    Sampler sampler({});
    std::vector<float> logits = {kNan, -kInfinity};
    EXPECT_EQ(sampler.choose(logits).error().code, ErrorCode::Internal);
    EXPECT_FALSE(sampler.choose({}));
}

TEST(Sampler, PenaltyDividesPositiveAndMultipliesNegativeLogitsOfSeenIds) {
    Sampler sampler({.repetition_penalty = 2.0});
    sampler.observe(std::vector<std::int32_t>{0});
    EXPECT_EQ(choose(sampler, {4, 3, 1}), 1);
    EXPECT_EQ(choose(sampler, {-1, -1.5F, -3}), 1);
    EXPECT_EQ(choose(sampler, {7, 3, 1}), 0);
}

TEST(Sampler, TopKAndTopPCutTheTail) {
    Sampler two({.temperature = 5.0, .top_k = 2, .seed = 1});
    Sampler half({.temperature = 1.0, .top_p = 0.5, .seed = 1});
    Sampler nucleus({.temperature = 1.0, .top_p = 0.0, .seed = 1});
    for (int i = 0; i < 300; ++i) {
        EXPECT_LT(choose(two, {3, 2, 1, 0}), 2);
        EXPECT_EQ(choose(half, {3, 1, 0, 0}), 0);
        EXPECT_EQ(choose(nucleus, {0, 0, 0.1F, 0}), 2);
    }
}

TEST(Sampler, DrawsInProportionToTheProbabilities) {
    Sampler sampler({.temperature = 1.0, .seed = 42});
    std::map<std::int32_t, int> counts;
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
        ++counts[choose(sampler, {std::log(1.0F), std::log(2.0F), std::log(5.0F)})];
    }
    // Five standard deviations of a binomial of this size are below 0.018.
    EXPECT_NEAR(counts[0] / double{kDraws}, 0.125, 0.018);
    EXPECT_NEAR(counts[1] / double{kDraws}, 0.25, 0.018);
    EXPECT_NEAR(counts[2] / double{kDraws}, 0.625, 0.018);
}

TEST(Sampler, OfOneSeedRepeatsItself) {
    Sampler a({.temperature = 1.0, .seed = 9});
    Sampler b({.temperature = 1.0, .seed = 9});
    Sampler c({.temperature = 1.0, .seed = 10});
    int differs = 0;
    for (int i = 0; i < 100; ++i) {
        const std::vector<float> logits = {0, 0.1F, 0.2F, 0.3F, 0.4F};
        const std::int32_t id = choose(a, logits);
        EXPECT_EQ(choose(b, logits), id);
        differs += choose(c, logits) != id ? 1 : 0;
    }
    EXPECT_GT(differs, 20);
}

TEST(SamplingOptions, OutOfRangeAreNamed) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const SamplingOptions& bad :
         {SamplingOptions{.temperature = -0.1}, SamplingOptions{.temperature = nan}, SamplingOptions{.top_p = 1.1},
          SamplingOptions{.top_p = nan}, SamplingOptions{.top_k = -1}, SamplingOptions{.repetition_penalty = 0.0}}) {
        const auto checked = check_sampling(bad);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().code, ErrorCode::InvalidArgument);
    }
    EXPECT_TRUE(check_sampling({}));
}

// As a device leaves it of a row (engine/device/choose.h). `error`: of its logarithms, as far as sums in float may be off.
device::RowCandidates best_of(std::span<const float> logits, float scale, double error) {
    std::vector<std::int32_t> order;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (std::isfinite(logits[i])) {
            order.push_back(static_cast<std::int32_t>(i));
        }
    }
    const auto at = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
    std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) { return at(a) != at(b) ? at(a) > at(b) : a < b; });
    device::RowCandidates row;
    row.found = static_cast<std::int32_t>(std::min<std::size_t>(order.size(), device::kCandidatesMost));
    for (int i = 0; i < row.found; ++i) {
        row.best[i] = {order[static_cast<std::size_t>(i)], at(order[static_cast<std::size_t>(i)])};
    }
    double sum = 0;
    for (const std::int32_t id : order) {
        sum += std::exp((double{at(id)} - row.best[0].logit) * scale);
    }
    const double log_sum = double{row.best[0].logit} * scale + std::log(sum);
    row.log_sum_scaled = static_cast<float>(log_sum + error * std::max(1.0, std::abs(log_sum)));
    return row;
}

struct Told {
    int ids = 0; ///< by the best ones
    int rows = 0;
};

// Two samplers of a seed, one from the best logits where these tell it, over rows of `width` ids that spread by `spread`; every `masked`th id may not come, and is
// better by `lift`.
Told choose_both_ways(const SamplingOptions& options, int rows, std::size_t width, float spread, std::size_t masked, float lift = 0) {
    std::mt19937 random(static_cast<unsigned>(options.seed) + 7U);
    std::normal_distribution<float> logit;
    Sampler whole(options), sparing(options);
    Told told;
    for (; told.rows < rows; ++told.rows) {
        std::vector<float> logits(width);
        std::ranges::generate(logits, [&] { return std::round(logit(random) * spread * 64) / 64; }); // some are equal
        for (std::size_t i = 0; masked > 0 && i < width; i += masked) {
            logits[i] += lift;
        }
        const auto may_come = [&](std::int32_t id) { return static_cast<std::size_t>(id) % masked != 0; };
        auto id = sparing.choose_from_best(best_of(logits, sparing.scale(), (told.rows % 3 - 1) * 1e-5), masked > 0 ? may_come : std::function<bool(std::int32_t)>());
        for (std::size_t i = 0; masked > 0 && i < width; i += masked) {
            logits[i] = -kInfinity;
        }
        std::vector<float> again = logits;
        told.ids += id ? 1 : 0;
        id = id ? id : sparing.choose(again).value_or(-1);
        if (const std::int32_t wanted = choose(whole, logits); *id != wanted) {
            ADD_FAILURE() << *id << " in place of " << wanted << " in row " << told.rows;
            break;
        }
    }
    return told;
}

TEST(SamplerOfTheBest, ChoosesWhatIsChosenFromAll) {
    for (const SamplingOptions& options :
         {SamplingOptions{}, SamplingOptions{.temperature = 1.0}, SamplingOptions{.temperature = 0.7, .top_p = 0.9}, SamplingOptions{.temperature = 0.7, .top_p = 0.0},
          SamplingOptions{.temperature = 1.0, .top_k = 20}, SamplingOptions{.temperature = 1.0, .top_p = 0.8, .top_k = 64}, SamplingOptions{.temperature = 1.0, .top_k = 100},
          SamplingOptions{.temperature = 1.0, .min_p = 0.05}, SamplingOptions{.temperature = 2.0, .top_p = 0.7, .min_p = 0.001}, SamplingOptions{.temperature = 5.0},
          SamplingOptions{.temperature = 0.001}, SamplingOptions{.temperature = 1e-300}, SamplingOptions{.temperature = 100}}) {
        for (const std::size_t width : {5U, 64U, 65U, 500U}) {
            for (const float spread : {0.0F, 1.0F, 4.0F, 30.0F}) {
                for (const std::size_t masked : {0U, 2U, 3U}) {
                    SamplingOptions seeded = options;
                    seeded.seed = width + masked;
                    SCOPED_TRACE(testing::Message() << "temperature " << options.temperature << " top_p " << options.top_p << " top_k " << options.top_k << " min_p " << options.min_p
                                                    << " width " << width << " spread " << spread << " masked " << masked);
                    choose_both_ways(seeded, 12, width, spread, masked);
                }
            }
        }
    }
}

TEST(SamplerOfTheBest, WhatMayComeCanBeFarBelowWhatMayNot) {
    for (const float lift : {10.0F, 30.0F, 80.0F}) { // the last one's exponential is no number any more
        choose_both_ways({.temperature = 0.1, .seed = 4}, 100, 500, 0.1F, 200, lift);
        EXPECT_EQ(choose_both_ways({}, 10, 500, 1, 200, lift).ids, 10);
    }
}

TEST(SamplerOfTheBest, SeldomNeedsTheOthers) {
    EXPECT_EQ(choose_both_ways({}, 100, 1000, 4, 3).ids, 100);
    EXPECT_EQ(choose_both_ways({.temperature = 1.0, .top_k = 20}, 100, 1000, 1, 0).ids, 100);
    EXPECT_EQ(choose_both_ways({.temperature = 1.0, .min_p = 0.05}, 100, 1000, 4, 0).ids, 100);
    EXPECT_GT(choose_both_ways({.temperature = 0.8, .top_p = 0.9}, 100, 1000, 4, 0).ids, 95);
    EXPECT_GT(choose_both_ways({.temperature = 1.0}, 100, 1000, 4, 0).ids, 90);
    EXPECT_LT(choose_both_ways({.temperature = 100}, 100, 1000, 1, 0).ids, 15); // any may come
    EXPECT_EQ(choose_both_ways({.repetition_penalty = 1.1}, 100, 1000, 4, 0).ids, 0);
    EXPECT_EQ(choose_both_ways({.logit_bias = {{3, 1.0}}}, 100, 1000, 4, 0).ids, 0);
}

} // namespace
} // namespace handeye
