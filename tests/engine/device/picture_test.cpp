// SPDX-License-Identifier: Apache-2.0
// Pictures on a device, run on the host, against what the host makes of them: every byte and every float the same.
#include "engine/device/device_picture.h"
#include "engine/device/kernels.h"
#include "host_device.h"
#include "orders.h"

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using on_host::run;

// Noise, and blocks of black and white whose edges overshoot: sums below 0 and above 255.
Image picture(Size size, PixelFormat format, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> pixels;
    const int channels = bytes_per_pixel(format);
    for (int y = 0; y < size.height_px; ++y) {
        for (int i = 0; i < size.width_px * channels; ++i) {
            const bool is_noise = (i / channels / 16 + y / 16) % 2 == 0;
            pixels.push_back(static_cast<std::uint8_t>(is_noise ? random() : (i / channels / 3 + y / 5) % 2 == 0 ? 255 : 0));
        }
    }
    auto image = Image::from_pixels(size, format, std::move(pixels));
    EXPECT_TRUE(image);
    return image.value_or(Image());
}

std::string name_of(Size from, Size to) {
    return std::to_string(from.width_px) + "x" + std::to_string(from.height_px) + " to " + std::to_string(to.width_px) + "x" + std::to_string(to.height_px);
}

device::Pixels pixels_of(std::vector<std::uint8_t>& bytes, Size size) { return {bytes.data(), size.width_px, size.height_px}; }

std::vector<std::uint8_t> one_pass(std::vector<std::uint8_t> from, Size size, Size to, bool is_down) {
    const ResizePass pass = is_down ? make_resize_pass(size.height_px, to.height_px) : make_resize_pass(size.width_px, to.width_px);
    const auto bytes = static_cast<std::size_t>(to.area()) * 3;
    return in_every_order([&] {
        std::vector<std::uint8_t> out(bytes + 64, 0xAB); // nothing beyond the picture is written
        run({}, device::ResizePixels{.from = pixels_of(from, size), .to = pixels_of(out, to), .is_down = is_down, .first = pass.first.data(), .weights = pass.weights.data(),
                                     .taps = pass.taps, .precision = pass.precision});
        EXPECT_EQ(std::vector<std::uint8_t>(out.end() - 64, out.end()), std::vector<std::uint8_t>(64, 0xAB));
        out.resize(bytes);
        return out;
    });
}

TEST(DevicePicture, ResizesInTheHostsIntegers) {
    // Larger, smaller, by much, to and from one pixel, more columns than a block has threads, rows that are no whole number of a thread's.
    const std::vector<std::pair<Size, Size>> kCases{{{37, 23}, {56, 84}},   {{131, 97}, {28, 28}}, {{301, 5}, {280, 56}}, {{5, 301}, {3, 7}},
                                                    {{1, 1}, {28, 28}},     {{29, 31}, {1, 1}},    {{113, 41}, {700, 43}}, {{641, 7}, {28, 9}}};
    for (const auto& [from, to] : kCases) {
        SCOPED_TRACE(name_of(from, to));
        const Image image = picture(from, PixelFormat::Rgb, 1);
        const auto wanted = resize_bicubic(image, to);
        ASSERT_TRUE(wanted);
        const std::vector<std::uint8_t> bytes(image.bytes().begin(), image.bytes().end());
        const Size between{to.width_px, from.height_px};
        const std::vector<std::uint8_t> got = one_pass(one_pass(bytes, from, between, false), between, to, true);
        EXPECT_EQ(got, std::vector<std::uint8_t>(wanted->bytes().begin(), wanted->bytes().end()));
    }
}

// The device's memory holds numbers that are none before, and what follows the patches must stay.
void check_cut(device::Device& device, const Image& image, const PreprocessConfig& config) {
    const auto wanted = preprocess_image(image, config);
    const auto cut = device::PictureCut::plan(image, config);
    ASSERT_TRUE(wanted) << wanted.error().message;
    ASSERT_TRUE(cut) << cut.error().message;
    SCOPED_TRACE(name_of(image.size(), wanted->resized));
    ASSERT_EQ(cut->grid(), wanted->grid);
    ASSERT_EQ(static_cast<std::size_t>(cut->grid().patches() * cut->patch_floats()), wanted->rows.size());
    const auto space = device::DeviceMemory::allocate(device, cut->space_bytes() + 4);
    ASSERT_TRUE(space);
    const std::vector<float> got = in_every_order([&] {
        std::vector<float> rows(wanted->rows.size() + 16, 1e9F);
        cut->cut(device, space->bytes(), {.data = rows.data(), .rows = cut->grid().patches(), .cols = cut->patch_floats(), .stride = cut->patch_floats()});
        return rows;
    });
    EXPECT_EQ(std::memcmp(got.data(), wanted->rows.data(), wanted->rows.size() * sizeof(float)), 0);
    EXPECT_EQ(std::vector<float>(got.end() - 16, got.end()), std::vector<float>(16, 1e9F));
    EXPECT_EQ(std::memcmp(space->bytes() + cut->space_bytes(), "\xFF\xFF\xFF\xFF", 4), 0);
}

TEST(DevicePicture, CutsWhatTheHostCuts) {
    const auto device = open_host_device();
    PreprocessConfig small;
    small.max_volume = 100'000; // pictures above are made smaller
    // Odd sizes; one side kept, then the other, then both; made smaller; narrow; tall.
    for (const Size size : {Size{131, 97}, {140, 97}, {131, 140}, {168, 140}, {613, 419}, {45, 600}, {603, 31}, {7, 9}}) {
        check_cut(*device, picture(size, PixelFormat::Rgb, 2), small);
    }
}

TEST(DevicePicture, TakesEveryFormatAndPatch) {
    const auto device = open_host_device();
    for (const PixelFormat format : {PixelFormat::Rgba, PixelFormat::Bgrx, PixelFormat::Gray}) {
        check_cut(*device, picture({131, 97}, format, 3), {});
    }
    PreprocessConfig other;
    other.min_volume = 1;
    other.patch_size = 17; // more pixels than a block has threads
    other.temporal_patch_size = 3;
    other.merge_size = 3;
    check_cut(*device, picture({205, 160}, PixelFormat::Rgb, 4), other);
    other.patch_size = 1;
    other.temporal_patch_size = 1;
    other.merge_size = 1;
    check_cut(*device, picture({41, 27}, PixelFormat::Rgb, 5), other);
    other.mean = {0.1F, 0.9F, 0.5F};
    other.std = {0.7F, 0.013F, 1.1F};
    check_cut(*device, picture({41, 27}, PixelFormat::Rgb, 6), other);
}

TEST(DevicePicture, RefusesWhatTheHostRefuses) {
    const auto refused = [](const Image& image, const PreprocessConfig& config) {
        const auto host = preprocess_image(image, config);
        const auto cut = device::PictureCut::plan(image, config);
        EXPECT_FALSE(host);
        EXPECT_FALSE(cut);
        if (!host && !cut) {
            EXPECT_EQ(cut.error().code, host.error().code);
            EXPECT_EQ(cut.error().message, host.error().message);
        }
    };
    refused(Image(), {});
    refused(picture({1000, 3}, PixelFormat::Rgb, 7), {});
    PreprocessConfig config;
    config.patch_size = 0;
    refused(picture({40, 40}, PixelFormat::Rgb, 8), config);
}

} // namespace
} // namespace handeye
