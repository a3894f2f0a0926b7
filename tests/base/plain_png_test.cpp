// SPDX-License-Identifier: Apache-2.0
// The quick decoder of plain PNG: every filter in every row, and nothing but plain, whole files.
#include "base/image_codec.h"
#include "base/plain_png.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <libdeflate.h>

namespace handeye {
namespace {

using Bytes = std::vector<std::uint8_t>;

void append_big_endian(Bytes& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift)));
    }
}

void append_chunk(Bytes& png, std::string_view name, const Bytes& data) {
    append_big_endian(png, static_cast<std::uint32_t>(data.size()));
    Bytes body(name.begin(), name.end());
    body.insert(body.end(), data.begin(), data.end());
    png.insert(png.end(), body.begin(), body.end());
    append_big_endian(png, libdeflate_crc32(0, body.data(), body.size()));
}

Bytes deflated(const Bytes& data) {
    Bytes out(data.size() + 1000);
    libdeflate_compressor* const writer = libdeflate_alloc_compressor(1);
    out.resize(libdeflate_zlib_compress(writer, data.data(), data.size(), out.data(), out.size()));
    libdeflate_free_compressor(writer);
    return out;
}

struct Made {
    Size size{37, 20};
    int channels = 3;
    Bytes pixels;
    Bytes rows; ///< filtered
};

/// Pixels that are smooth here and jump there, and row y filtered by `filter_of(y)` as the standard writes it.
template <class FilterOf>
Made made(int channels, FilterOf filter_of) {
    Made out{.channels = channels};
    const int stride = out.size.width_px * channels;
    for (int i = 0; i < stride * out.size.height_px; ++i) {
        const bool is_alpha = i % channels == 3;
        out.pixels.push_back(static_cast<std::uint8_t>(is_alpha ? 255 : i % 7 == 0 ? i * 91 : i / 3));
    }
    const auto at = [&](int x, int y) { return x < 0 || y < 0 ? 0 : int{out.pixels[static_cast<std::size_t>(y * stride + x)]}; };
    for (int y = 0; y < out.size.height_px; ++y) {
        const int filter = filter_of(y);
        out.rows.push_back(static_cast<std::uint8_t>(filter));
        for (int x = 0; x < stride; ++x) {
            const int left = at(x - channels, y), above = at(x, y - 1), corner = x < channels ? 0 : at(x - channels, y - 1);
            const int p = left + above - corner;
            const int a = std::abs(p - left), b = std::abs(p - above), c = std::abs(p - corner);
            const int paeth = a <= b && a <= c ? left : b <= c ? above : corner;
            const int guess[] = {0, left, above, (left + above) / 2, paeth};
            out.rows.push_back(static_cast<std::uint8_t>(at(x, y) - guess[filter % 5]));
        }
    }
    return out;
}

struct Shape {
    std::uint8_t depth = 8;
    std::uint8_t interlaced = 0;
    std::size_t parts = 3; ///< IDAT chunks
    std::string_view extra; ///< a chunk before the pixels
};

Bytes png_of(const Made& made, const Bytes& data, const Shape& shape = {}) {
    constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
    Bytes png(kSignature.begin(), kSignature.end());
    Bytes header;
    append_big_endian(header, static_cast<std::uint32_t>(made.size.width_px));
    append_big_endian(header, static_cast<std::uint32_t>(made.size.height_px));
    header.insert(header.end(), {shape.depth, static_cast<std::uint8_t>(made.channels == 3 ? 2 : 6), 0, 0, shape.interlaced});
    append_chunk(png, "IHDR", header);
    if (!shape.extra.empty()) {
        append_chunk(png, shape.extra, Bytes(6));
    }
    for (std::size_t i = 0; i < shape.parts; ++i) {
        const auto begin = data.begin() + static_cast<std::ptrdiff_t>(data.size() * i / shape.parts);
        append_chunk(png, "IDAT", Bytes(begin, data.begin() + static_cast<std::ptrdiff_t>(data.size() * (i + 1) / shape.parts)));
    }
    append_chunk(png, "IEND", {});
    return png;
}

TEST(PlainPng, EveryFilterGivesThePixels) {
    for (const int channels : {3, 4}) {
        for (int filter = 0; filter <= 5; ++filter) { // 5: each in turn, after each other
            const Made one = made(channels, [&](int y) { return filter < 5 ? filter : (y * y + y / 3) % 5; });
            const auto image = decode_plain_png(png_of(one, deflated(one.rows)));
            ASSERT_TRUE(image.has_value()) << channels << " channels, filter " << filter;
            EXPECT_EQ(image->size(), one.size);
            EXPECT_EQ(image->format(), channels == 3 ? PixelFormat::Rgb : PixelFormat::Rgba);
            EXPECT_TRUE(std::ranges::equal(image->bytes(), one.pixels)) << channels << " channels, filter " << filter;
            const auto whole = decode_image(png_of(one, deflated(one.rows)));
            ASSERT_TRUE(whole.has_value());
            EXPECT_TRUE(std::ranges::equal(whole->bytes(), image->to_rgb().bytes()));
        }
    }
}

TEST(PlainPng, LeavesWhatIsNotPlainToOthers) {
    const Made one = made(3, [](int y) { return y % 5; });
    const Bytes data = deflated(one.rows);
    ASSERT_TRUE(decode_plain_png(png_of(one, data)).has_value());
    EXPECT_FALSE(decode_plain_png(png_of(one, data, {.depth = 16})).has_value());
    EXPECT_FALSE(decode_plain_png(png_of(one, data, {.interlaced = 1})).has_value());
    for (const char* name : {"tRNS", "PLTE", "gAMA", "IHDR"}) {
        EXPECT_FALSE(decode_plain_png(png_of(one, data, {.extra = name})).has_value()) << name;
    }
}

TEST(PlainPng, LeavesWhatIsDamagedToOthers) {
    const Made one = made(3, [](int y) { return y % 5; });
    const Bytes data = deflated(one.rows);
    const Bytes good = png_of(one, data);
    for (std::size_t at = 8; at < good.size(); ++at) { // every byte is under a checksum, is one, or says how long what follows is
        Bytes bad = good;
        bad[at] ^= 0x40U;
        EXPECT_FALSE(decode_plain_png(bad).has_value()) << "byte " << at;
        EXPECT_FALSE(decode_plain_png(std::span(good).first(at)).has_value()) << "cut at " << at;
    }
    const auto with_rows = [&](Bytes rows) { return decode_plain_png(png_of(one, deflated(rows))).has_value(); };
    Bytes rows = one.rows;
    rows.pop_back();
    EXPECT_FALSE(with_rows(rows)) << "a byte too few";
    rows.resize(one.rows.size() + 1);
    EXPECT_FALSE(with_rows(rows)) << "a byte too many";
    rows = one.rows;
    rows[0] = 5;
    EXPECT_FALSE(with_rows(rows)) << "no such filter";
    Bytes sum = data;
    sum.back() ^= 1U;
    EXPECT_FALSE(decode_plain_png(png_of(one, sum)).has_value()) << "the checksum of the pixels";
    Made lying = one;
    lying.size = {16384, 4096};
    EXPECT_FALSE(decode_plain_png(png_of(lying, data)).has_value()) << "64 million pixels of 2 kB";
}

} // namespace
} // namespace handeye
