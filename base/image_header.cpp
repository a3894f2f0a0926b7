// SPDX-License-Identifier: Apache-2.0
#include "base/image_header.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kPngSignatureBytes = 8;
constexpr int kExtraChunksMax = 1000;

Error damaged(std::string_view what) { return {ErrorCode::ParseFailed, fmt::format("the picture is damaged: {}", what)}; }
Error animated(std::string_view format) {
    return {ErrorCode::Unsupported, fmt::format("{} with more than one frame: only single pictures are read", format)};
}

std::uint32_t big_endian(Bytes b, std::size_t at) {
    return std::uint32_t{b[at]} << 24U | std::uint32_t{b[at + 1]} << 16U | std::uint32_t{b[at + 2]} << 8U | b[at + 3];
}

std::uint32_t little_endian(Bytes b, std::size_t at, int count) {
    std::uint32_t value = 0;
    for (int i = count - 1; i >= 0; --i) {
        value = value << 8U | b[at + static_cast<std::size_t>(i)];
    }
    return value;
}

bool starts_with(Bytes b, std::string_view magic) {
    return b.size() >= magic.size() && std::memcmp(b.data(), magic.data(), magic.size()) == 0;
}

struct PngChunk {
    std::string_view name;
    Bytes whole; ///< length, name, data and checksum
};

// The chunk at the beginning of `rest`; none when it is cut off.
std::optional<PngChunk> png_chunk(Bytes rest) {
    constexpr std::size_t kAroundData = 12;
    if (rest.size() < kAroundData || big_endian(rest, 0) > rest.size() - kAroundData) {
        return std::nullopt;
    }
    return PngChunk{{reinterpret_cast<const char*>(rest.data()) + 4, 4}, rest.first(big_endian(rest, 0) + kAroundData)};
}

bool pixels_need(std::string_view name) {
    return name == "IHDR" || name == "PLTE" || name == "tRNS" || name == "IDAT" || name == "IEND";
}

Result<ImageHeader> png_header(Bytes b) {
    ImageHeader header;
    int extra = 0;
    bool has_pixels = false;
    for (Bytes rest = b.subspan(kPngSignatureBytes); ;) {
        const auto chunk = png_chunk(rest);
        if (!chunk) {
            return damaged("a PNG chunk is cut off");
        }
        if (header.width_px == 0) {
            if (chunk->name != "IHDR" || chunk->whole.size() != 25) {
                return damaged("the PNG does not begin with its header");
            }
            header.width_px = big_endian(chunk->whole, 8);
            header.height_px = big_endian(chunk->whole, 12);
            if (header.width_px == 0 || header.height_px == 0) {
                return damaged("the PNG has no area");
            }
        }
        if (chunk->name == "acTL") {
            return animated("a PNG");
        }
        has_pixels = has_pixels || chunk->name == "IDAT";
        extra += pixels_need(chunk->name) ? 0 : 1;
        if (extra > kExtraChunksMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("a PNG with more than {} chunks beside its pixels", kExtraChunksMax)};
        }
        if (chunk->name == "IEND") {
            header.has_extra_chunks = extra > 0;
            return has_pixels ? Result<ImageHeader>(header) : damaged("the PNG has no pixels");
        }
        rest = rest.subspan(chunk->whole.size());
    }
}

// A decoder would fill what is missing of a cut-off JPEG with whatever lies in memory.
bool has_end_marker(Bytes b, std::size_t from) {
    for (std::size_t at = b.size() - 1; at > from; --at) {
        if (b[at] == 0xD9 && b[at - 1] == 0xFF) {
            return true;
        }
    }
    return false;
}

Result<ImageHeader> jpeg_header(Bytes b) {
    ImageHeader header;
    std::size_t at = 2;
    while (at + 9 < b.size()) {
        if (b[at] != 0xFF) {
            return damaged("a JPEG segment does not begin where the one before ends");
        }
        const std::uint8_t marker = b[at + 1];
        if (marker == 0xFF) { // padding
            ++at;
            continue;
        }
        const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame && header.width_px != 0) {
            return damaged("the JPEG has two frames");
        }
        if (is_frame) {
            header.width_px = b[at + 7] << 8 | b[at + 8];
            header.height_px = b[at + 5] << 8 | b[at + 6];
        }
        const std::size_t length = static_cast<std::size_t>(b[at + 2]) << 8U | b[at + 3];
        if (length < 2 || marker == 0xD9) {
            break;
        }
        at += 2 + length;
        if (marker == 0xDA) { // the scan: compressed data follow
            const bool is_whole = header.width_px > 0 && header.height_px > 0 && at < b.size() && has_end_marker(b, at);
            return is_whole ? Result<ImageHeader>(header) : damaged("the JPEG is cut off");
        }
    }
    return damaged("the JPEG is cut off before its pixels");
}

Result<ImageHeader> webp_header(Bytes b) {
    if (b.size() < 30) {
        return damaged("the WebP is cut off");
    }
    const Bytes chunk = b.subspan(12);
    if (starts_with(chunk, "VP8X")) {
        constexpr std::uint8_t kAnimation = 0x02;
        if ((b[20] & kAnimation) != 0) {
            return animated("a WebP");
        }
        return ImageHeader{little_endian(b, 24, 3) + 1, little_endian(b, 27, 3) + 1, true};
    }
    if (starts_with(chunk, "VP8L")) {
        const std::uint32_t bits = little_endian(b, 21, 4);
        return ImageHeader{(bits & 0x3FFFU) + 1, (bits >> 14U & 0x3FFFU) + 1, true};
    }
    if (starts_with(chunk, "VP8 ")) {
        return ImageHeader{little_endian(b, 26, 2) & 0x3FFFU, little_endian(b, 28, 2) & 0x3FFFU, true};
    }
    return damaged("the WebP has no pixels");
}

} // namespace

Result<ImageHeader> read_image_header(Bytes encoded) {
    if (starts_with(encoded, "\x89PNG\r\n\x1a\n")) {
        return png_header(encoded);
    }
    if (starts_with(encoded, "\xFF\xD8\xFF")) {
        return jpeg_header(encoded);
    }
    if (starts_with(encoded, "RIFF") && encoded.size() >= 16 && starts_with(encoded.subspan(8), "WEBP")) {
        return webp_header(encoded);
    }
    if (starts_with(encoded, "BM") && encoded.size() >= 26) {
        const auto height = static_cast<std::int32_t>(little_endian(encoded, 22, 4));
        return ImageHeader{static_cast<std::int32_t>(little_endian(encoded, 18, 4)), std::abs(std::int64_t{height})};
    }
    if (starts_with(encoded, "GIF8")) {
        return Error{ErrorCode::Unsupported, "GIF pictures are not read: PNG, JPEG, WebP or BMP"};
    }
    return Error{ErrorCode::ParseFailed, "not a PNG, JPEG, WebP or BMP picture"};
}

std::vector<std::uint8_t> without_extra_chunks(Bytes png) {
    std::vector<std::uint8_t> out(png.begin(), png.begin() + kPngSignatureBytes);
    Bytes rest = png.subspan(kPngSignatureBytes);
    for (auto chunk = png_chunk(rest); chunk; chunk = png_chunk(rest)) {
        if (pixels_need(chunk->name)) {
            out.insert(out.end(), chunk->whole.begin(), chunk->whole.end());
        }
        rest = rest.subspan(chunk->whole.size());
    }
    return out;
}

} // namespace handeye
