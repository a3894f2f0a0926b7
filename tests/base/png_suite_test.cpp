// SPDX-License-Identifier: Apache-2.0
// Every kind of PNG that the format knows decodes to its pixels; every broken one is refused.
#include "base/image_codec.h"
#include "base/json.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes from_hex(const std::string& text) {
    Bytes out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
    }
    return out;
}

nlohmann::json cases() {
    auto read = read_json(HANDEYE_SOURCE_DIR "/tests/golden/png/cases.json");
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(nlohmann::json());
}

TEST(PngSuite, EveryWholePictureDecodesToItsPixels) {
    const nlohmann::json suite = cases();
    ASSERT_GE(suite["whole"].size(), 40U);
    constexpr int kRounding = 1; // 16 bits to 8, and alpha
    for (const auto& [name, one] : suite["whole"].items()) {
        const auto image = decode_image(from_hex(one["png"].get<std::string>()));
        ASSERT_TRUE(image) << name << ": " << image.error().message;
        ASSERT_EQ(image->size(), (Size{suite["width"].get<int>(), suite["height"].get<int>()})) << name;
        const Bytes want = from_hex(one["rgb"].get<std::string>());
        const Image rgb = image->to_rgb();
        ASSERT_EQ(rgb.bytes().size(), want.size()) << name;
        for (std::size_t i = 0; i < want.size(); ++i) {
            ASSERT_LE(std::abs(int{rgb.bytes()[i]} - int{want[i]}), kRounding) << name << ", byte " << i << ": " << int{rgb.bytes()[i]} << ", not " << int{want[i]};
        }
    }
}

TEST(PngSuite, EveryBrokenPictureIsRefused) {
    const nlohmann::json suite = cases();
    ASSERT_GE(suite["broken"].size(), 14U);
    for (const auto& [name, png] : suite["broken"].items()) {
        const auto image = decode_image(from_hex(png.get<std::string>()));
        EXPECT_FALSE(image) << name;
        if (!image) {
            EXPECT_TRUE(image.error().code == ErrorCode::ParseFailed || image.error().code == ErrorCode::Unsupported) << name << ": " << image.error().message;
        }
    }
}

} // namespace
} // namespace handeye
