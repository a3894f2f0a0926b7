// SPDX-License-Identifier: Apache-2.0
#include "base/plain_png.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include <libdeflate.h>

namespace handeye {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kAroundData = 12; // of a chunk: length, name, checksum
constexpr std::size_t kGrowthMax = 1032; // of deflate, by its format: 258 bytes of two bits

std::uint32_t big_endian(const std::uint8_t* b) { return std::uint32_t{b[0]} << 24U | std::uint32_t{b[1]} << 16U | std::uint32_t{b[2]} << 8U | b[3]; }

struct Plain {
    Size size;
    PixelFormat format = PixelFormat::Rgb;
    std::vector<std::uint8_t> deflated; ///< all IDAT, one after the other
};

bool is_plain_header(Bytes data) {
    constexpr std::array<std::uint8_t, 3> kNoOther{0, 0, 0}; // compression, filter, interlacing
    return data.size() == 13 && data[8] == 8 && (data[9] == 2 || data[9] == 6) && std::memcmp(&data[10], kNoOther.data(), kNoOther.size()) == 0;
}

/// IHDR, IDAT..., IEND, each with its checksum.
std::optional<Plain> read_chunks(Bytes png) {
    Plain plain;
    for (std::size_t at = kSignatureBytes; at + kAroundData <= png.size();) {
        const std::size_t length = big_endian(&png[at]);
        if (length > png.size() - at - kAroundData) {
            return std::nullopt;
        }
        const Bytes data = png.subspan(at + 8, length);
        const std::string_view name(reinterpret_cast<const char*>(&png[at + 4]), 4);
        if (libdeflate_crc32(0, &png[at + 4], length + 4) != big_endian(&png[at + 8 + length])) {
            return std::nullopt;
        }
        const bool is_first = at == kSignatureBytes;
        if (is_first && name == "IHDR" && is_plain_header(data)) {
            plain.size = {static_cast<int>(big_endian(&data[0])), static_cast<int>(big_endian(&data[4]))};
            plain.format = data[9] == 2 ? PixelFormat::Rgb : PixelFormat::Rgba;
        } else if (!is_first && name == "IDAT") {
            plain.deflated.insert(plain.deflated.end(), data.begin(), data.end());
        } else {
            return name == "IEND" && !plain.size.is_empty() && !plain.deflated.empty() ? std::optional(std::move(plain)) : std::nullopt;
        }
        at += length + kAroundData;
    }
    return std::nullopt;
}

/// The rows as they were filtered, each behind the number of its filter; null where the data are not just these.
std::unique_ptr<std::uint8_t[]> inflate(const Plain& plain, std::size_t bytes) {
    if (bytes / kGrowthMax > plain.deflated.size()) {
        return nullptr; // a header that lies: no memory for it
    }
    auto rows = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);
    const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> reader(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    const bool is_whole = reader && libdeflate_zlib_decompress(reader.get(), plain.deflated.data(), plain.deflated.size(), rows.get(), bytes, nullptr) == LIBDEFLATE_SUCCESS;
    return is_whole ? std::move(rows) : nullptr;
}

// The filters of PNG (RFC 2083, 6). `above` is the row above, decoded; `out` is another row. Eight bytes at once where none depends on
// the one before it.

void add_above(const std::uint8_t* in, const std::uint8_t* above, std::uint8_t* out, std::size_t count) {
    constexpr std::uint64_t kHigh = 0x8080808080808080U;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        std::uint64_t a = 0, b = 0;
        std::memcpy(&a, in + i, 8);
        std::memcpy(&b, above + i, 8);
        const std::uint64_t sum = ((a & ~kHigh) + (b & ~kHigh)) ^ ((a ^ b) & kHigh); // no carry from byte to byte
        std::memcpy(out + i, &sum, 8);
    }
    for (; i < count; ++i) {
        out[i] = static_cast<std::uint8_t>(in[i] + above[i]);
    }
}

std::uint8_t nearest(int left, int above, int corner) {
    const int to_left = std::abs(above - corner), to_above = std::abs(left - corner), to_corner = std::abs(left + above - 2 * corner);
    return static_cast<std::uint8_t>(to_left <= to_above && to_left <= to_corner ? left : to_above <= to_corner ? above : corner);
}

template <std::size_t kChannels, class Predict>
void add_predicted(const std::uint8_t* in, const std::uint8_t* above, std::uint8_t* out, std::size_t count, Predict predict) {
    std::array<std::uint8_t, kChannels> left{}, corner{};
    for (std::size_t i = 0; i < count; i += kChannels) {
        for (std::size_t c = 0; c < kChannels; ++c) {
            left[c] = static_cast<std::uint8_t>(in[i + c] + predict(left[c], above[i + c], corner[c]));
            corner[c] = above[i + c];
            out[i + c] = left[c];
        }
    }
}

template <std::size_t kChannels>
bool unfilter(const std::uint8_t* in, const std::uint8_t* above, std::uint8_t* out, std::size_t count) {
    switch (*in++) {
    case 0: std::memcpy(out, in, count); return true;
    case 1: add_predicted<kChannels>(in, above, out, count, [](int left, int, int) { return left; }); return true;
    case 2: add_above(in, above, out, count); return true;
    case 3: add_predicted<kChannels>(in, above, out, count, [](int left, int up, int) { return (left + up) / 2; }); return true;
    case 4: add_predicted<kChannels>(in, above, out, count, nearest); return true;
    default: return false;
    }
}

} // namespace

std::optional<Image> decode_plain_png(Bytes png) {
    const auto plain = read_chunks(png);
    if (!plain) {
        return std::nullopt;
    }
    const std::size_t stride = static_cast<std::size_t>(plain->size.width_px) * static_cast<std::size_t>(bytes_per_pixel(plain->format));
    const auto height = static_cast<std::size_t>(plain->size.height_px);
    const auto rows = inflate(*plain, (stride + 1) * height);
    if (!rows) {
        return std::nullopt;
    }
    const auto add = plain->format == PixelFormat::Rgb ? unfilter<3> : unfilter<4>;
    const std::vector<std::uint8_t> nothing(stride); // above the first row
    std::vector<std::uint8_t> pixels(stride * height);
    for (std::size_t y = 0; y < height; ++y) {
        if (!add(&rows[y * (stride + 1)], y == 0 ? nothing.data() : &pixels[(y - 1) * stride], &pixels[y * stride], stride)) {
            return std::nullopt;
        }
    }
    auto image = Image::from_pixels(plain->size, plain->format, std::move(pixels));
    return image ? std::optional<Image>(*image) : std::nullopt;
}

} // namespace handeye
