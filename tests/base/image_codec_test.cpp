// SPDX-License-Identifier: Apache-2.0
// Pictures from outside: what decodes, what is refused before memory is taken, and that damage never does harm.
#include "base/file.h"
#include "base/image_codec.h"
#include "base/image_header.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>

#include <unistd.h>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Bytes sample(const std::string& name) {
    const auto text = read_file(HANDEYE_SOURCE_DIR "/tests/fuzz/corpus/image_codec/" + name, 1 << 20);
    EXPECT_TRUE(text.has_value()) << name;
    return text ? bytes_of(*text) : Bytes();
}

Image noise(Size size) {
    Bytes pixels(static_cast<std::size_t>(size.area()) * 3);
    std::uint32_t state = 1;
    for (std::uint8_t& pixel : pixels) {
        state = state * 1664525U + 1013904223U;
        pixel = static_cast<std::uint8_t>(state >> 24U);
    }
    return *Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
}

void append_big_endian(Bytes& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift)));
    }
}

std::uint32_t checksum(std::span<const std::uint8_t> data) {
    std::uint32_t crc = 0xFFFFFFFFU;
    for (const std::uint8_t byte : data) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    }
    return ~crc;
}

Bytes png_chunk(std::string_view name, const Bytes& data) {
    Bytes chunk;
    append_big_endian(chunk, static_cast<std::uint32_t>(data.size()));
    chunk.insert(chunk.end(), name.begin(), name.end());
    chunk.insert(chunk.end(), data.begin(), data.end());
    append_big_endian(chunk, checksum(std::span(chunk).subspan(4)));
    return chunk;
}

Bytes png_claiming(std::uint32_t width, std::uint32_t height) {
    Bytes header;
    append_big_endian(header, width);
    append_big_endian(header, height);
    header.insert(header.end(), {1, 0, 0, 0, 0}); // one bit, grey
    Bytes png = bytes_of("\x89PNG\r\n\x1a\n");
    for (const Bytes& chunk : {png_chunk("IHDR", header), png_chunk("IDAT", Bytes(40)), png_chunk("IEND", {})}) {
        png.insert(png.end(), chunk.begin(), chunk.end());
    }
    return png;
}

// Chunks right after the header, `count` times.
Bytes with_chunks(Bytes png, std::string_view name, const Bytes& data, int count) {
    constexpr std::ptrdiff_t kAfterHeader = 8 + 25;
    const Bytes chunk = png_chunk(name, data);
    Bytes all;
    for (int i = 0; i < count; ++i) {
        all.insert(all.end(), chunk.begin(), chunk.end());
    }
    png.insert(png.begin() + kAfterHeader, all.begin(), all.end());
    return png;
}

Bytes jpeg_claiming(std::uint8_t high) {
    return {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, high, 0x50, high, 0x50, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0xFF, 0xD9};
}

Bytes webp_claiming(std::string_view kind, std::initializer_list<std::uint8_t> from_20) {
    Bytes webp = bytes_of(std::string("RIFF\x30\0\0\0WEBP", 12) + std::string(kind) + std::string("\x20\0\0\0", 4));
    webp.insert(webp.end(), from_20);
    webp.resize(64);
    return webp;
}

std::int64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::int64_t pages = 0;
    file >> pages >> pages;
    return pages * ::sysconf(_SC_PAGESIZE);
}

