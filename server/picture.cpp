// SPDX-License-Identifier: Apache-2.0
#include "server/picture.h"

#include "base/image_codec.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kUrlShownMax = 40;

} // namespace

Result<EncodedPicture> encode_picture(const Image& image, std::string_view format, int max_px) {
    Image fitting = image;
    const Size full = image.size();
    const int longest = std::max(full.width_px, full.height_px);
    if (max_px > 0 && longest > max_px) {
        const auto fit = [&](int side) { return std::max(1, static_cast<int>(std::int64_t{side} * max_px / longest)); };
        const Size size{fit(full.width_px), fit(full.height_px)};
        fitting = TRY(scaled(image, size));
    }
    std::vector<std::uint8_t> bytes = TRY((format == "jpeg" ? encode_jpeg(fitting) : encode_png(fitting)));
    return EncodedPicture{std::move(bytes), fitting.size()};
}

std::string to_base64(std::span<const std::uint8_t> bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
        const std::uint32_t group = std::uint32_t{bytes[i]} << 16U | (n > 1 ? std::uint32_t{bytes[i + 1]} << 8U : 0U) |
                                    (n > 2 ? std::uint32_t{bytes[i + 2]} : 0U);
        out += kAlphabet[group >> 18U & 63U];
        out += kAlphabet[group >> 12U & 63U];
        out += n > 1 ? kAlphabet[group >> 6U & 63U] : '=';
        out += n > 2 ? kAlphabet[group & 63U] : '=';
    }
    return out;
}

Result<std::vector<std::uint8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return Error{ErrorCode::ParseFailed, fmt::format("base64 comes in groups of four characters, these are {}", text.size())};
    }
    std::array<std::uint8_t, 256> values{};
    values.fill(64);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::vector<std::uint8_t> out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < text.size() - padding; ++i) {
        const std::uint8_t value = values[static_cast<unsigned char>(text[i])];
        if (value == 64) {
            return Error{ErrorCode::ParseFailed, fmt::format("base64: character {} is not of its alphabet", i + 1)};
        }
        group = group << 6U | value;
        if (i % 4 == 3) {
            out.insert(out.end(), {static_cast<std::uint8_t>(group >> 16U), static_cast<std::uint8_t>(group >> 8U), static_cast<std::uint8_t>(group)});
            group = 0;
        }
    }
    if (padding == 2) {
        out.push_back(static_cast<std::uint8_t>(group >> 4U));
    } else if (padding == 1) {
        out.push_back(static_cast<std::uint8_t>(group >> 10U));
        out.push_back(static_cast<std::uint8_t>(group >> 2U));
    }
    return out;
}

Result<Image> image_from_data_url(std::string_view url, const DecodePicture& decode) {
    constexpr std::string_view kMark = ";base64,";
    if (!url.starts_with("data:")) {
        return Error{ErrorCode::PermissionDenied,
                     fmt::format("pictures come as data: URLs; \"{}\" would have to be fetched", url.substr(0, kUrlShownMax))};
    }
    const std::size_t mark = url.find(kMark);
    const std::string_view type = url.substr(5, std::min(mark, url.size()) - 5);
    constexpr std::array<std::string_view, 4> kTypes{"image/png", "image/jpeg", "image/webp", "image/bmp"};
    if (mark == std::string_view::npos || std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) {
        return Error{ErrorCode::InvalidArgument, "a picture's URL begins with data:image/png;base64, (or jpeg, webp, bmp)"};
    }
    const std::vector<std::uint8_t> bytes = TRY(from_base64(url.substr(mark + kMark.size())));
    if (!decode) {
        return Error{ErrorCode::Unsupported, "this server takes no pictures: it was given nothing to decode them with"};
    }
    return decode(bytes);
}

} // namespace handeye
