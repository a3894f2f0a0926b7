// SPDX-License-Identifier: Apache-2.0
// Immutable 8-bit pixels behind a shared pointer: copying an Image is O(1), and any thread may read it.
#pragma once

#include "base/geometry.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace handeye {

/// Byte order in memory of one pixel.
enum class PixelFormat { Rgb, Rgba, Bgrx, Gray };

/// Bytes of one pixel.
constexpr int bytes_per_pixel(PixelFormat format) {
    switch (format) {
    case PixelFormat::Rgb: return 3;
    case PixelFormat::Rgba:
    case PixelFormat::Bgrx: return 4;
    case PixelFormat::Gray: return 1;
    }
    return 0;
}

class Image {
public:
    Image() = default;
    /// Takes the rows, top first, without padding: pixels.size() must be width*height*bytes_per_pixel.
    static Result<Image> from_pixels(Size size, PixelFormat format, std::vector<std::uint8_t> pixels);

    [[nodiscard]] Size size() const { return size_; }
    [[nodiscard]] PixelFormat format() const { return format_; }
    [[nodiscard]] bool is_empty() const { return size_.is_empty(); }
    [[nodiscard]] std::size_t stride_bytes() const {
        return static_cast<std::size_t>(size_.width_px) * static_cast<std::size_t>(bytes_per_pixel(format_));
    }
    /// All rows; lives as long as any copy of this Image.
    [[nodiscard]] std::span<const std::uint8_t> bytes() const {
        return pixels_ ? std::span<const std::uint8_t>(*pixels_) : std::span<const std::uint8_t>();
    }
    /// One row; y must be inside.
    [[nodiscard]] std::span<const std::uint8_t> row(int y) const {
        return bytes().subspan(static_cast<std::size_t>(y) * stride_bytes(), stride_bytes());
    }

    /// The same picture as RGB; alpha is composited on white. O(1) when it is RGB already.
    [[nodiscard]] Image to_rgb() const;
    /// A copy of the part of `area` that lies inside; empty when none does.
    [[nodiscard]] Image cropped(Rect area) const;
    /// A stable 64-bit hash of size, format and pixels (not for security).
    [[nodiscard]] std::uint64_t content_hash() const;

private:
    Size size_;
    PixelFormat format_ = PixelFormat::Rgb;
    std::shared_ptr<const std::vector<std::uint8_t>> pixels_;
};

} // namespace handeye
