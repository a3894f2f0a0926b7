// SPDX-License-Identifier: Apache-2.0
// Pictures and videos to patch rows: against the reference's values (tests/golden/preprocess) and by worked examples.
#include "base/hash.h"
#include "base/json.h"
#include "engine/vision/preprocess.h"
#include "engine/vision/resize.h"
#include "tests/engine/temporary_folder.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json golden(const char* name) {
    const auto value = read_json(std::string(HANDEYE_SOURCE_DIR "/tests/golden/preprocess/") + name);
    EXPECT_TRUE(value.has_value()) << value.error().message;
    return value.value_or(json::array());
}

// The same arithmetic as picture() in tests/oracle/preprocess.py.
Image picture(Size size, std::uint32_t seed) {
    std::vector<std::uint8_t> pixels;
    pixels.reserve(static_cast<std::size_t>(size.area()) * 3);
    for (std::uint32_t y = 0; y < static_cast<std::uint32_t>(size.height_px); ++y) {
        for (std::uint32_t x = 0; x < static_cast<std::uint32_t>(size.width_px); ++x) {
            for (std::uint32_t c = 0; c < 3; ++c) {
                std::uint32_t h = x * 73856093U ^ y * 19349663U ^ c * 83492791U ^ seed;
                h = (h ^ h >> 15U) * 2246822519U;
                h = (h ^ h >> 13U) * 3266489917U;
                std::uint32_t value = h >> 24U;
                value = (x / 32 + y / 32) % 2 == 1 ? (x * 2 + y * 3 + c * 40) & 255U : value;
                value = (x / 7 + y / 5) % 3 == 0 ? 255 : value;
                value = (x * 3 + y * 5) % 31 < 4 ? 0 : value;
                pixels.push_back(static_cast<std::uint8_t>(value));
            }
        }
    }
    auto image = Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
    EXPECT_TRUE(image.has_value());
    return image.value_or(Image());
}

std::string hex_of(const LargeVector<float>& rows) {
    return to_hex(sha256({reinterpret_cast<const std::uint8_t*>(rows.data()), rows.size() * sizeof(float)}));
}

std::string joined(const std::vector<int>& numbers) {
    std::string text;
    for (const int number : numbers) {
        text += (text.empty() ? "" : ",") + std::to_string(number);
    }
    return text;
}

TEST(Preprocess, EqualsTheReferenceOnFiftyPictures) {
    const json cases = golden("pictures.json");
    ASSERT_EQ(cases.size(), 50U);
    for (const json& row : cases) {
        const Size size{row["width"], row["height"]};
        SCOPED_TRACE(row.dump());
        const Image image = picture(size, row["seed"]);
        PreprocessConfig config;
        config.min_volume = row["min"];
        config.max_volume = row["max"];
        const auto patches = preprocess_image(image, config);
        ASSERT_TRUE(patches.has_value()) << patches.error().message;
        EXPECT_EQ((json{patches->grid.t, patches->grid.h, patches->grid.w}), row["grid"]);
        for (const json& sample : row["samples"]) {
            ASSERT_LT(sample[0].get<std::size_t>(), patches->rows.size());
            EXPECT_EQ(patches->rows[sample[0].get<std::size_t>()], sample[1].get<float>());
        }
        const auto resized = resize_bicubic(image, patches->resized);
        ASSERT_TRUE(resized.has_value());
        EXPECT_EQ(to_hex(sha256(resized->bytes())), row["resized_sha256"]);
        EXPECT_EQ(hex_of(patches->rows), row["rows_sha256"]);
    }
}

// Width, height, frames -> width, height; from the published grids and the rule itself.
struct ResizeCase {
    Size from;
    int frames;
    Size want;
};
class SmartResize : public testing::TestWithParam<ResizeCase> {};

TEST_P(SmartResize, GivesThePublishedSize) {
    const auto size = smart_resize(GetParam().frames, GetParam().from, PreprocessConfig());
    ASSERT_TRUE(size.has_value()) << size.error().message;
    EXPECT_EQ(*size, GetParam().want) << size->width_px << "x" << size->height_px;
}

