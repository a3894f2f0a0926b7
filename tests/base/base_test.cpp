// SPDX-License-Identifier: Apache-2.0
// base/: results, images and their codecs, JSON under limits, hashes, files.
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/image.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "base/shrunk_file.h"
#include "base/suggest.h"

#include <filesystem>
#include <stop_token>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

namespace handeye {
namespace {

Image checker(Size size) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.area()) * 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<std::uint8_t>(i * 37U);
    }
    return *Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
}

Result<int> half(int value) {
    if (value % 2 != 0) {
        return Error{ErrorCode::InvalidArgument, "odd"};
    }
    return value / 2;
}

Result<int> quarter(int value) {
    const int once = TRY(half(value));
    return half(once);
}

TEST(Result, TryYieldsTheValueOrReturnsTheError) {
    EXPECT_EQ(*quarter(12), 3);
    EXPECT_EQ(quarter(6).error().message, "odd");
    EXPECT_EQ(quarter(3).with_context("three").error().message, "three: odd");
}

TEST(Image, RefusesPixelCountThatDoesNotMatch) {
    EXPECT_EQ(Image::from_pixels({2, 2}, PixelFormat::Rgb, std::vector<std::uint8_t>(11)).error().code,
              ErrorCode::InvalidArgument);
    EXPECT_FALSE(Image::from_pixels({0, 2}, PixelFormat::Rgb, {}).has_value());
}

TEST(Image, CompositesAlphaOnWhite) {
    const auto image = Image::from_pixels({2, 1}, PixelFormat::Rgba, {10, 20, 30, 0, 10, 20, 30, 255});
    const Image rgb = image->to_rgb();
    EXPECT_EQ(std::vector<std::uint8_t>(rgb.bytes().begin(), rgb.bytes().end()),
              (std::vector<std::uint8_t>{255, 255, 255, 10, 20, 30}));
}

TEST(Image, CropsToWhatLiesInside) {
    const Image image = checker({5, 4});
    const Image part = image.cropped({3, 2, 10, 10});
    EXPECT_EQ(part.size(), (Size{2, 2}));
    EXPECT_EQ(part.row(0)[0], image.row(2)[9]);
    EXPECT_TRUE(image.cropped({9, 9, 2, 2}).is_empty());
}

TEST(Image, HashChangesWithOnePixelAndWithShape) {
    std::vector<std::uint8_t> pixels(24, 7);
    const auto a = Image::from_pixels({4, 2}, PixelFormat::Rgb, pixels);
    const auto b = Image::from_pixels({2, 4}, PixelFormat::Rgb, pixels);
    pixels[23] = 8;
    const auto c = Image::from_pixels({4, 2}, PixelFormat::Rgb, pixels);
    EXPECT_NE(a->content_hash(), b->content_hash());
    EXPECT_NE(a->content_hash(), c->content_hash());
    EXPECT_EQ(a->content_hash(), Image(*a).content_hash());
}

TEST(ImageCodec, PngRoundTripIsExact) {
    const Image image = checker({33, 17});
    const auto png = encode_png(image);
    const auto back = decode_image(*png);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->content_hash(), image.content_hash());
}

TEST(ImageCodec, RefusesAHeaderThatClaimsTooManyPixels) {
    auto png = *encode_png(checker({4, 4}));
    png[16] = 0x00, png[17] = 0x01, png[18] = 0x86, png[19] = 0xA0; // 100000 pixels wide
    EXPECT_EQ(decode_image(png).error().code, ErrorCode::LimitExceeded);
}

TEST(ImageCodec, EveryTruncationIsAnErrorOrADecodedPicture) {
    const auto png = *encode_png(checker({16, 16}));
    for (std::size_t keep = 0; keep < png.size(); ++keep) {
        const auto got = decode_image({png.data(), keep});
        if (got) {
            EXPECT_EQ(got->size(), (Size{16, 16}));
        }
    }
    EXPECT_EQ(decode_image(std::vector<std::uint8_t>{'G', 'I', 'F'}).error().code, ErrorCode::ParseFailed);
}

TEST(Json, NamesLineAndColumn) {
    EXPECT_EQ(parse_json("{\n  \"a\": }").error().message, "not JSON at line 2, column 8");
}

