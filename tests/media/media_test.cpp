// SPDX-License-Identifier: Apache-2.0
// Files as what a model is shown: each kind by its bytes, pages by their numbers, and hostile documents refused without harm.
#include "base/file.h"
#include "base/image_codec.h"
#include "media/confined_tool.h"
#include "media/load.h"
#include "media/office_document.h"
#include "media/page_choice.h"
#include "media/pdf_pages.h"
#include "tests/media/documents.h"

#include <chrono>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace handeye {
namespace {

const std::filesystem::path kFilms = HANDEYE_SOURCE_DIR "/tests/golden/media";

TEST(PageChoice, ReadsPagesBehindTheName) {
    const auto file = parse_named_file("report.pdf#3-7,9");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->path, "report.pdf");
    EXPECT_EQ(*choose_pages(*file, 12, 300), (std::vector<int>{3, 4, 5, 6, 7, 9}));
    EXPECT_EQ(pages_text({3, 4, 5, 6, 7, 9}), "3 to 7 and 9");
    EXPECT_EQ(pages_text({2}), "2");
    EXPECT_EQ(pages_text({1, 3, 5}), "1, 3 and 5");
    EXPECT_EQ(choose_pages(*file, 8, 300).error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(choose_pages(*file, 12, 5).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(*choose_pages({"a.pdf", {}}, 2, 300), (std::vector<int>{1, 2}));
    const auto many = choose_pages({"a.pdf", {}}, 5000, 300);
    EXPECT_NE(many.error().message.find("a.pdf#1-300"), std::string::npos) << many.error().message;
    for (const char* const name : {"a.pdf#", "a.pdf#0", "a.pdf#7-3", "a.pdf#x", "a.pdf#1,,2", "a.pdf#-2", "a.pdf#1-", "a.pdf#99999999999"}) {
        EXPECT_EQ(parse_named_file(name).error().code, ErrorCode::InvalidArgument) << name;
    }
}

class Media : public testing::Test {
protected:
    Media() {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-media-test-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~Media() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    std::string put(const std::string& name, const std::string& bytes) {
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
        return (folder_ / name).string();
    }
    Result<LoadedMedia> load(const std::string& name, LoadOptions options = {}) {
        MediaLoader loader(HANDEYE_BINARY_DIR "/bin");
        return loader.load(name, options, {});
    }
    std::filesystem::path folder_;
};

TEST_F(Media, TellsTheKindByTheBytes) {
    const auto png = encode_png(*Image::from_pixels({40, 30}, PixelFormat::Rgb, std::vector<std::uint8_t>(40 * 30 * 3, 9)));
    const auto picture = load(put("picture.mp4", {png->begin(), png->end()})); // whatever it is called
    ASSERT_TRUE(picture) << picture.error().message;
    EXPECT_EQ(picture->kind, MediaKind::Picture);
    EXPECT_EQ(std::get<ImagePart>(picture->parts.at(0)).image.size(), (Size{40, 30}));
    EXPECT_EQ(picture->caption, "picture.mp4: 40x30");
    const auto film = load((kFilms / "clock-30.mp4").string());
    ASSERT_TRUE(film) << film.error().message;
    EXPECT_EQ(std::get<VideoPart>(film->parts.at(0)).frames.size(), 6U);
    EXPECT_EQ(film->caption, "clock-30.mp4: 3.0 s, 176x48, of 91 frames 6 are shown to the model");
    const auto still = load((kFilms / "still.tiff").string());
    ASSERT_TRUE(still) << still.error().message;
    EXPECT_EQ(still->kind, MediaKind::Picture);
}

TEST_F(Media, RefusesWhatItDoesNotKnowByName) {
    const auto refused = [&](const std::string& name, ErrorCode code, const std::string& word) {
        const auto media = load(name);
        ASSERT_FALSE(media) << name;
        EXPECT_EQ(media.error().code, code) << media.error().message;
        EXPECT_NE(media.error().message.find(word), std::string::npos) << media.error().message;
    };
    refused(put("notes.txt", "just some words"), ErrorCode::InvalidArgument, "notes.txt is no picture, film, PDF");
    refused(put("things.zip", "PK\x03\x04 and more"), ErrorCode::InvalidArgument, "things.zip is an archive");
    refused(put("photo.heic", std::string("\0\0\0\x18" "ftypheic", 12) + std::string(50, 'x')), ErrorCode::InvalidArgument, "save it as JPEG or PNG");
    refused(put("empty.png", ""), ErrorCode::ParseFailed, "empty.png is empty");
    refused((folder_ / "nothing.png").string(), ErrorCode::NotFound, "there is no file");
    refused(folder_.string(), ErrorCode::InvalidArgument, "is no regular file");
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    refused((folder_ / "pipe").string(), ErrorCode::InvalidArgument, "is no regular file");
    refused("/dev/zero", ErrorCode::InvalidArgument, "is no regular file");
    refused(put("broken.png", "\x89PNG\r\n\x1a\n and then nothing of one"), ErrorCode::ParseFailed, "broken.png");
    refused(put("broken.mp4", std::string("\0\0\0\x18" "ftypisom", 12) + std::string(500, 'x')), ErrorCode::ParseFailed, "broken.mp4");
    refused((kFilms / "clock-30.mp4").string() + "#2", ErrorCode::InvalidArgument, "has no pages");
    std::filesystem::resize_file(put("large.pdf", "%PDF-1.4\n"), std::uintmax_t{300} << 20U); // a hole
    refused((folder_ / "large.pdf").string(), ErrorCode::LimitExceeded, "at most 268435456");
    std::filesystem::resize_file(put("large.mp4", std::string("\0\0\0\x18" "ftypisom", 12)), (std::uintmax_t{4} << 30U) + 1);
    refused((folder_ / "large.mp4").string(), ErrorCode::LimitExceeded, "4294967296");
}

TEST_F(Media, DrawsPagesOfAPdf) {
    const std::string name = put("a.pdf", documents::pdf({{144, 72, 0.5}, {72, 144, 0}, {72, 72, 1}}));
    const auto all = load(name);
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_EQ(all->parts.size(), 3U);
    EXPECT_EQ(std::get<ImagePart>(all->parts[0]).image.size(), (Size{360, 180})); // 180 dots per inch
    EXPECT_EQ(std::get<ImagePart>(all->parts[1]).image.size(), (Size{180, 360}));
    EXPECT_EQ(std::get<ImagePart>(all->parts[1]).image.row(180)[90 * 3], 0);
    EXPECT_NEAR(std::get<ImagePart>(all->parts[0]).image.row(90)[90 * 3], 127, 2);
    EXPECT_EQ(all->caption, "a.pdf: pages 1 to 3 of 3");
    const auto some = load(name + "#3,1", {.dpi = 72});
    ASSERT_TRUE(some) << some.error().message;
    ASSERT_EQ(some->parts.size(), 2U); // in the order that was asked for
    EXPECT_EQ(std::get<ImagePart>(some->parts[0]).image.size(), (Size{72, 72}));
    EXPECT_EQ(std::get<ImagePart>(some->parts[1]).image.size(), (Size{144, 72}));
    EXPECT_EQ(load(name + "#4").error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(load(name, {.pictures_max = 2}).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(load(name, {.bytes_max = 200'000}).error().code, ErrorCode::LimitExceeded);
}

TEST_F(Media, BoundsWhatAPdfMayTake) {
    const auto huge = load(put("huge.pdf", documents::pdf({{2e8, 1e8, 0.5}})));
    ASSERT_TRUE(huge) << huge.error().message;
    EXPECT_EQ(std::get<ImagePart>(huge->parts[0]).image.size(), (Size{kPageSidePxMax, kPageSidePxMax / 2}));
    const auto many = load(put("many.pdf", documents::pdf(std::vector<documents::Page>(400, {2e8, 2e8, 0.5}))));
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().code, ErrorCode::LimitExceeded);
    EXPECT_NE(many.error().message.find("400 pages"), std::string::npos) << many.error().message;
    const auto heavy = load(put("heavy.pdf", documents::pdf(std::vector<documents::Page>(20, {2e8, 2e8, 0.5}))), {.bytes_max = 120'000'000}); // 50 MB each
    EXPECT_EQ(heavy.error().code, ErrorCode::LimitExceeded) << heavy.error().message;
    const auto broken = load(put("broken.pdf", "%PDF-1.4\nand then nothing of one"));
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, ErrorCode::ParseFailed);
    EXPECT_NE(broken.error().message.find("broken.pdf is no PDF that can be read"), std::string::npos) << broken.error().message;
}

TEST_F(Media, SaysHowToInstallWhatIsMissing) {
    const char* const path = std::getenv("PATH");
    const std::string kept = path != nullptr ? path : "";
    ::setenv("PATH", folder_.c_str(), 1);
    const auto pdf = load(put("a.pdf", documents::pdf({{}})));
    const auto slides = load((kFilms / "slides.pptx").string());
    ::setenv("PATH", kept.c_str(), 1);
    EXPECT_EQ(pdf.error().code, ErrorCode::Unavailable);
    EXPECT_NE(pdf.error().message.find("sudo apt-get install poppler-utils"), std::string::npos) << pdf.error().message;
    EXPECT_EQ(slides.error().code, ErrorCode::Unavailable);
    EXPECT_NE(slides.error().message.find("sudo apt-get install --no-install-recommends libreoffice-impress-nogui"), std::string::npos) << slides.error().message;
}

TEST_F(Media, DoesNotBelieveAProgramThatDraws) {
    const std::string name = put("a.pdf", documents::pdf({{}}));
    std::filesystem::create_directory(folder_ / "bin");
    const auto script = [&](const std::string& tool, const std::string& body) {
        std::ofstream(folder_ / "bin" / tool) << "#!/bin/sh\n" << body << "\n";
        std::filesystem::permissions(folder_ / "bin" / tool, std::filesystem::perms(0700));
    };
    const char* const path = std::getenv("PATH");
    const std::string kept = path != nullptr ? path : "";
    ::setenv("PATH", (folder_ / "bin").c_str(), 1);
    script("pdfinfo", "echo 'Pages:  1'; echo 'Page    1 size:  100 x 100 pts'");
    std::vector<std::string> said;
    for (const char* const picture : {"P6\\n100000 100000\\n255\\n", "P6\\n-5 5\\n255\\n", "P6\\n5 5\\n255\\nxx", "P6", "no picture at all, but a long line of text without any end to it", "P6\\n5 5\\n65535\\n"}) {
        script("pdftoppm", fmt::format("printf '{}'", picture));
        const auto media = load(name);
        said.push_back(media ? "accepted" : media.error().message);
    }
    for (const char* const facts : {"Pages: -4", "Pages: 99999999", "Pages: 1\\nPage    1 size:  nan x 5 pts", "Pages: 1\\nPage    1 size:  5 pts", ""}) {
        script("pdfinfo", fmt::format("printf '{}\\n'", facts));
        const auto media = load(name);
        said.push_back(media ? "accepted" : media.error().message);
    }
    ::setenv("PATH", kept.c_str(), 1);
    for (const std::string& one : said) {
        EXPECT_NE(one, "accepted");
    }
}

class Slides : public Media {
protected:
    void SetUp() override {
        if (!find_tool("soffice")) {
            GTEST_SKIP() << "LibreOffice is not installed; ./check --full installs it";
        }
    }
};

TEST_F(Slides, AreDrawnPageByPage) {
    for (const char* const name : {"slides.pptx", "slides.odp"}) {
        const auto slides = load((kFilms / name).string(), {.dpi = 72});
        ASSERT_TRUE(slides) << slides.error().message;
        EXPECT_EQ(slides->parts.size(), 2U);
        EXPECT_EQ(slides->caption, fmt::format("{}: pages 1 to 2 of 2", name));
        const Image& page = std::get<ImagePart>(slides->parts[0]).image;
        EXPECT_GT(page.size().width_px, 400);
        std::size_t dark = 0;
        for (const std::uint8_t value : page.bytes()) {
            dark += value < 100 ? 1 : 0;
        }
        EXPECT_GT(dark, 100U) << "no letters on it";
    }
    const auto second = load((kFilms / "slides.pptx").string() + "#2");
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second->caption, "slides.pptx: page 2 of 2");
}

TEST_F(Slides, ThatAreBombsOrBrokenAreRefused) {
    const auto bomb = load((kFilms / "bomb.odp").string());
    ASSERT_FALSE(bomb);
    EXPECT_EQ(bomb.error().code, ErrorCode::ParseFailed) << bomb.error().message;
    EXPECT_NE(bomb.error().message.find("LibreOffice makes no pages of"), std::string::npos) << bomb.error().message;
    const auto broken = load(put("broken.pptx", "PK\x03\x04 and nothing of a zip"));
    EXPECT_FALSE(broken && broken->parts.size() > 300);
}

} // namespace
} // namespace handeye
