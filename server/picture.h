// SPDX-License-Identifier: Apache-2.0
// Pictures on their way to and from clients: encoded, scaled, as base64, as data URLs.
#pragma once

#include "base/image.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct EncodedPicture {
    std::vector<std::uint8_t> bytes;
    Size size;
};
/// `format`: "jpeg", else PNG. `max_px` > 0 scales a longer picture down.
Result<EncodedPicture> encode_picture(const Image& image, std::string_view format, int max_px);

std::string to_base64(std::span<const std::uint8_t> bytes);
/// ParseFailed for anything but whole groups of the standard alphabet with its padding.
Result<std::vector<std::uint8_t>> from_base64(std::string_view text);

/// How bytes from outside become a picture: base/picture_decoder.h in the daemon.
using DecodePicture = std::function<Result<Image>(std::span<const std::uint8_t> bytes)>;
/// "data:image/png;base64,..." (PNG, JPEG, WebP, BMP). Every other kind of URL is PermissionDenied: nothing is fetched.
Result<Image> image_from_data_url(std::string_view url, const DecodePicture& decode);

} // namespace handeye
