// SPDX-License-Identifier: Apache-2.0
// Taps of the antialiased cubic resize as 16-bit integers. The reference computes 8-bit pictures in exactly these integers,
// so the order of the double operations here is part of the contract.
#include "engine/vision/resize.h"

#include <algorithm>
#include <cmath>

namespace handeye {
namespace {

constexpr double kCubicA = -0.5;
constexpr int kPrecisionMax = 22; // 32-bit sums: 255 * 1.3 * 2^22 < 2^31

double cubic(double x) {
    x = std::abs(x);
    if (x < 1.0) {
        return ((kCubicA + 2.0) * x - (kCubicA + 3.0)) * x * x + 1.0;
    }
    if (x < 2.0) {
        return (((x - 5.0) * x + 8.0) * x - 4.0) * kCubicA;
    }
    return 0.0;
}

struct Taps {
    int first = 0;
    std::vector<double> weights;
};

Taps taps_of(int index, int n_in, double scale) {
    const double stretch = std::max(scale, 1.0);
    const double support = 2.0 * stretch;
    const double center = (index + 0.5) * scale;
    Taps taps;
    taps.first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), n_in);
    const double offset = taps.first - center;
    double sum = 0.0;
    for (int k = 0; k < last - taps.first; ++k) {
        taps.weights.push_back(cubic((k + offset + 0.5) * (1.0 / stretch)));
        sum += taps.weights.back();
    }
    for (double& weight : taps.weights) {
        weight /= sum;
    }
    return taps;
}

// The most fraction bits with which the largest weight still fits 16 signed bits.
int precision_of(double weight_max) {
    int precision = 0;
    while (precision < kPrecisionMax && static_cast<int>(0.5 + weight_max * (1 << (precision + 1))) < (1 << 15)) {
        ++precision;
    }
    return precision;
}

std::int16_t fixed(double weight, int precision) {
    const double scaled = weight * (1 << precision);
    return static_cast<std::int16_t>(static_cast<int>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
}

} // namespace

ResizePass make_resize_pass(int n_in, int n_out) {
    const double scale = static_cast<double>(n_in) / n_out;
    std::vector<Taps> all;
    all.reserve(static_cast<std::size_t>(n_out));
    std::size_t taps_max = 0;
    double weight_max = 0.0;
    for (int i = 0; i < n_out; ++i) {
        all.push_back(taps_of(i, n_in, scale));
        taps_max = std::max(taps_max, all.back().weights.size());
        weight_max = std::max(weight_max, *std::max_element(all.back().weights.begin(), all.back().weights.end()));
    }
    ResizePass pass{.n_in = n_in, .n_out = n_out, .taps = static_cast<int>(taps_max + taps_max % 2),
                    .precision = precision_of(weight_max), .first = {}, .weights = {}};
    const auto stride = static_cast<std::size_t>(pass.taps);
    pass.first.resize(all.size());
    pass.weights.resize(all.size() * stride);
    for (std::size_t i = 0; i < all.size(); ++i) {
        pass.first[i] = all[i].first;
        for (std::size_t k = 0; k < all[i].weights.size(); ++k) {
            pass.weights[i * stride + k] = fixed(all[i].weights[k], pass.precision);
        }
    }
    return pass;
}

} // namespace handeye
