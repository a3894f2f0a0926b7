// SPDX-License-Identifier: Apache-2.0
// Foreign pictures in a process of their own: the same answers, and what ends that process ends nothing else.
#include "base/file.h"
#include "base/json.h"
#include "base/picture_decoder.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

class Decoding : public testing::Test {
protected:
    /// A program that a test makes up stands for a decoder that a picture has taken over.
    std::filesystem::path script(const std::string& body) {
        const auto path = folder_ / "decoder";
        std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
        std::filesystem::permissions(path, std::filesystem::perms(0700));
        return path;
    }
    Decoding() {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-decoder-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~Decoding() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    static std::filesystem::path program() { return HANDEYE_BINARY_DIR "/bin/handeye-decoder"; }

    std::filesystem::path folder_;
};

TEST_F(Decoding, GivesWhatDecodingHereGivesForTheWholeCorpus) {
    PictureDecoder decoder(program());
    int pictures = 0, refused = 0;
    for (const auto& entry : std::filesystem::directory_iterator(HANDEYE_SOURCE_DIR "/tests/fuzz/corpus/image_codec")) {
        const Bytes bytes = bytes_of(read_file(entry.path(), 1U << 24U).value_or(""));
        const auto here = decode_image(bytes);
        const auto there = decoder.decode(bytes);
        ASSERT_EQ(here.has_value(), there.has_value()) << entry.path() << (there ? "" : there.error().message);
        if (here) {
            ++pictures;
            EXPECT_EQ(here->to_rgb().content_hash(), there->content_hash()) << entry.path();
        } else {
            ++refused;
            EXPECT_EQ(here.error().code, there.error().code) << entry.path();
            EXPECT_EQ(here.error().message, there.error().message);
        }
    }
    EXPECT_GE(pictures, 5);
    EXPECT_GE(refused, 3);
}

TEST_F(Decoding, OneProcessServesManyPictures) {
    PictureDecoder decoder(program());
    const auto png = encode_png(*Image::from_pixels({640, 480}, PixelFormat::Rgb, Bytes(640 * 480 * 3, 90)));
    ASSERT_TRUE(decoder.decode(*png));
    const int pid = decoder.pid();
    const auto begin = Clock::now();
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(decoder.decode(*png));
    }
    const auto there = Clock::now() - begin;
    const auto again = Clock::now();
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(decode_image(*png));
    }
    const auto here = Clock::now() - again;
    const auto us = [](auto time) { return std::chrono::duration<double, std::micro>(time).count() / 50; };
    fmt::print("a picture of 640x480: {:.0f} us in the child, {:.0f} us here\n", us(there), us(here));
    EXPECT_EQ(decoder.pid(), pid);
}

TEST_F(Decoding, LargePicturesOfEveryKindPassTheSandbox) {
    PictureDecoder decoder(program());
    const auto large = Image::from_pixels({3000, 2000}, PixelFormat::Rgb, Bytes(3000 * 2000 * 3, 90));
    for (const auto& bytes : {encode_png(*large), encode_jpeg(*large)}) {
        const auto image = decoder.decode(*bytes);
        ASSERT_TRUE(image) << image.error().message;
        EXPECT_EQ(image->size(), (Size{3000, 2000}));
    }
    const auto suite = read_json(HANDEYE_SOURCE_DIR "/tests/golden/png/cases.json");
    for (const auto& [name, one] : (*suite)["whole"].items()) {
        Bytes png;
        const auto hex = one["png"].get<std::string>();
        for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
            png.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
        }
        EXPECT_TRUE(decoder.decode(png)) << name;
    }
}

TEST_F(Decoding, AProcessThatWasKilledIsReplaced) {
    PictureDecoder decoder(program());
    const auto png = encode_png(*Image::from_pixels({8, 8}, PixelFormat::Rgb, Bytes(8 * 8 * 3, 90)));
    ASSERT_TRUE(decoder.decode(*png));
    const int pid = decoder.pid();
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    ASSERT_TRUE(decoder.decode(*png));
    EXPECT_NE(decoder.pid(), pid);
}

