// SPDX-License-Identifier: Apache-2.0
// The PNG that browsers and phones send, decoded in two passes over its bytes: a screen of a megapixel in under a millisecond, where a
// decoder for every PNG takes five.
#pragma once

#include "base/image.h"

#include <cstdint>
#include <optional>
#include <span>

namespace handeye {

/// RGB or RGBA. None for whatever is not plain (8 bits a sample, RGB or RGBA, not interlaced, no chunk beside the pixels) and for
/// whatever is damaged: another decoder judges those. `png` passed read_image_header(), and its size is within the caller's limits.
std::optional<Image> decode_plain_png(std::span<const std::uint8_t> png);

} // namespace handeye
