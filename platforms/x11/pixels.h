// SPDX-License-Identifier: Apache-2.0
// Server pixels of any true-colour visual to an Image. Pure: needs no server.
#pragma once

#include "base/image.h"

#include <cstdint>
#include <span>

namespace handeye::x11 {

/// How a server lays out one pixel.
struct PixelLayout {
    int bits_per_pixel = 32; ///< 16, 24 or 32
    bool is_lsb_first = true;
    std::uint32_t red_mask = 0xff0000;
    std::uint32_t green_mask = 0x00ff00;
    std::uint32_t blue_mask = 0x0000ff;
    bool operator==(const PixelLayout&) const = default;
};

/// Rows of `stride_bytes` each. The common layout becomes Bgrx by copying rows; all others become Rgb, channels scaled to 8 bits.
/// Unsupported for other depths, OutOfBounds when `bytes` is too short.
Result<Image> image_from_server(std::span<const std::uint8_t> bytes, std::size_t stride_bytes,
                                Size size, const PixelLayout& layout);

} // namespace handeye::x11