TEST_F(Decoding, ACrashNamesItsSignalAndTheNextPictureHasAnotherProcess) {
    PictureDecoder decoder(script("head -c 8 <&3 >/dev/null; kill -SEGV $$"));
    const auto crashed = decoder.decode(Bytes(4, 1));
    ASSERT_FALSE(crashed);
    EXPECT_EQ(crashed.error().code, ErrorCode::ParseFailed);
    EXPECT_NE(crashed.error().message.find("signal 11"), std::string::npos) << crashed.error().message;
    EXPECT_EQ(decoder.pid(), -1);
    EXPECT_FALSE(decoder.decode(Bytes(4, 1))) << "and it is asked again";
}

TEST_F(Decoding, APictureThatTakesForEverIsGivenUp) {
    PictureDecoder decoder(script("head -c 8 <&3 >/dev/null; exec sleep 60"), std::chrono::milliseconds(200));
    const auto begin = Clock::now();
    const auto late = decoder.decode(Bytes(4, 1));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::DeadlineExceeded);
    EXPECT_NE(late.error().message.find("200 ms"), std::string::npos);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
    EXPECT_EQ(decoder.pid(), -1);
}

TEST_F(Decoding, APictureThatIsNotWantedAnyMoreIsGivenUpAtOnce) {
    PictureDecoder decoder(script("head -c 8 <&3 >/dev/null; touch " + (folder_ / "begun").string() + "; exec sleep 600"), std::chrono::hours(1));
    std::stop_source stop;
    std::jthread client([&] {
        while (!std::filesystem::exists(folder_ / "begun")) {
            std::this_thread::yield();
        }
        stop.request_stop();
    });
    const auto unwanted = decoder.decode(Bytes(4, 1), stop.get_token());
    ASSERT_FALSE(unwanted);
    EXPECT_EQ(unwanted.error().code, ErrorCode::Cancelled);
    EXPECT_EQ(decoder.pid(), -1);
}

TEST_F(Decoding, NothingThatATakenOverProcessSaysIsBelieved) {
    for (const std::string head : {"\\0\\0\\0\\0\\377\\377\\377\\177\\377\\377\\377\\177\\0\\0\\0\\0", "\\0\\0\\0\\0\\010\\0\\0\\0\\010\\0\\0\\0\\0\\0\\0\\0"}) {
        PictureDecoder decoder(script("head -c 8 <&3 >/dev/null; printf '" + head + "' >&3; exec sleep 60"));
        const auto lied = decoder.decode(Bytes(4, 1));
        ASSERT_FALSE(lied);
        EXPECT_EQ(lied.error().code, ErrorCode::Internal);
        EXPECT_EQ(decoder.pid(), -1);
    }
}

TEST_F(Decoding, TheProcessHasNothingButItsSocket) {
    PictureDecoder decoder(program());
    const auto png = encode_png(*Image::from_pixels({8, 8}, PixelFormat::Rgb, Bytes(8 * 8 * 3, 90)));
    ASSERT_TRUE(decoder.decode(*png));
    const std::string proc = fmt::format("/proc/{}/", decoder.pid());
    std::ifstream status(proc + "status"), limits(proc + "limits");
    std::string line, seccomp, memory;
    while (std::getline(status, line)) {
        seccomp = line.starts_with("Seccomp:") ? line : seccomp;
    }
    while (std::getline(limits, line)) {
        memory = line.starts_with("Max address space") ? line : memory;
    }
    EXPECT_EQ(seccomp, "Seccomp:\t2");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_NE(memory.find("2147483648"), std::string::npos) << memory;
#endif
}

TEST_F(Decoding, WithoutItsProgramItSaysSo) {
    PictureDecoder decoder(folder_ / "none");
    const auto none = decoder.decode(Bytes(4, 1));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::NotFound);
}

} // namespace
} // namespace handeye
