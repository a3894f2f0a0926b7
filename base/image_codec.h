// SPDX-License-Identifier: Apache-2.0
// Pictures in files and memory: PNG, JPEG, WebP and BMP in; PNG, JPEG and WebP out.
// Everything is checked before pixels are allocated. Safe to call from any thread.
#pragma once

#include "base/image.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace handeye {

struct ImageLimits {
    std::int64_t pixels_max = 64LL * 1024 * 1024;
    int side_px_max = 16384;
    std::int64_t file_bytes_max = 256LL * 1024 * 1024;
};

/// Decodes to RGB; a picture with alpha is composited on white, grey and palette pictures are widened.
Result<Image> decode_image(std::span<const std::uint8_t> encoded, const ImageLimits& limits = {});
Result<Image> read_image(const std::filesystem::path& path, const ImageLimits& limits = {});

/// Lossless PNG. `level` 0..9 is zlib's; 1 is fast and about a fifth larger than 6.
Result<std::vector<std::uint8_t>> encode_png(const Image& image, int level = 1);
Result<void> write_png(const std::filesystem::path& path, const Image& image, int level = 6);
/// Lossy, for previews. `quality` 1..100.
Result<std::vector<std::uint8_t>> encode_jpeg(const Image& image, int quality = 85);
/// Lossy, for many pictures in little room: text stays readable at a third of JPEG's bytes. `quality` 1..100.
Result<std::vector<std::uint8_t>> encode_webp(const Image& image, int quality);

/// The picture scaled to `size` by area averaging: previews and history pictures, not for the model's own preprocessing.
Result<Image> scaled(const Image& image, Size size);

} // namespace handeye
