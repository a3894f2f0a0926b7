// SPDX-License-Identifier: Apache-2.0
// One fast path (32-bit little-endian BGRX, what nearly every server sends) and one path for all the rest.
#include "platforms/x11/pixels.h"

#include <bit>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

/// One colour channel of a masked pixel, widened to 8 bits so that all ones become 255.
struct Channel {
    std::uint32_t mask;
    int shift;
    std::uint32_t max;

    explicit Channel(std::uint32_t m)
        : mask(m), shift(m == 0 ? 0 : std::countr_zero(m)), max(m >> shift) {}
    [[nodiscard]] std::uint8_t of(std::uint32_t pixel) const {
        return max == 0 ? 0
                        : static_cast<std::uint8_t>(
                              (std::uint64_t{(pixel & mask) >> shift} * 255 + max / 2) / max);
    }
};

std::uint32_t read_pixel(const std::uint8_t* at, int bytes, bool is_lsb_first) {
    std::uint32_t pixel = 0;
    for (int i = 0; i < bytes; ++i) {
        const int shift = 8 * (is_lsb_first ? i : bytes - 1 - i);
        pixel |= std::uint32_t{at[i]} << shift;
    }
    return pixel;
}

std::vector<std::uint8_t> copy_rows(std::span<const std::uint8_t> bytes, std::size_t stride,
                                    std::size_t row_bytes, std::size_t rows) {
    if (stride == row_bytes) { // one pass over memory: constructing from a range does not zero first
        return {bytes.data(), bytes.data() + row_bytes * rows};
    }
    std::vector<std::uint8_t> pixels;
    pixels.reserve(row_bytes * rows);
    for (std::size_t y = 0; y < rows; ++y) {
        const auto row = bytes.subspan(y * stride, row_bytes);
        pixels.insert(pixels.end(), row.begin(), row.end());
    }
    return pixels;
}

} // namespace

Result<Image> image_from_server(std::span<const std::uint8_t> bytes, std::size_t stride_bytes,
                                Size size, const PixelLayout& layout) {
    const int bits = layout.bits_per_pixel;
    if (bits != 16 && bits != 24 && bits != 32) {
        return Error{ErrorCode::Unsupported,
                     fmt::format("the display has {} bits a pixel; 16, 24 and 32 are read", bits)};
    }
    const auto width = static_cast<std::size_t>(size.width_px);
    const auto height = static_cast<std::size_t>(size.height_px);
    const auto pixel_bytes = static_cast<std::size_t>(bits / 8);
    if (size.is_empty() || stride_bytes < width * pixel_bytes ||
        bytes.size() < stride_bytes * (height - 1) + width * pixel_bytes) {
        return Error{ErrorCode::OutOfBounds,
                     fmt::format("{} bytes with rows of {} do not hold {}x{} pixels of {} bits",
                                 bytes.size(), stride_bytes, size.width_px, size.height_px, bits)};
    }
    if (layout == PixelLayout{}) {
        return Image::from_pixels(size, PixelFormat::Bgrx,
                                  copy_rows(bytes, stride_bytes, width * 4, height));
    }
    const Channel red(layout.red_mask), green(layout.green_mask), blue(layout.blue_mask);
    std::vector<std::uint8_t> pixels;
    pixels.reserve(width * height * 3);
    for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
            const std::uint8_t* at = bytes.data() + y * stride_bytes + x * pixel_bytes;
            const auto pixel = read_pixel(at, bits / 8, layout.is_lsb_first);
            pixels.insert(pixels.end(), {red.of(pixel), green.of(pixel), blue.of(pixel)});
        }
    }
    return Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
}

} // namespace handeye::x11
