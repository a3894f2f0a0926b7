// SPDX-License-Identifier: Apache-2.0
#include "base/image.h"

#include <cstring>

#include <fmt/format.h>

namespace handeye {

Result<Image> Image::from_pixels(Size size, PixelFormat format, std::vector<std::uint8_t> pixels) {
    if (size.is_empty()) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("an image of {}x{} pixels has no area", size.width_px, size.height_px)};
    }
    const auto want = static_cast<std::size_t>(size.area()) * static_cast<std::size_t>(bytes_per_pixel(format));
    if (pixels.size() != want) {
        return Error{ErrorCode::InvalidArgument, fmt::format("an image of {}x{} pixels needs {} bytes, got {}",
                                                             size.width_px, size.height_px, want, pixels.size())};
    }
    Image image;
    image.size_ = size;
    image.format_ = format;
    image.pixels_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(pixels));
    return image;
}

namespace {

// Integer compositing on white, rounded to nearest: (c*a + 255*(255-a)) / 255.
std::uint8_t over_white(unsigned color, unsigned alpha) {
    return static_cast<std::uint8_t>((color * alpha + 255U * (255U - alpha) + 127U) / 255U);
}

} // namespace

Image Image::to_rgb() const {
    if (format_ == PixelFormat::Rgb || is_empty()) {
        return *this;
    }
    const auto in = bytes();
    const auto count = static_cast<std::size_t>(size_.area());
    std::vector<std::uint8_t> out(count * 3);
    for (std::size_t i = 0; i < count; ++i) {
        std::uint8_t* to = &out[i * 3];
        switch (format_) {
        case PixelFormat::Rgb: break;
        case PixelFormat::Bgrx:
            to[0] = in[i * 4 + 2], to[1] = in[i * 4 + 1], to[2] = in[i * 4];
            break;
        case PixelFormat::Rgba:
            for (std::size_t c = 0; c < 3; ++c) {
                to[c] = over_white(in[i * 4 + c], in[i * 4 + 3]);
            }
            break;
        case PixelFormat::Gray: to[0] = to[1] = to[2] = in[i]; break;
        }
    }
    Image image;
    image.size_ = size_;
    image.format_ = PixelFormat::Rgb;
    image.pixels_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(out));
    return image;
}

Image Image::cropped(Rect area) const {
    const Rect inside = area.intersected({0, 0, size_.width_px, size_.height_px});
    if (inside.size().is_empty()) {
        return {};
    }
    const auto bpp = static_cast<std::size_t>(bytes_per_pixel(format_));
    const std::size_t row_bytes = static_cast<std::size_t>(inside.width_px) * bpp;
    std::vector<std::uint8_t> out(row_bytes * static_cast<std::size_t>(inside.height_px));
    for (int y = 0; y < inside.height_px; ++y) {
        const auto from = row(inside.y + y).subspan(static_cast<std::size_t>(inside.x) * bpp, row_bytes);
        std::memcpy(&out[static_cast<std::size_t>(y) * row_bytes], from.data(), row_bytes);
    }
    Image image;
    image.size_ = inside.size();
    image.format_ = format_;
    image.pixels_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(out));
    return image;
}

std::uint64_t Image::content_hash() const {
    // Eight bytes at a time, multiply-and-fold: fast enough to run on every captured frame.
    constexpr std::uint64_t kMul = 0x9E3779B97F4A7C15ULL;
    std::uint64_t hash = (static_cast<std::uint64_t>(size_.width_px) << 32U) ^
                         static_cast<std::uint64_t>(size_.height_px) ^ (static_cast<std::uint64_t>(format_) << 60U);
    const auto all = bytes();
    std::size_t i = 0;
    for (; i + 8 <= all.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, all.data() + i, 8);
        hash = (hash ^ word) * kMul;
        hash ^= hash >> 32U;
    }
    for (; i < all.size(); ++i) {
        hash = (hash ^ all[i]) * kMul;
    }
    return hash ^ (hash >> 29U);
}

} // namespace handeye