TEST(Json, RefusesDuplicateKeysDepthAndSize) {
    EXPECT_NE(parse_json(R"({"a":1,"a":2})").error().message.find("\"a\" twice"), std::string::npos);
    EXPECT_TRUE(parse_json(R"({"a":{"a":2}})").has_value());
    EXPECT_EQ(parse_json(std::string(65, '[') + std::string(65, ']')).error().code, ErrorCode::LimitExceeded);
    EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')).has_value());
    EXPECT_EQ(parse_json("[\"[[[[\"]", {.bytes_max = 100, .depth_max = 1}).has_value(), true);
    EXPECT_EQ(parse_json("[1,2,3]", {.bytes_max = 3}).error().code, ErrorCode::LimitExceeded);
}

TEST(Json, DumpsInvalidUtf8AsReplacementCharacter) {
    EXPECT_EQ(dump_json(nlohmann::json("a\xFF")), "\"a\xEF\xBF\xBD\"");
}

TEST(Hash, Sha256OfAKnownText) {
    EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, UlidsSortByTime) {
    const WallTime start = WallTime(std::chrono::seconds(1'700'000'000));
    const std::string a = *make_ulid(start);
    const std::string b = *make_ulid(start + std::chrono::milliseconds(1));
    EXPECT_EQ(a.size(), 26U);
    EXPECT_LT(a.substr(0, 10), b.substr(0, 10));
    EXPECT_NE(*make_ulid(start), *make_ulid(start));
}

TEST(Clock, WaitEndsWhenStopped) {
    SystemClock clock;
    std::stop_source source;
    std::jthread stopper([&] { source.request_stop(); });
    EXPECT_EQ(clock.sleep_for(std::chrono::hours(1), source.get_token()), WaitResult::Stopped);
}

TEST(Clock, FormatsUtcWithMilliseconds) {
    EXPECT_EQ(format_utc(WallTime(std::chrono::milliseconds(1'700'000'000'123))), "2023-11-14T22:13:20.123Z");
}

TEST(File, RefusesWhatIsTooLargeMissingOrAFolder) {
    const auto dir = std::filesystem::temp_directory_path() / ("handeye-file-" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir);
    ASSERT_TRUE(write_file_atomic(dir / "x", "hello").has_value());
    EXPECT_EQ(*read_file(dir / "x", 5), "hello");
    EXPECT_EQ(read_file(dir / "x", 4).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(read_file(dir / "y", 4).error().code, ErrorCode::NotFound);
    EXPECT_EQ(read_file(dir, 4).error().code, ErrorCode::InvalidArgument);
    std::filesystem::remove_all(dir);
}

TEST(ShrunkFile, EndsTheProgramWithWordsAndItsCode) {
    const std::filesystem::path path = std::filesystem::temp_directory_path() / fmt::format("handeye-shrunk-{}", ::getpid());
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    std::filesystem::remove(path);
    ASSERT_EQ(::ftruncate(fd, 8192), 0);
    auto* const bytes = static_cast<const volatile char*>(::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
    ASSERT_NE(static_cast<const volatile void*>(bytes), MAP_FAILED);
    ASSERT_EQ(::ftruncate(fd, 0), 0);
    const auto read_it = [&] {
        explain_shrunk_files(7);
        return bytes[4096];
    };
    EXPECT_EXIT(static_cast<void>(read_it()), testing::ExitedWithCode(7), "a file became shorter while it was in use");
    ::close(fd);
}

TEST(NearestNames, AreInTheOrderOfTheirDistance) {
    const std::vector<std::string_view> names{"Q2_K", "Q4_0", "Q4_K_M", "Q4_K_S", "Q8_0"};
    EXPECT_EQ(nearest_names("q4_k_l", names, 2), (std::vector<std::string_view>{"Q4_K_M", "Q4_K_S"}));
    const std::vector<std::string_view> commands{"explain", "list", "lint", "validate"};
    EXPECT_EQ(nearest_name("lnit", commands), "lint"); // two letters that changed places are one slip
    EXPECT_EQ(nearest_name("lsit", commands), "list");
    EXPECT_EQ(nearest_name("validate", commands), "validate");
    EXPECT_EQ(nearest_name("xyz", commands), "");
    EXPECT_EQ(nearest_names("", names, 1), (std::vector<std::string_view>{"Q2_K"}));
    EXPECT_EQ(nearest_names("x", names, 9).size(), names.size());
    EXPECT_TRUE(nearest_names("x", {}, 3).empty());
    EXPECT_EQ(nearest_names(std::string(1'000'000, 'x'), names, 1).size(), 1U);
}

} // namespace
} // namespace handeye