INSTANTIATE_TEST_SUITE_P(Pictures, SmartResize,
                         testing::Values(ResizeCase{{6000, 4000}, 2, {192 * 14, 128 * 14}},
                                         ResizeCase{{4000, 3000}, 2, {180 * 14, 134 * 14}},
                                         ResizeCase{{3000, 3000}, 2, {156 * 14, 156 * 14}},
                                         ResizeCase{{5000, 4000}, 2, {174 * 14, 140 * 14}},
                                         ResizeCase{{1700, 2200}, 2, {122 * 14, 158 * 14}},
                                         ResizeCase{{100, 100}, 2, {8 * 14, 8 * 14}},
                                         ResizeCase{{336, 336}, 2, {24 * 14, 24 * 14}},
                                         ResizeCase{{1920, 1080}, 2, {138 * 14, 78 * 14}},
                                         ResizeCase{{1280, 720}, 2, {92 * 14, 52 * 14}},
                                         // 1.5 and 2.5 patches of 28 both round to two, 3.5 to four: halves go to even
                                         ResizeCase{{420, 42}, 2, {420, 56}}, ResizeCase{{420, 70}, 2, {420, 56}},
                                         ResizeCase{{420, 98}, 2, {420, 112}}, ResizeCase{{126, 154}, 2, {112, 168}},
                                         // sides under 28 are scaled first, truncating
                                         ResizeCase{{13, 40}, 2, {56, 140}}));

TEST(SmartResizeErrors, RefusesThinPicturesAndTooFewFrames) {
    EXPECT_TRUE(smart_resize(2, {5600, 28}, {}).has_value()); // exactly 200
    const auto thin = smart_resize(2, {5601, 28}, {});
    ASSERT_FALSE(thin.has_value());
    EXPECT_NE(thin.error().message.find("5601x28"), std::string::npos) << thin.error().message;
    EXPECT_NE(thin.error().message.find("200"), std::string::npos);
    EXPECT_FALSE(smart_resize(1, {100, 100}, {}).has_value());
    EXPECT_FALSE(smart_resize(2, {0, 100}, {}).has_value());
    EXPECT_FALSE(smart_resize(2, {1, std::numeric_limits<int>::max()}, {}).has_value());
}

TEST(Preprocess, OrdersRowsInMergeBlocks) {
    // No resize at 112x112: every value can be found again by the published reshape (0,3,6,4,7,2,1,5,8).
    const Image image = picture({112, 112}, 7);
    PreprocessConfig config;
    config.mean = {0, 0, 0};
    config.std = {1, 1, 1};
    const auto patches = preprocess_image(image, config);
    ASSERT_TRUE(patches.has_value());
    ASSERT_EQ(patches->grid, (GridThw{1, 8, 8}));
    std::size_t at = 0;
    for (int block_y = 0; block_y < 4; ++block_y) {
        for (int block_x = 0; block_x < 4; ++block_x) {
            for (int in_block = 0; in_block < 4; ++in_block) {
                const int top = (block_y * 2 + in_block / 2) * 14, left = (block_x * 2 + in_block % 2) * 14;
                for (std::size_t c = 0; c < 3; ++c) {
                    for (int i = 0; i < 2 * 14 * 14; ++i, ++at) {
                        const int y = top + i % 196 / 14, x = left + i % 14;
                        const float byte = image.row(y)[static_cast<std::size_t>(x) * 3 + c];
                        ASSERT_EQ(patches->rows[at], byte / 255.0F) << at;
                    }
                }
            }
        }
    }
    EXPECT_EQ(at, patches->rows.size());
}

