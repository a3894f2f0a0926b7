// SPDX-License-Identifier: Apache-2.0
// What a picture file claims to be, read before any decoder sees it.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace handeye {

struct ImageHeader {
    std::int64_t width_px = 0;
    std::int64_t height_px = 0;
    bool is_webp = false;
    bool has_extra_chunks = false; ///< PNG: others than the pixels need
};

/// PNG, JPEG, WebP and BMP. Errors: ParseFailed (none of them, or cut off), Unsupported (GIF; more than one frame),
/// LimitExceeded (a PNG of too many chunks). Reads headers only; allocates nothing.
Result<ImageHeader> read_image_header(std::span<const std::uint8_t> encoded);

/// The PNG with only the chunks that its pixels need: text, profiles and the like are not for a decoder to unpack.
std::vector<std::uint8_t> without_extra_chunks(std::span<const std::uint8_t> png);

} // namespace handeye
