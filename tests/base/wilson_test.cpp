// SPDX-License-Identifier: Apache-2.0
#include "base/wilson.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

void expect_interval(std::int64_t right, std::int64_t count, double low, double high) {
    const ShareInterval got = wilson_interval(right, count);
    EXPECT_NEAR(got.low, low, 1e-9) << right << " of " << count;
    EXPECT_NEAR(got.high, high, 1e-9) << right << " of " << count;
}

// Computed apart, by the formula in Wilson's paper of 1927 with z = 1.959963984540054.
TEST(WilsonInterval, IsWilsons) {
    expect_interval(1, 10, 0.017876213095072868, 0.4041500267952385);
    expect_interval(94, 100, 0.8752318455410406, 0.9722138760368118);
    expect_interval(81, 263, 0.2552885198782742, 0.36620957698280004);
    expect_interval(500, 1000, 0.4690696003681042, 0.5309303996318958);
}

TEST(WilsonInterval, IsNotEmptyAtTheEnds) {
    expect_interval(0, 10, 0, 0.2775327998628892);
    expect_interval(10, 10, 0.7224672001371107, 1);
    EXPECT_EQ(wilson_interval(0, 10).low, 0);
    EXPECT_EQ(wilson_interval(10, 10).high, 1);
}

TEST(WilsonInterval, SaysNothingOfNothing) {
    expect_interval(0, 0, 0, 1);
    expect_interval(3, -1, 0, 1);
}

TEST(WilsonInterval, TakesWhatLiesBeyondForTheEnd) {
    expect_interval(-5, 10, 0, 0.2775327998628892);
    expect_interval(15, 10, 0.7224672001371107, 1);
}

} // namespace
} // namespace handeye