TEST(Preprocess, RefusesEmptyPicturesAndMadConfigurations) {
    EXPECT_FALSE(preprocess_image(Image(), {}).has_value());
    const Image image = picture({30, 30}, 1);
    for (const int bad : {0, -1, 100'000}) {
        PreprocessConfig config;
        config.patch_size = bad;
        EXPECT_FALSE(preprocess_image(image, config).has_value()) << bad;
        config = {};
        config.temporal_patch_size = bad;
        EXPECT_FALSE(preprocess_image(image, config).has_value()) << bad;
        config = {};
        config.merge_size = bad;
        EXPECT_FALSE(preprocess_image(image, config).has_value()) << bad;
    }
}

TEST(Preprocess, BoundsTheRowsOfOnePicture) {
    PreprocessConfig config;
    config.min_volume = 1LL << 40; // a file that asks for a picture of 2^39 pixels
    config.max_volume = 1LL << 41;
    const auto patches = preprocess_image(picture({30, 30}, 1), config);
    ASSERT_FALSE(patches.has_value());
    EXPECT_EQ(patches.error().code, ErrorCode::LimitExceeded) << patches.error().message;
}

TEST(Resize, KeepsConstantPicturesConstant) {
    const std::vector<std::uint8_t> grey(37 * 53 * 3, 77);
    const auto image = Image::from_pixels({37, 53}, PixelFormat::Rgb, grey);
    for (const Size size : {Size{1, 1}, Size{5, 300}, Size{400, 2}, Size{37, 60}, Size{60, 53}}) {
        const auto out = resize_bicubic(*image, size);
        ASSERT_TRUE(out.has_value());
        for (const std::uint8_t byte : out->bytes()) {
            ASSERT_EQ(byte, 77);
        }
    }
}

TEST(Resize, KeepsItsTapsInsideTheInput) {
    for (int n_in = 1; n_in < 60; n_in += 7) {
        for (int n_out = 1; n_out < 200; n_out += 13) {
            const ResizePass pass = make_resize_pass(n_in, n_out);
            ASSERT_EQ(pass.taps % 2, 0);
            for (std::size_t i = 0; i < pass.first.size(); ++i) {
                int sum = 0;
                for (int k = 0; k < pass.taps; ++k) {
                    const int weight = pass.weights[i * static_cast<std::size_t>(pass.taps) + static_cast<std::size_t>(k)];
                    ASSERT_TRUE(weight == 0 || pass.first[i] + k < n_in);
                    sum += weight;
                }
                ASSERT_NEAR(sum, 1 << pass.precision, pass.taps) << n_in << " to " << n_out;
            }
        }
    }
}

TEST(Resize, RefusesWhatIsNotAPictureInRgb) {
    const auto grey = Image::from_pixels({2, 2}, PixelFormat::Gray, {1, 2, 3, 4});
    EXPECT_FALSE(resize_bicubic(*grey, {4, 4}).has_value());
    EXPECT_FALSE(resize_bicubic(Image(), {4, 4}).has_value());
    EXPECT_FALSE(resize_bicubic(grey->to_rgb(), {0, 4}).has_value());
}

TEST(ChooseFrames, FollowsTheWorkedExamples) {
    const auto known = choose_frames(91, 30, 3.033, {});
    ASSERT_TRUE(known.has_value());
    EXPECT_EQ(known->indices, (std::vector<int>{0, 15, 30, 45, 60, 75}));
    EXPECT_EQ(known->timestamps_s, (std::vector<int>{0, 1, 2}));
    const auto unknown = choose_frames(75, 25, std::nullopt, {});
    ASSERT_TRUE(unknown.has_value());
    EXPECT_EQ(unknown->indices, (std::vector<int>{0, 13, 25, 38, 50, 63, 74, 74}));
    EXPECT_EQ(unknown->timestamps_s, (std::vector<int>{0, 1, 2, 2}));
}

TEST(ChooseFrames, EqualsTheReferenceOnSixtyVideos) {
    const json cases = golden("frames.json");
    ASSERT_EQ(cases.size(), 60U);
    for (const json& row : cases) {
        SCOPED_TRACE(row.dump());
        const auto seconds = row["seconds"].is_null() ? std::nullopt : std::optional(row["seconds"].get<double>());
        const auto choice = choose_frames(row["count"], row["fps"], seconds, {});
        ASSERT_TRUE(choice.has_value());
        EXPECT_EQ(choice->indices.size(), row["chosen"].get<std::size_t>());
        EXPECT_EQ(to_hex(sha256(joined(choice->indices))), row["indices_sha256"]);
        EXPECT_EQ(to_hex(sha256(joined(choice->timestamps_s))), row["timestamps_sha256"]);
    }
}

TEST(ChooseFrames, RefusesNoFramesAndMadRates) {
    EXPECT_FALSE(choose_frames(0, 30, 1.0, {}).has_value());
    EXPECT_FALSE(choose_frames(-5, 30, 1.0, {}).has_value());
    EXPECT_FALSE(choose_frames(10, 0, 1.0, {}).has_value());
    EXPECT_FALSE(choose_frames(10, 1e-300, 1.0, {}).has_value());
    EXPECT_FALSE(choose_frames(10, 1e-6, 1.0, {}).has_value());
    EXPECT_FALSE(choose_frames(10, std::nan(""), 1.0, {}).has_value());
    EXPECT_FALSE(choose_frames(10, 30, std::numeric_limits<double>::infinity(), {}).has_value());
    PreprocessConfig config;
    config.video_fps = 0;
    EXPECT_FALSE(choose_frames(10, 30, 1.0, config).has_value());
    EXPECT_FALSE(choose_frames(10, 30, 1.0, {.temporal_patch_size = 0}).has_value());
    EXPECT_FALSE(choose_frames(10, 30, 1.0, {.video_seconds_max = -1e306}).has_value());
    EXPECT_EQ(choose_frames(10, 30, 1.0, {.video_seconds_max = 1e-6})->indices, (std::vector<int>{0, 0})); // one, and its double
}

TEST(PreprocessVideo, GivesAllFramesOneSizeAndPairsThem) {
    std::vector<Image> frames;
    for (std::uint32_t i = 0; i < 5; ++i) {
        frames.push_back(picture({200, 120}, i));
    }
    const auto patches = preprocess_video(frames, 2.0, {});
    ASSERT_TRUE(patches.has_value()) << patches.error().message;
    EXPECT_EQ(patches->grid.t, 3); // 0 1, 2 3, 4 4
    EXPECT_EQ(patches->timestamps_s, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(patches->rows.size(), static_cast<std::size_t>(patches->grid.patches()) * 1176U);
    // In the last pair both halves of a row are the same frame.
    const std::size_t last = static_cast<std::size_t>(patches->grid.h * patches->grid.w) * 2 * 1176;
    for (std::size_t i = 0; i < 196; ++i) {
        ASSERT_EQ(patches->rows[last + i], patches->rows[last + 196 + i]);
    }
}

TEST(PreprocessVideo, RefusesFramesOfDifferentSizesAndNone) {
    EXPECT_FALSE(preprocess_video({}, 2.0, {}).has_value());
    const auto mixed = preprocess_video({picture({60, 60}, 1), picture({60, 61}, 2)}, 2.0, {});
    ASSERT_FALSE(mixed.has_value());
    EXPECT_NE(mixed.error().message.find("frame 1 of the video is 60x61"), std::string::npos) << mixed.error().message;
    EXPECT_FALSE(preprocess_video({picture({60, 60}, 1)}, 0.0, {}).has_value());
}

class PreprocessFile : public testing::Test {
protected:
    Result<PreprocessConfig> read(std::string_view text) {
        folder_.write("p.json", std::string(text));
        return read_preprocess_config(folder_.path() / "p.json", {});
    }
    TemporaryFolder folder_;
};

TEST_F(PreprocessFile, ReadsWhatIsThereAndKeepsTheRest) {
    const auto config = read(R"({"size":{"shortest_edge":100,"longest_edge":200},"fps":3,"image_mean":[0,0.5,1]})");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->min_volume, 100);
    EXPECT_EQ(config->max_volume, 200);
    EXPECT_EQ(config->video_fps, 3.0);
    EXPECT_EQ(config->mean, (std::array<float, 3>{0, 0.5F, 1}));
    EXPECT_EQ(config->patch_size, 14);
    EXPECT_EQ(config->video_seconds_max, 300.0);
}

TEST_F(PreprocessFile, NamesTheFileAndTheValueThatIsWrong) {
    for (const char* text : {"[]", "{", R"({"patch_size":0})", R"({"merge_size":1000})", R"({"image_mean":["a","b","c"]})",
                             R"({"patch_size":"x"})", R"({"fps":-1})", R"({"size":{"longest_edge":0}})",
                             R"({"image_std":[0,1,1]})"}) {
        const auto config = read(text);
        ASSERT_FALSE(config.has_value()) << text;
        EXPECT_NE(config.error().message.find("p.json"), std::string::npos) << config.error().message;
    }
    EXPECT_FALSE(read_preprocess_config(folder_.path() / "absent.json", {}).has_value());
}

} // namespace
} // namespace handeye
