// SPDX-License-Identifier: Apache-2.0
// Any size and any sane or insane configuration gives patch rows that fit their grid, or an error.
#include "engine/vision/preprocess.h"

#include <cstdlib>
#include <cstring>

namespace {

class Bytes {
public:
    Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    template <class T>
    T take() {
        T value{};
        const std::size_t count = left_ < sizeof(T) ? left_ : sizeof(T);
        std::memcpy(&value, data_, count);
        data_ += count;
        left_ -= count;
        return value;
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    Bytes bytes(data, size);
    const Size picture{1 + bytes.take<std::uint16_t>() % 300, 1 + bytes.take<std::uint16_t>() % 300};
    PreprocessConfig config;
    config.max_volume = 500'000;
    if (bytes.take<std::uint8_t>() % 2 == 1) {
        config.patch_size = bytes.take<std::int8_t>();
        config.temporal_patch_size = bytes.take<std::int8_t>();
        config.merge_size = bytes.take<std::int8_t>();
        config.min_volume = bytes.take<std::int32_t>() % 100'000;
        config.max_volume = bytes.take<std::int32_t>() % 500'000;
        config.video_fps = bytes.take<double>();
        config.video_seconds_max = bytes.take<double>();
    }
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(picture.area()) * 3);
    std::uint32_t state = bytes.take<std::uint32_t>() | 1U;
    for (std::uint8_t& pixel : pixels) {
        state = state * 1664525U + 1013904223U;
        pixel = static_cast<std::uint8_t>(state >> 24U);
    }
    const auto image = Image::from_pixels(picture, PixelFormat::Rgb, std::move(pixels));
    const auto patches = preprocess_image(*image, config);
    if (patches && patches->rows.size() != static_cast<std::size_t>(patches->grid.patches()) * 3U *
                                               static_cast<std::size_t>(config.temporal_patch_size * config.patch_size *
                                                                        config.patch_size)) {
        std::abort();
    }
    const int frames = bytes.take<std::int32_t>();
    const auto rate = bytes.take<double>();
    const auto choice = choose_frames(frames % 5000, rate, bytes.take<double>(), config);
    for (const int index : choice ? choice->indices : std::vector<int>{}) {
        if (index < 0 || index >= frames % 5000) {
            std::abort();
        }
    }
    return 0;
}
