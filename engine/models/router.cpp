// SPDX-License-Identifier: Apache-2.0
#include "engine/models/router.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace handeye {

std::vector<ExpertRows> route(const ExpertsConfig& config, std::span<const float> bias, ConstMatrix logits) {
    const auto count = static_cast<std::size_t>(config.count);
    const auto used = static_cast<std::size_t>(config.used);
    std::vector<ExpertRows> chosen(count);
    std::vector<float> scores(count);
    std::vector<std::size_t> order(count);
    for (std::int64_t row = 0; row < logits.rows; ++row) {
        for (std::size_t i = 0; i < count; ++i) {
            scores[i] = 1.0F / (1.0F + std::exp(-logits.row(row)[i]));
        }
        std::iota(order.begin(), order.end(), std::size_t{0});
        // A NaN compares as the lowest: the order must stay a strict one whatever the weights hold.
        const auto rank = [&](std::size_t i) {
            const float biased = scores[i] + (bias.empty() ? 0.0F : bias[i]);
            return std::isnan(biased) ? -INFINITY : biased;
        };
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(used), order.end(),
                          [&](std::size_t a, std::size_t b) {
                              return rank(a) > rank(b) || (rank(a) == rank(b) && a < b);
                          });
        float total = 0;
        for (std::size_t i = 0; i < used; ++i) {
            total += scores[order[i]];
        }
        const float factor = (config.normalised ? 1.0F / (total + 1e-20F) : 1.0F) * config.scale;
        for (std::size_t i = 0; i < used; ++i) {
            chosen[order[i]].push_back({row, scores[order[i]] * factor});
        }
    }
    return chosen;
}

} // namespace handeye
