// SPDX-License-Identifier: Apache-2.0
// The two-pass resize: across to 8 bits, then down. A pass that keeps its length is left out.
#include "engine/vision/preprocess.h"
#include "engine/vision/resize.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace handeye {
namespace {

using Pixels = std::vector<std::uint8_t>;

constexpr std::size_t kChannels = 3;

std::size_t row_bytes(int width_px) { return static_cast<std::size_t>(width_px) * kChannels; }

// Taps beyond the input have weight 0, but the kernel reads them: the slack keeps that inside the buffer.
Pixels across(const Image& rgb, int width_px) {
    const ResizePass pass = make_resize_pass(rgb.size().width_px, width_px);
    const std::size_t slack = std::max(kRowSlackBytes, static_cast<std::size_t>(pass.taps) * kChannels + 16);
    Pixels row(rgb.stride_bytes() + slack);
    Pixels out(row_bytes(width_px) * static_cast<std::size_t>(rgb.size().height_px) + kRowSlackBytes);
    for (int y = 0; y < rgb.size().height_px; ++y) {
        std::memcpy(row.data(), rgb.row(y).data(), rgb.stride_bytes());
        resize_row_across(pass, row.data(), &out[row_bytes(width_px) * static_cast<std::size_t>(y)]);
    }
    return out;
}

Pixels down(const Pixels& pixels, Size size, int height_px) {
    const ResizePass pass = make_resize_pass(size.height_px, height_px);
    const std::size_t stride = row_bytes(size.width_px);
    Pixels out(stride * static_cast<std::size_t>(height_px) + kRowSlackBytes);
    std::vector<const std::uint8_t*> rows(static_cast<std::size_t>(pass.taps));
    for (int y = 0; y < height_px; ++y) {
        for (int k = 0; k < pass.taps; ++k) {
            const int from = std::min(pass.first[static_cast<std::size_t>(y)] + k, size.height_px - 1);
            rows[static_cast<std::size_t>(k)] = &pixels[stride * static_cast<std::size_t>(from)];
        }
        resize_rows_down(pass, y, rows, stride, &out[stride * static_cast<std::size_t>(y)]);
    }
    return out;
}

} // namespace

Result<Image> resize_bicubic(const Image& rgb, Size size) {
    if (rgb.is_empty() || size.is_empty() || rgb.format() != PixelFormat::Rgb) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("cannot resize a picture of {}x{} to {}x{}: both need an area, the picture RGB pixels",
                                 rgb.size().width_px, rgb.size().height_px, size.width_px, size.height_px)};
    }
    if (rgb.size() == size) {
        return rgb;
    }
    Pixels pixels = rgb.size().width_px == size.width_px ? Pixels(rgb.bytes().begin(), rgb.bytes().end())
                                                         : across(rgb, size.width_px);
    if (rgb.size().height_px != size.height_px) {
        pixels.resize(row_bytes(size.width_px) * static_cast<std::size_t>(rgb.size().height_px) + kRowSlackBytes);
        pixels = down(pixels, {size.width_px, rgb.size().height_px}, size.height_px);
    }
    pixels.resize(row_bytes(size.width_px) * static_cast<std::size_t>(size.height_px));
    return Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
}

} // namespace handeye
