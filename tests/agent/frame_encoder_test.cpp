// SPDX-License-Identifier: Apache-2.0
// Frames survive the band encoder unchanged, whatever changed before them.
#include "agent/frame_encoder.h"
#include "base/hash.h"
#include "base/image_codec.h"

#include <random>

#include <gtest/gtest.h>

namespace handeye {
namespace {

Image noise(Size size, PixelFormat format, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.area() * bytes_per_pixel(format)));
    for (std::uint8_t& byte : pixels) {
        byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : 200);
    }
    return Image::from_pixels(size, format, std::move(pixels)).value();
}

Image with_block(const Image& image, Rect box, std::uint8_t shade) {
    std::vector<std::uint8_t> pixels(image.bytes().begin(), image.bytes().end());
    const int bpp = bytes_per_pixel(image.format());
    for (int y = box.y; y < box.y + box.height_px; ++y) {
        std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(y) * static_cast<std::ptrdiff_t>(image.stride_bytes()) + box.x * bpp, box.width_px * bpp, shade);
    }
    return Image::from_pixels(image.size(), image.format(), std::move(pixels)).value();
}

void expect_lossless(const EncodedFrame& frame, const Image& image) {
    const auto decoded = decode_image(*frame.blob.bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    const Image want = image.to_rgb();
    ASSERT_EQ(decoded->size(), want.size());
    EXPECT_TRUE(std::equal(want.bytes().begin(), want.bytes().end(), decoded->bytes().begin(), decoded->bytes().end()));
    EXPECT_EQ(frame.blob.sha256_hex, to_hex(sha256(std::span<const std::uint8_t>(*frame.blob.bytes))));
}

TEST(FrameEncoder, IsLosslessForEverySizeAndFormat) {
    for (const Size size : {Size{1, 1}, Size{3, 15}, Size{17, 16}, Size{33, 17}, Size{640, 100}}) {
        for (const PixelFormat format : {PixelFormat::Rgb, PixelFormat::Bgrx, PixelFormat::Gray}) {
            FrameEncoder encoder;
            const Image image = noise(size, format, 7);
            const auto frame = encoder.encode(image);
            ASSERT_TRUE(frame);
            EXPECT_TRUE(frame->is_new);
            expect_lossless(*frame, image);
        }
    }
}

TEST(FrameEncoder, EncodesOnlyTheBandsThatChanged) {
    FrameEncoder encoder;
    const Image first = noise({320, 240}, PixelFormat::Bgrx, 1);
    EXPECT_EQ(encoder.encode(first).value().bands_encoded, 15);
    const Image second = with_block(first, {10, 50, 20, 4}, 9);
    const auto frame = encoder.encode(second);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->bands_encoded, 1);
    expect_lossless(*frame, second);
}

TEST(FrameEncoder, KnowsTheSameFrameAgain) {
    FrameEncoder encoder;
    const Image image = noise({100, 60}, PixelFormat::Rgb, 3);
    const auto first = encoder.encode(image);
    const auto again = encoder.encode(noise({100, 60}, PixelFormat::Rgb, 3));
    ASSERT_TRUE(first && again);
    EXPECT_FALSE(again->is_new);
    EXPECT_EQ(again->blob.sha256_hex, first->blob.sha256_hex);
}

TEST(FrameEncoder, FollowsTenRandomChangesOfSizeAndContent) {
    FrameEncoder encoder;
    std::mt19937 random(5);
    Image image = noise({200, 150}, PixelFormat::Bgrx, 11);
    for (int i = 0; i < 10; ++i) {
        const Size size = image.size();
        image = i % 4 == 3 ? noise({static_cast<int>(100 + random() % 100), static_cast<int>(50 + random() % 100)}, PixelFormat::Bgrx, static_cast<unsigned>(i))
                           : with_block(image, {0, static_cast<int>(random() % 40), size.width_px / 2, 10}, static_cast<std::uint8_t>(random()));
        const auto frame = encoder.encode(image);
        ASSERT_TRUE(frame);
        expect_lossless(*frame, image);
    }
}

TEST(FrameEncoder, RefusesAnEmptyFrame) { EXPECT_FALSE(FrameEncoder().encode(Image())); }

TEST(ChangedArea, IsTheSmallestRectangleAroundTheDifference) {
    const Image first = noise({320, 240}, PixelFormat::Bgrx, 1);
    EXPECT_TRUE(changed_area(first, noise({320, 240}, PixelFormat::Bgrx, 1)).size().is_empty());
    const Image white = Image::from_pixels({320, 240}, PixelFormat::Bgrx, std::vector<std::uint8_t>(320U * 240U * 4U, 255)).value();
    EXPECT_EQ(changed_area(white, with_block(white, {10, 50, 20, 4}, 9)), (Rect{10, 50, 20, 4}));
    EXPECT_EQ(changed_area(white, with_block(white, {319, 239, 1, 1}, 9)), (Rect{319, 239, 1, 1}));
    EXPECT_EQ(changed_area(white, noise({10, 10}, PixelFormat::Bgrx, 1)), (Rect{0, 0, 10, 10}));
}

TEST(Masked, PaintsBoxesAndNothingElse) {
    const Image image = noise({50, 40}, PixelFormat::Rgb, 2);
    const std::vector<Rect> boxes{{5, 5, 10, 10}, {45, 35, 100, 100}, {-20, -20, 5, 5}};
    const Image hidden = masked(image, boxes);
    EXPECT_EQ(hidden.row(0)[0], image.row(0)[0]);
    EXPECT_EQ(hidden.row(6)[6 * 3], hidden.row(14)[14 * 3 + 2]);
    EXPECT_EQ(hidden.row(39)[49 * 3], hidden.row(6)[6 * 3]);
    EXPECT_EQ(changed_area(image, masked(image, {})).size(), Size{});
}

} // namespace
} // namespace handeye
