// SPDX-License-Identifier: Apache-2.0
// Formats by their numbers in Android's hardware/libhardware graphics.h; the header as screencap.cpp of AOSP writes it.
#include "platforms/android/framebuffer.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::android {
namespace {

enum class Layout { Rgbx, Rgb, Bgrx, Rgb565, Rgb1010102 };
struct FormatRow {
    std::uint32_t number;
    Layout layout;
    int bytes;
};
constexpr FormatRow kFormats[] = {{1, Layout::Rgbx, 4}, {2, Layout::Rgbx, 4}, {3, Layout::Rgb, 3},
                                  {4, Layout::Rgb565, 2}, {5, Layout::Bgrx, 4}, {43, Layout::Rgb1010102, 4}};

constexpr std::size_t kHeadWithoutSpace = 12, kHeadWithSpace = 16;
constexpr std::uint8_t kDark = 1; // colour conversion turns 0 into 1 here and there

std::uint32_t word_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
    return std::uint32_t{bytes[offset]} | std::uint32_t{bytes[offset + 1]} << 8U | std::uint32_t{bytes[offset + 2]} << 16U |
           std::uint32_t{bytes[offset + 3]} << 24U;
}

void to_rgb(Layout layout, const std::uint8_t* in, std::uint8_t* out) {
    switch (layout) {
    case Layout::Rgbx:
    case Layout::Rgb:
        out[0] = in[0], out[1] = in[1], out[2] = in[2];
        break;
    case Layout::Bgrx:
        out[0] = in[2], out[1] = in[1], out[2] = in[0];
        break;
    case Layout::Rgb565: {
        const unsigned value = unsigned{in[0]} | unsigned{in[1]} << 8U;
        const unsigned red = value >> 11U, green = (value >> 5U) & 63U, blue = value & 31U;
        out[0] = static_cast<std::uint8_t>((red << 3U) | (red >> 2U)); // the top bits once more below: 31 becomes 255
        out[1] = static_cast<std::uint8_t>((green << 2U) | (green >> 4U));
        out[2] = static_cast<std::uint8_t>((blue << 3U) | (blue >> 2U));
        break;
    }
    case Layout::Rgb1010102: {
        const unsigned value = unsigned{in[0]} | unsigned{in[1]} << 8U | unsigned{in[2]} << 16U | unsigned{in[3]} << 24U;
        out[0] = static_cast<std::uint8_t>((value >> 2U) & 255U);
        out[1] = static_cast<std::uint8_t>((value >> 12U) & 255U);
        out[2] = static_cast<std::uint8_t>((value >> 22U) & 255U);
        break;
    }
    }
}

} // namespace

Result<Image> decode_framebuffer(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kHeadWithoutSpace) {
        return Error{ErrorCode::ParseFailed, fmt::format("a screenshot of {} bytes has no header", bytes.size())};
    }
    const std::uint32_t width = word_at(bytes, 0), height = word_at(bytes, 4), number = word_at(bytes, 8);
    if (width == 0 || height == 0 || width > kScreenSideMaxPx || height > kScreenSideMaxPx) {
        return Error{ErrorCode::ParseFailed, fmt::format("a screenshot of {}x{} pixels; sides are 1 to {}", width, height, kScreenSideMaxPx)};
    }
    const auto* const format = std::ranges::find(kFormats, number, &FormatRow::number);
    if (format == std::end(kFormats)) {
        return Error{ErrorCode::Unsupported, fmt::format("a screenshot in pixel format {}; known are RGBA, RGBX, RGB, BGRA, RGB_565 and RGBA_1010102", number)};
    }
    const std::size_t pixels = std::size_t{width} * height;
    const std::size_t pixel_bytes = pixels * static_cast<std::size_t>(format->bytes);
    const bool is_without_space = bytes.size() == pixel_bytes + kHeadWithoutSpace;
    if (!is_without_space && bytes.size() != pixel_bytes + kHeadWithSpace) {
        return Error{ErrorCode::ParseFailed, fmt::format("a screenshot of {}x{} pixels has {} bytes, not {}", width, height, bytes.size(),
                                                         pixel_bytes + kHeadWithSpace)};
    }
    std::vector<std::uint8_t> rgb(pixels * 3);
    const std::uint8_t* in = bytes.data() + (is_without_space ? kHeadWithoutSpace : kHeadWithSpace);
    for (std::size_t i = 0; i < pixels; ++i) {
        to_rgb(format->layout, in + i * static_cast<std::size_t>(format->bytes), rgb.data() + i * 3);
    }
    return Image::from_pixels({static_cast<int>(width), static_cast<int>(height)}, PixelFormat::Rgb, std::move(rgb));
}

bool is_black(const Image& image) {
    return std::ranges::all_of(image.to_rgb().bytes(), [](std::uint8_t value) { return value <= kDark; });
}

} // namespace handeye::android
