// SPDX-License-Identifier: Apache-2.0
// Which experts see which rows. Pure.
#pragma once

#include "engine/models/model.h"
#include "engine/tensor/tensor.h"

#include <cstdint>
#include <span>
#include <vector>

namespace handeye {

struct RoutedRow {
    std::int64_t row = 0;
    float weight = 0;
};
using ExpertRows = std::vector<RoutedRow>;

/// Rows for each expert. `logits` (rows, experts): the sigmoid of each is its score; the `used` best of score + bias are
/// chosen, and weighted with their scores without bias.
std::vector<ExpertRows> route(const ExpertsConfig& config, std::span<const float> bias, ConstMatrix logits);

} // namespace handeye
