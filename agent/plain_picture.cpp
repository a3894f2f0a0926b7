// SPDX-License-Identifier: Apache-2.0
#include "agent/plain_picture.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace handeye {
namespace {

constexpr double kContrastMin = 5; // grey levels: the standard deviation below which no picture is sought

} // namespace

bool is_of_one_colour(const Image& picture) {
    const Image rgb = picture.to_rgb();
    const auto count = static_cast<double>(rgb.size().area());
    std::array<double, 3> sum{}, squares{};
    for (std::size_t i = 0; i < rgb.bytes().size(); ++i) {
        const double level = rgb.bytes()[i];
        sum[i % 3] += level;
        squares[i % 3] += level * level;
    }
    const auto deviation = [&](std::size_t channel) { return std::sqrt(std::max(0.0, squares[channel] / count - sum[channel] / count * (sum[channel] / count))); };
    return rgb.is_empty() || std::max({deviation(0), deviation(1), deviation(2)}) < kContrastMin;
}

} // namespace handeye
