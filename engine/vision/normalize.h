// SPDX-License-Identifier: Apache-2.0
// Bytes to normalised floats, channel by channel.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace handeye {

struct ChannelScale {
    std::array<float, 3> mean{};
    std::array<float, 3> deviation{};
};

/// (byte - mean) / deviation of RGB pixels, into three planes one after another, each as long as the row has pixels.
void normalize_row(std::span<const std::uint8_t> rgb, const ChannelScale& scale, float* planes);

} // namespace handeye
