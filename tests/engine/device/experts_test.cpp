// SPDX-License-Identifier: Apache-2.0
// The device's routing of rows to experts, run on the host, against the CPU's router.
#include "engine/device/kernels.h"
#include "engine/models/router.h"
#include "orders.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using on_host::run;

struct Routing {
    std::vector<std::int32_t> chosen;
    std::vector<float> weights;
};

Routing routed(std::vector<float>& scores, int rows, int experts, const ExpertsConfig& config, const float* bias) {
    const auto count = static_cast<std::size_t>(rows * config.used);
    Routing out{.chosen = std::vector<std::int32_t>(count), .weights = {}};
    out.weights = in_every_order([&] {
        std::vector<float> weights(count);
        run({}, device::Route{.scores = rows_in(scores, rows, experts, stride_of(experts)), .bias = bias, .used = config.used, .normalised = config.normalised, .scale = config.scale,
                              .chosen = out.chosen.data(), .weights = weights.data()});
        weights.insert(weights.end(), out.chosen.begin(), out.chosen.end());
        return weights;
    });
    out.weights.resize(count);
    return out;
}

// Each chosen expert has the row with the same weight on the CPU, and the chosen ones are as many as there.
void check_route(std::vector<float>& scores, int rows, const ExpertsConfig& config, const std::vector<float>& bias) {
    SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(config.used) + " of " + std::to_string(config.count));
    const Routing got = routed(scores, rows, config.count, config, bias.empty() ? nullptr : bias.data());
    const std::vector<ExpertRows> wanted = route(config, bias, {scores.data(), rows, config.count, stride_of(config.count)});
    for (int row = 0; row < rows; ++row) {
        std::vector<int> times(static_cast<std::size_t>(config.count));
        for (int k = 0; k < config.used; ++k) {
            const auto at = static_cast<std::size_t>(row * config.used + k);
            const int expert = got.chosen[at];
            ASSERT_TRUE(expert >= 0 && expert < config.count);
            ASSERT_EQ(++times[static_cast<std::size_t>(expert)], 1);
            const ExpertRows& there = wanted[static_cast<std::size_t>(expert)];
            const auto found = std::ranges::find(there, row, &RoutedRow::row);
            ASSERT_NE(found, there.end()) << "row " << row << " expert " << expert;
            if (std::isnan(found->weight)) {
                EXPECT_TRUE(std::isnan(got.weights[at]));
            } else {
                EXPECT_NEAR(got.weights[at], found->weight, 1e-6F * (1 + std::abs(found->weight)));
            }
        }
    }
}

TEST(DeviceExperts, RoutesAsTheCpuDoes) {
    for (const auto& [rows, experts, used] : {std::tuple{1, 128, 8}, {5, 256, 16}, {9, 160, 8}, {3, 7, 3}, {2, 2, 2}, {4, 33, 1}}) {
        std::vector<float> scores = random_floats(static_cast<std::size_t>(rows * stride_of(experts)), 1);
        const ExpertsConfig config{.count = experts, .used = used, .normalised = rows % 2 == 1, .scale = 2.5F};
        check_route(scores, rows, config, {});
        check_route(scores, rows, config, random_floats(static_cast<std::size_t>(experts), 2));
    }
}

TEST(DeviceExperts, LowerOfEqualsComesFirstAndNoNumberLast) {
    const ExpertsConfig config{.count = 40, .used = 6, .normalised = true, .scale = 1};
    std::vector<float> scores(static_cast<std::size_t>(2 * stride_of(40)), 0.25F);
    scores[0] = std::numeric_limits<float>::quiet_NaN();
    scores[35] = 1.0F;
    const Routing got = routed(scores, 2, 40, config, nullptr);
    EXPECT_EQ(got.chosen, (std::vector<std::int32_t>{35, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}));
    std::ranges::fill(scores, std::numeric_limits<float>::quiet_NaN());
    scores[39] = -std::numeric_limits<float>::infinity();
    check_route(scores, 2, config, {});
    EXPECT_EQ(routed(scores, 2, 40, config, nullptr).chosen[0], 39);
}

TEST(DeviceExperts, GathersAndScattersRows) {
    for (const int cols : {1, 7, 64, 1030}) {
        SCOPED_TRACE(cols);
        const int stride = stride_of(cols);
        std::vector<float> x = random_floats(static_cast<std::size_t>(5 * stride), 3);
        const std::vector<std::int32_t> rows_of{4, 0, 2};
        const std::vector<float> weights{0.5F, -2.0F, 0.3F};
        for (const bool is_given : {true, false}) {
            const std::vector<float> got = in_every_order([&] {
                std::vector<float> to(static_cast<std::size_t>(3 * stride), 5.0F);
                run({}, device::GatherRows{.x = rows_in(x, 5, cols, stride), .rows_of = is_given ? rows_of.data() : nullptr, .to = rows_in(to, 3, cols, stride)});
                return to;
            });
            for (int i = 0; i < 3 * stride; ++i) {
                const int row = is_given ? rows_of[static_cast<std::size_t>(i / stride)] : i / stride;
                ASSERT_EQ(got[static_cast<std::size_t>(i)], i % stride < cols ? x[static_cast<std::size_t>(row * stride + i % stride)] : 5.0F);
            }
        }
        const std::vector<float> start = random_floats(static_cast<std::size_t>(5 * stride), 4);
        const std::vector<float> got = in_every_order([&] {
            std::vector<float> y = start;
            run({}, device::ScatterAdd{.x = rows_in(x, 3, cols, stride), .rows_of = rows_of.data(), .weights = weights.data(), .y = rows_in(y, 5, cols, stride)});
            return y;
        });
        std::vector<float> wanted = start;
        for (std::size_t i = 0; i < rows_of.size(); ++i) {
            for (int col = 0; col < cols; ++col) {
                wanted[static_cast<std::size_t>(rows_of[i] * stride + col)] += weights[i] * x[i * static_cast<std::size_t>(stride) + static_cast<std::size_t>(col)];
            }
        }
        EXPECT_EQ(got, wanted);
    }
}

} // namespace
} // namespace handeye
