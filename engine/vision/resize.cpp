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

/// The rows of the first pass, made as the second one needs them: a ring of as many as it reads at once, which stays in the
/// cache. Without a first pass they are the picture's own rows.
class AcrossRows {
public:
    AcrossRows(const Image& rgb, int width_px, int rows_at_once)
        : rgb_(rgb), is_needed_(rgb.size().width_px != width_px), ring_rows_(std::max(rows_at_once, 1)),
          stride_(row_bytes(width_px) + kRowSlackBytes) {
        if (is_needed_) {
            pass_ = make_resize_pass(rgb.size().width_px, width_px);
            // Taps beyond the input have weight 0, but the kernel reads them.
            source_.resize(rgb.stride_bytes() + static_cast<std::size_t>(pass_.taps) * kChannels + kRowSlackBytes);
            ring_.resize(stride_ * static_cast<std::size_t>(ring_rows_));
        }
    }

    /// Rows must be asked for in an order that never goes back by more than the ring. Valid until it comes round again.
    const std::uint8_t* row(int y) {
        if (!is_needed_) {
            return rgb_.row(y).data();
        }
        for (; done_ <= y; ++done_) {
            std::memcpy(source_.data(), rgb_.row(done_).data(), rgb_.stride_bytes());
            resize_row_across(pass_, source_.data(), slot(done_));
        }
        return slot(y);
    }

private:
    std::uint8_t* slot(int y) { return &ring_[stride_ * static_cast<std::size_t>(y % ring_rows_)]; }

    const Image& rgb_;
    bool is_needed_;
    int ring_rows_;
    std::size_t stride_;
    ResizePass pass_;
    Pixels source_;
    Pixels ring_;
    int done_ = 0;
};

Pixels resized(const Image& rgb, Size size) {
    Pixels out(row_bytes(size.width_px) * static_cast<std::size_t>(size.height_px));
    const auto out_row = [&](int y) { return &out[row_bytes(size.width_px) * static_cast<std::size_t>(y)]; };
    if (rgb.size().height_px == size.height_px) {
        AcrossRows across(rgb, size.width_px, 1);
        for (int y = 0; y < size.height_px; ++y) {
            std::memcpy(out_row(y), across.row(y), row_bytes(size.width_px));
        }
        return out;
    }
    const ResizePass pass = make_resize_pass(rgb.size().height_px, size.height_px);
    AcrossRows across(rgb, size.width_px, pass.taps);
    std::vector<const std::uint8_t*> rows(static_cast<std::size_t>(pass.taps));
    for (int y = 0; y < size.height_px; ++y) {
        for (int k = 0; k < pass.taps; ++k) {
            // Beyond the last row the weight is 0 and any row will do.
            const int from = std::min(pass.first[static_cast<std::size_t>(y)] + k, rgb.size().height_px - 1);
            rows[static_cast<std::size_t>(k)] = across.row(from);
        }
        resize_rows_down(pass, y, rows, row_bytes(size.width_px), out_row(y));
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
    return Image::from_pixels(size, PixelFormat::Rgb, resized(rgb, size));
}

} // namespace handeye
