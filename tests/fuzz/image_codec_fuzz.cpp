// SPDX-License-Identifier: Apache-2.0
// Any bytes either decode to an RGB picture within the limits or give an error; a decoded picture survives a PNG round trip.
#include "base/image_codec.h"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const handeye::ImageLimits limits{.pixels_max = 1 << 20, .side_px_max = 4096, .file_bytes_max = 1 << 20};
    const auto image = handeye::decode_image({data, size}, limits);
    if (!image) {
        return 0;
    }
    if (image->size().area() > limits.pixels_max || image->format() != handeye::PixelFormat::Rgb) {
        std::abort();
    }
    if (image->size().area() <= 4096) {
        const auto png = handeye::encode_png(*image);
        const auto again = png ? handeye::decode_image(*png, limits) : png.error();
        if (!again || !std::ranges::equal(again->bytes(), image->bytes())) {
            std::abort();
        }
    }
    return 0;
}
