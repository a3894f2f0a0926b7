// SPDX-License-Identifier: Apache-2.0
// The vision tower on a device: of a picture it gives what it gives of the picture's patches.
#include "engine/device/model_on_device.h"
#include "engine/models/registry.h"
#include "host_device.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

const std::filesystem::path kModel = std::filesystem::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine/glm4v-f32";

Image gradient(Size size) {
    std::vector<std::uint8_t> pixels;
    for (int y = 0; y < size.height_px; ++y) {
        for (int x = 0; x < size.width_px; ++x) {
            pixels.insert(pixels.end(), {static_cast<std::uint8_t>(x * 3), static_cast<std::uint8_t>(y * 5), static_cast<std::uint8_t>(x * y)});
        }
    }
    return Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels)).value_or(Image());
}

class TowerOnDevice : public testing::Test {
protected:
    void SetUp() override {
        auto opened = open_model(kModel);
        ASSERT_TRUE(opened) << opened.error().message;
        model_ = std::make_unique<Model>(std::move(*opened));
        const VisionConfig& c = model_->vision->config;
        config_.patch_size = c.patch_size;
        config_.temporal_patch_size = c.temporal_patch_size;
        config_.merge_size = c.merge_size;
        config_.min_volume = 1;
        config_.max_volume = std::int64_t{2} * (c.patch_size * c.merge_size * 4) * (c.patch_size * c.merge_size * 4);
        std::shared_ptr<device::Device> device = open_host_device();
        const auto plan = device::plan_device(*device, *model_, {.context_tokens = 64, .picture = {1, 4, 4}, .exact = true});
        ASSERT_TRUE(plan) << plan.error().message;
        auto loaded = device::ModelOnDevice::load(std::move(device), *model_, pool_, *plan, {});
        ASSERT_TRUE(loaded) << loaded.error().message;
        on_device_ = std::move(*loaded);
    }

    [[nodiscard]] std::int64_t tower_bytes(GridThw grid) const {
        return device::DeviceVision::space_bytes(on_device_->device(), *model_->vision, {grid.t, grid.h, grid.w}, {.exact = true});
    }

    void check(Size size, bool is_large) {
        SCOPED_TRACE(std::to_string(size.width_px) + "x" + std::to_string(size.height_px));
        const Image image = gradient(size);
        const auto cut = device::PictureCut::plan(image, config_);
        ASSERT_TRUE(cut) << cut.error().message;
        EXPECT_EQ(static_cast<std::int64_t>(cut->space_bytes()) > tower_bytes(cut->grid()), is_large) << cut->space_bytes() << " of " << tower_bytes(cut->grid());
        int told = 0;
        const auto got = on_device_->run_picture(*cut, {}, [&] { ++told; });
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(told, 1);
        const auto patches = preprocess_image(image, config_);
        ASSERT_TRUE(patches) << patches.error().message;
        const GridThw grid = patches->grid;
        const auto cols = static_cast<std::int64_t>(cut->patch_floats());
        const auto wanted = on_device_->run_vision({patches->rows.data(), grid.patches(), cols, cols}, {grid.t, grid.h, grid.w}, {});
        ASSERT_TRUE(wanted) << wanted.error().message;
        EXPECT_EQ(*got, *wanted);
    }

    std::unique_ptr<Model> model_;
    ThreadPool pool_{2};
    PreprocessConfig config_;
    std::unique_ptr<device::ModelOnDevice> on_device_;
};

// The bytes of large ones need more memory than the tower.
TEST_F(TowerOnDevice, GivesOfAPictureWhatItGivesOfItsPatches) {
    check({61, 47}, false);
    check({900, 700}, true);
    check({112, 112}, false);
    check({1100, 800}, true);
}

TEST_F(TowerOnDevice, RefusesAPictureOfOtherPatches) {
    PreprocessConfig other = config_;
    other.patch_size = config_.patch_size * 2;
    const auto cut = device::PictureCut::plan(gradient({300, 200}), other);
    ASSERT_TRUE(cut) << cut.error().message;
    const auto refused = on_device_->run_picture(*cut, {}, [] {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument);
}

} // namespace
} // namespace handeye
