// SPDX-License-Identifier: Apache-2.0
#include "engine/sampling/sampler.h"

#include <cmath>
#include <limits>
#include <map>
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

} // namespace
} // namespace handeye