std::chrono::nanoseconds thread_time() {
    std::timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Refused before any decoding, which would take seconds of processor time, and without 16 MiB more memory.
void expect_cheap_refusal(const Bytes& bytes, ErrorCode code, const char* what) {
    const std::int64_t before = resident_bytes();
    const auto start = thread_time();
    const auto image = decode_image(bytes);
    EXPECT_LT(thread_time() - start, std::chrono::milliseconds(50)) << what;
    EXPECT_LT(resident_bytes() - before, 16 << 20) << what;
    ASSERT_FALSE(image.has_value()) << what;
    EXPECT_EQ(image.error().code, code) << what << ": " << image.error().message;
}

TEST(ImageCodec, RefusesBombsBeforeTakingMemory) {
    expect_cheap_refusal(png_claiming(65535, 65535), ErrorCode::LimitExceeded, "PNG, 65535x65535");
    expect_cheap_refusal(png_claiming(0x7FFFFFFF, 1), ErrorCode::LimitExceeded, "PNG, 2^31 wide");
    expect_cheap_refusal(png_claiming(0xFFFFFFFF, 0xFFFFFFFF), ErrorCode::LimitExceeded, "PNG, 2^32 square");
    expect_cheap_refusal(png_claiming(16385, 1), ErrorCode::LimitExceeded, "PNG, one pixel too wide");
    expect_cheap_refusal(png_claiming(16384, 16384), ErrorCode::LimitExceeded, "PNG, 256 Mpx");
    expect_cheap_refusal(jpeg_claiming(0xC3), ErrorCode::LimitExceeded, "JPEG, 50000x50000");
    expect_cheap_refusal(webp_claiming("VP8X", {0, 0, 0, 0, 0x4F, 0xC3, 0, 0x4F, 0xC3, 0}), ErrorCode::LimitExceeded, "WebP, 50000x50000");
    expect_cheap_refusal(webp_claiming("VP8L", {0x2F, 0xFF, 0xFF, 0xFF, 0x0F}), ErrorCode::LimitExceeded, "WebP, 16384x16384");
    Bytes bmp(60);
    std::memcpy(bmp.data(), "BM", 2);
    bmp[18] = bmp[19] = bmp[20] = bmp[22] = bmp[23] = bmp[24] = 0xFF;
    expect_cheap_refusal(bmp, ErrorCode::LimitExceeded, "BMP, 2^24 square");
}

TEST(ImageCodec, RefusesTenThousandTextChunks) {
    const Bytes png = *encode_png(noise({8, 8}));
    expect_cheap_refusal(with_chunks(png, "zTXt", bytes_of("k"), 10'000), ErrorCode::LimitExceeded, "10,000 zTXt");
}

TEST(ImageCodec, LeavesTextAndProfilesToNobody) {
    const Image image = noise({8, 8});
    const Bytes png = *encode_png(image);
    for (const char* name : {"zTXt", "iTXt", "tEXt", "iCCP", "eXIf", "gAMA", "xxXx"}) {
        const Bytes more = with_chunks(png, name, Bytes(100, 0xFF), 3);
        ASSERT_TRUE(read_image_header(more).has_value());
        EXPECT_TRUE(read_image_header(more)->has_extra_chunks);
        const auto decoded = decode_image(more);
        ASSERT_TRUE(decoded.has_value()) << name << ": " << decoded.error().message;
        EXPECT_TRUE(std::ranges::equal(decoded->bytes(), image.bytes())) << name;
    }
}

TEST(ImageCodec, RefusesMoreThanOneFrame) {
    for (const char* name : {"animated.png", "animated.webp", "x.gif"}) {
        expect_cheap_refusal(sample(name), ErrorCode::Unsupported, name);
    }
}

TEST(ImageCodec, DecodesEveryKindToRgb) {
    for (const char* name : {"rgb.png", "rgba.png", "grey.png", "palette.png", "la.png", "bits.png", "rgb.jpg", "rgb.webp",
                             "lossless.webp", "rgb.bmp"}) {
        const auto image = decode_image(sample(name));
        ASSERT_TRUE(image.has_value()) << name << ": " << image.error().message;
        EXPECT_EQ(image->size(), (Size{5, 4})) << name;
        EXPECT_EQ(image->format(), PixelFormat::Rgb) << name;
    }
    const auto png = decode_image(sample("rgb.png"));
    for (const char* name : {"lossless.webp", "rgb.bmp", "rgba.png"}) {
        const auto other = decode_image(sample(name));
        EXPECT_TRUE(std::ranges::equal(other->bytes(), png->bytes())) << name;
    }
}

TEST(ImageCodec, KeepsPixelsThroughPngAtEveryLevel) {
    const Image image = noise({61, 37});
    for (int level = -1; level <= 10; ++level) {
        const auto png = encode_png(image, level);
        ASSERT_TRUE(png.has_value());
        const auto again = decode_image(*png);
        ASSERT_TRUE(again.has_value());
        EXPECT_TRUE(std::ranges::equal(again->bytes(), image.bytes())) << level;
    }
}

TEST(ImageCodec, CompositesAlphaOnWhite) {
    const auto clear = Image::from_pixels({2, 1}, PixelFormat::Rgba, {10, 20, 30, 0, 10, 20, 30, 255});
    const auto png = encode_png(*clear);
    ASSERT_TRUE(png.has_value());
    EXPECT_TRUE(std::ranges::equal(decode_image(*png)->bytes(), Bytes{255, 255, 255, 10, 20, 30}));
}

TEST(ImageCodec, RefusesEveryTruncation) {
    for (const char* name : {"rgb.png", "palette.png", "rgba.png", "rgb.jpg", "rgb.webp", "lossless.webp", "rgb.bmp"}) {
        const Bytes whole = sample(name);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            // A buffer of its own, so that a read behind its end is seen by the sanitizer.
            const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
            EXPECT_FALSE(decode_image(part).has_value() && std::string_view(name) != "rgb.bmp") << name << " cut at " << length;
        }
    }
}

TEST(ImageCodec, ShowsABrokenWebpToNoOtherReader) {
    // Found by fuzzing: with a broken inner header OpenCV went on to its DICOM reader, which aborted on this file.
    const auto image = decode_image(sample("webp_dicom"));
    ASSERT_FALSE(image.has_value());
    EXPECT_EQ(image.error().code, ErrorCode::ParseFailed) << image.error().message;
}

TEST(ImageCodec, SurvivesEveryChangedByte) {
    const ImageLimits limits{.pixels_max = 1 << 20, .side_px_max = 4096};
    for (const char* name : {"rgb.png", "palette.png", "la.png", "rgb.jpg", "rgb.webp", "lossless.webp", "rgb.bmp", "animated.webp"}) {
        const Bytes whole = sample(name);
        for (std::size_t at = 0; at < whole.size(); ++at) {
            for (const std::uint8_t change : {0x01, 0x80, 0xFF}) {
                Bytes changed = whole;
                changed[at] = static_cast<std::uint8_t>(changed[at] ^ change);
                const auto image = decode_image(changed, limits);
                EXPECT_TRUE(!image || image->size().area() <= limits.pixels_max);
            }
        }
    }
}

TEST(ImageCodec, NamesWhatIsNotAPicture) {
    for (const std::string& text : {std::string(), std::string("x"), std::string("\x89PNG\r\n\x1a\n"), std::string("\xFF\xD8\xFF"),
                                    std::string("BM"), std::string("RIFF\0\0\0\0WEBP", 12), std::string("GIF89a"),
                                    std::string("<svg></svg>"), std::string("%PDF-1.4")}) {
        const auto image = decode_image(bytes_of(text));
        ASSERT_FALSE(image.has_value());
        EXPECT_FALSE(image.error().message.empty());
    }
    const auto absent = read_image("/nonexistent/picture.png");
    ASSERT_FALSE(absent.has_value());
    EXPECT_NE(absent.error().message.find("/nonexistent/picture.png"), std::string::npos);
}

TEST(ImageCodec, HonoursTheCallersLimits) {
    const Bytes png = *encode_png(noise({20, 10}));
    EXPECT_TRUE(decode_image(png, {.pixels_max = 200, .side_px_max = 20}).has_value());
    EXPECT_FALSE(decode_image(png, {.pixels_max = 199}).has_value());
    EXPECT_FALSE(decode_image(png, {.side_px_max = 19}).has_value());
    EXPECT_FALSE(decode_image(png, {.file_bytes_max = 10}).has_value());
}

TEST(ImageCodec, RefusesToEncodeOrScaleNothing) {
    EXPECT_FALSE(encode_png(Image()).has_value());
    EXPECT_FALSE(encode_jpeg(Image()).has_value());
    EXPECT_FALSE(scaled(Image(), {2, 2}).has_value());
    EXPECT_FALSE(scaled(noise({4, 4}), {0, 2}).has_value());
    EXPECT_EQ(scaled(noise({40, 40}), {7, 3})->size(), (Size{7, 3}));
}

} // namespace
} // namespace handeye
