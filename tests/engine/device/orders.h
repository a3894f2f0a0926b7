// SPDX-License-Identifier: Apache-2.0
// A kernel on the host with its threads in every order: other numbers would mean that a barrier is missing.
#pragma once

#include "engine/device/kernels.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {

/// What `make` gives (a vector), whatever the order.
template <class Make>
auto in_every_order(const Make& make) {
    using on_host::host::Order;
    const auto first = make();
    for (const Order order : {Order::Backward, Order::Shuffled}) {
        on_host::host::set_order(order);
        const auto again = make();
        on_host::host::set_order(Order::Forward);
        EXPECT_EQ(again.size(), first.size());
        EXPECT_EQ(std::memcmp(again.data(), first.data(), first.size() * sizeof(first[0])), 0) << "order " << static_cast<int>(order);
    }
    return first;
}

inline std::vector<float> random_floats(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 1);
    std::vector<float> out(count);
    std::ranges::generate(out, [&] { return normal(random); });
    return out;
}

inline device::Rows rows_in(std::vector<float>& data, int rows, int cols, int stride) { return {.data = data.data(), .rows = rows, .cols = cols, .stride = stride}; }
inline int stride_of(int cols) { return (cols + 3) / 4 * 4 + 4; }

} // namespace handeye
