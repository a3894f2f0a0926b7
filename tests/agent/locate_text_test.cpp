// SPDX-License-Identifier: Apache-2.0
// Words: how they are compared, and read from checked-in pictures by the real reader.
#include "agent/locate/limits.h"
#include "agent/locate/locate.h"
#include "agent/locate/phrases.h"
#include "agent/locate/roles.h"
#include "agent/locate/screen_text.h"
#include "agent/locate/words.h"
#include "base/file.h"
#include "base/image_codec.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace handeye::locate {
namespace {

const std::filesystem::path kReader = HANDEYE_BINARY_DIR "/bin/handeye-reader";

Image picture(const std::string& name) {
    auto image = read_image(std::string(HANDEYE_SOURCE_DIR) + "/" + name);
    EXPECT_TRUE(image) << image.error().message;
    return image ? *image : Image();
}

Rect all_of(const Image& image) { return {0, 0, image.size().width_px, image.size().height_px}; }

/// As the reader would have read it, each word with one confidence.
TextLine line_of(const std::string& text, double confidence = 0.96, int y = 0) {
    TextLine line;
    std::istringstream words(text);
    int x = 0;
    for (std::string word; words >> word; x += 50) {
        line.words.push_back({word, {x, y, 40, 12}, confidence});
    }
    line.box = {0, y, x, 12};
    return line;
}

double score(const std::string& wanted, const std::string& read, double confidence = 0.96, bool is_exact = false) {
    const auto found = find_phrases({line_of(read, confidence)}, wanted, is_exact);
    return found.empty() ? 0 : found.front().score;
}

TEST(Phrases, TellNearMissesApart) {
    const double fits = limits_of(Rung::Text).score_min;
    const std::pair<const char*, const char*> kDifferent[] = {{"Enable", "Unable"}, {"Mail", "Mall"}, {"Item 1", "Item 2"}, {"Save", "Sava"}, {"Log in", "Log on"}, {"Import", "Export"},
                                                              {"Modern", "Modem"}, {"Undo", "Redo"}, {"A5", "as"}, {"Cancel", "Cancels"}, {"1,204.50", "1,209.50"}, {"Drucken", "Drücken"},
                                                              {"Delete", "Deleted"}, {"Sign in", "Sign up"}, {"Page 10", "Page 1"}, {"OK", "On"}};
    for (const auto& [wanted, read] : kDifferent) {
        EXPECT_LT(score(wanted, read), fits) << wanted << " / " << read;
        EXPECT_LT(score(read, wanted), fits + (std::string_view(wanted) == "Drucken" ? 1 : 0)) << read << " / " << wanted; // a reader may lose an accent
    }
}

TEST(Phrases, AllowForWhatReadersMistake) {
    const double fits = limits_of(Rung::Text).score_min;
    const std::pair<const char*, const char*> kAlike[] = {{"Info", "lnfo"}, {"Item 1", "Item l"}, {"1000", "1OOO"}, {"Save as…", "Save as..."}, {"Name:", "Name"}, {"Größe", "Grosse"},
                                                          {"Select all", "Selectall"}, {"Next page", "Next pa ge"}, {"Save", "[Save]"}, {"Save", "SAVE"}};
    for (const auto& [wanted, read] : kAlike) {
        EXPECT_EQ(score(wanted, read) >= fits, std::string_view(wanted) != "Größe") << wanted << " / " << read << " " << score(wanted, read);
    }
    EXPECT_GE(score("100", "1OO", 0.60), fits);
    EXPECT_LT(score("100", "1OO", 0.96), fits);
    EXPECT_GE(score("Settings", "Settlngs", 0.60), fits); // the reader was unsure
    EXPECT_LT(score("Settings", "Settlngs", 0.95), fits);
}

TEST(Phrases, PutTheWholeLineBeforeASentence) {
    const std::vector<TextLine> lines{line_of("Save your changes before you go", 0.96, 0), line_of("Save", 0.96, 50)};
    const auto found = find_phrases(lines, "Save", false);
    ASSERT_GE(found.size(), 2U);
    EXPECT_EQ(found[0].box.y, 50);
    EXPECT_GT(found[0].score - found[1].score, limits_of(Rung::Text).margin_min);
}

TEST(Phrases, CountEveryLetterWhenExact) {
    EXPECT_GE(score("Save", "Save", 0.9, true), 0.99);
    for (const char* const read : {"save", "Save as", "5ave", "Save…"}) {
        EXPECT_LT(score("Save", read, 0.9, true), limits_of(Rung::Text).score_min) << read;
    }
}

TEST(Phrases, TakeHostileWords) {
    EXPECT_TRUE(find_phrases({line_of("Save")}, "", false).empty());
    EXPECT_TRUE(find_phrases({line_of("Save")}, std::string(5000, 'a'), false).empty());
    EXPECT_TRUE(find_phrases({}, "Save", false).empty());
    EXPECT_LT(score("\xff\xff\xff", "\xfe\xfe\xfe"), 1.01);
    EXPECT_EQ(score("Save", std::string(100'000, 'S')), 0);
}

TEST(Roles, AreTheOnesInTheDocumentation) {
    const std::string page = read_file(HANDEYE_SOURCE_DIR "/docs/targets.md", 1U << 20U).value_or(std::string());
    for (const RoleFamily& family : role_families()) {
        const auto joined = [](std::span<const std::string_view> names) {
            std::string text;
            for (const std::string_view name : names) {
                text += (text.empty() ? "" : ", ") + std::string(name);
            }
            return text;
        };
        EXPECT_NE(page.find(fmt::format("| {} | {} | {} |", family.name, joined(family.same), joined(family.kinds))), std::string::npos)
            << fmt::format("| {} | {} | {} |", family.name, joined(family.same), joined(family.kinds));
    }
}

TEST(Limits, AreTheOnesInTheDocumentation) {
    const std::string page = read_file(HANDEYE_SOURCE_DIR "/docs/targets.md", 1U << 20U).value_or(std::string());
    for (const Rung rung : {Rung::Structure, Rung::LocalTemplate, Rung::Template, Rung::Text, Rung::Landmark, Rung::Model, Rung::Coordinates}) {
        const RungLimits& limits = limits_of(rung);
        const std::string row = fmt::format("| `{}` | {:.2f} | {:.2f} |", limits.name, limits.score_min, limits.margin_min);
        EXPECT_NE(page.find(row), std::string::npos) << row;
    }
}

TEST(ScreenText, ReadsAFormInBothPolarities) {
    const Image form = picture("examples/data/desktop.png").to_rgb();
    std::vector<std::uint8_t> negative(form.bytes().begin(), form.bytes().end());
    for (std::uint8_t& level : negative) {
        level = static_cast<std::uint8_t>(255 - level);
    }
    ScreenText text(kReader, "eng");
    for (const Image& image : {form, *Image::from_pixels(form.size(), PixelFormat::Rgb, negative)}) {
        const auto lines = text.lines(image, all_of(image));
        ASSERT_TRUE(lines) << lines.error().message;
        std::string all;
        for (const TextLine& line : *lines) {
            all += line.text() + "|";
        }
        EXPECT_EQ(all, "Contact|Name:|Agree|Cancel|Save|");
    }
}

TEST(ScreenText, ReadsOnceWhatStaysTheSame) {
    const Image form = picture("examples/data/desktop.png").to_rgb();
    ScreenText text(kReader, "eng");
    ASSERT_TRUE(text.lines(form, {0, 0, form.size().width_px, 60}));
    const std::size_t upper = text.lines_asked();
    ASSERT_TRUE(text.lines(form, all_of(form)));
    const std::size_t all = text.lines_asked();
    EXPECT_GT(upper, 0U);
    EXPECT_GT(all, upper);
    std::vector<std::uint8_t> pixels(form.bytes().begin(), form.bytes().end());
    std::fill_n(pixels.begin(), 3 * form.size().width_px * 30, pixels[pixels.size() - 1]); // the heading is gone, the rest stands
    const auto lines = text.lines(*Image::from_pixels(form.size(), PixelFormat::Rgb, pixels), all_of(form));
    ASSERT_TRUE(lines);
    EXPECT_EQ(lines->size(), 4U);
    EXPECT_EQ(text.lines_asked(), all);
}

TEST(ScreenText, ReadsAPage) {
    const Image screen = picture("examples/data/web.png").to_rgb();
    ScreenText text(kReader, "eng");
    const auto lines = text.lines(screen, all_of(screen));
    ASSERT_TRUE(lines) << lines.error().message;
    for (const char* const wanted : {"Catalogue", "My loans", "Title or author", "Search", "12,408 books", "one very old globe."}) {
        const auto found = find_phrases(*lines, wanted, false);
        ASSERT_FALSE(found.empty()) << wanted;
        EXPECT_GE(found.front().score, limits_of(Rung::Text).score_min) << wanted << " read as " << found.front().text_utf8;
    }
}

TEST(ScreenText, TakesEmptyAndTinyPictures) {
    ScreenText text(kReader, "eng");
    for (const Size size : {Size{1, 1}, Size{2, 500}, Size{300, 1}, Size{64, 64}}) {
        const Image image = *Image::from_pixels(size, PixelFormat::Gray, std::vector<std::uint8_t>(static_cast<std::size_t>(size.area()), 77));
        const auto lines = text.lines(image, all_of(image));
        ASSERT_TRUE(lines) << lines.error().message;
        EXPECT_TRUE(lines->empty());
    }
    EXPECT_EQ(text.lines_asked(), 0U);
}

TEST(ScreenText, SurvivesNoise) {
    std::vector<std::uint8_t> pixels(640 * 200 * 3);
    std::uint32_t state = 1;
    for (std::uint8_t& level : pixels) {
        state = state * 1664525 + 1013904223;
        level = static_cast<std::uint8_t>(state >> 24U);
    }
    ScreenText text(kReader, "eng");
    const Image noise = *Image::from_pixels({640, 200}, PixelFormat::Rgb, std::move(pixels));
    const auto lines = text.lines(noise, all_of(noise));
    ASSERT_TRUE(lines) << lines.error().message;
    EXPECT_LT(find_line_boxes(noise, all_of(noise)).boxes.size(), ScreenText::kLinesMax + 1);
}

TEST(TextReader, NamesTheLanguageDataThatAreMissing) {
    const Image line = *Image::from_pixels({60, 40}, PixelFormat::Gray, std::vector<std::uint8_t>(2400, 255));
    const auto words = TextReader(kReader, "eng+chi_xyz").read_line(line);
    ASSERT_FALSE(words);
    EXPECT_EQ(words.error().code, ErrorCode::Unavailable);
    EXPECT_EQ(words.error().message, "text cannot be read: the language data of chi_xyz are missing; install tesseract-ocr-chi-xyz");
    EXPECT_EQ(TextReader(kReader, "../etc/passwd").read_line(line).error().code, ErrorCode::Unavailable);
    EXPECT_EQ(TextReader("/nonexistent/reader", "eng").read_line(line).error().code, ErrorCode::Unavailable);
    EXPECT_EQ(TextReader("/bin/true", "eng").read_line(line).error().code, ErrorCode::Unavailable);
}

TEST(TextReader, IsUnderAFilterAndIsReplacedWhenItEnds) {
    const Image line = *Image::from_pixels({60, 40}, PixelFormat::Gray, std::vector<std::uint8_t>(2400, 255));
    TextReader reader(kReader, "eng");
    ASSERT_TRUE(reader.read_line(line));
    const int first = reader.pid();
    std::ifstream status(fmt::format("/proc/{}/status", first));
    const std::string text((std::istreambuf_iterator<char>(status)), std::istreambuf_iterator<char>());
    EXPECT_NE(text.find("Seccomp:\t2"), std::string::npos) << text;
    EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos);
    EXPECT_NE(text.find("Threads:\t1\n"), std::string::npos);
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    const auto words = reader.read_line(line);
    ASSERT_TRUE(words) << words.error().message;
    EXPECT_NE(reader.pid(), first);
}

/// A reader of our own making: a shell script, since nothing that a reader says may be believed.
class FalseReader {
public:
    explicit FalseReader(const std::string& script) {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-reader-XXXXXX").string();
        folder_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
        std::ofstream(program()) << "#!/bin/sh\n" << script << "\n";
        std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
    }
    ~FalseReader() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    FalseReader(const FalseReader&) = delete;
    FalseReader& operator=(const FalseReader&) = delete;
    [[nodiscard]] std::filesystem::path program() const { return folder_ / "reader"; }

private:
    std::filesystem::path folder_;
};

TEST(TextReader, BelievesNothingThatTheReaderSays) {
    const Image line = *Image::from_pixels({60, 40}, PixelFormat::Gray, std::vector<std::uint8_t>(2400, 255));
    const std::string kHello = R"(printf '\0\0\0\0\0\0\0\0\0\0\0\0' >&3; )", kWait = "; exec cat <&3 >/dev/null";
    const std::pair<const char*, const char*> kLies[] = {
        {R"(printf '\0\0\0\0\5\0\0\0\0\0\0\0' >&3)", "cut off"},        // five words in no bytes
        {R"(printf '\0\0\0\0\1\0\0\0\377\377\377\377' >&3)", "too long"}, // four gigabytes
        {R"(printf '\0\0\0\0\1\0\0\0\030\0\0\0\0\0\0\0\0\0\0\0\377\377\0\0\1\0\0\0\0\0\200\077\0\0\0\0' >&3)", "makes no sense"}, // 65,535 pixels wide
        {R"(printf '\0\0\0\0\1\0\0\0\030\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\300\177\0\0\0\0' >&3)", "makes no sense"},     // unsure beyond numbers
        {R"(printf '\0\0\0\0\1\0\0\0\030\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\200\077\377\0\0\0' >&3)", "makes no sense"},   // a text that is not there
    };
    for (const auto& [lie, answer] : kLies) {
        const FalseReader reader(kHello + lie + kWait);
        const auto words = TextReader(reader.program(), "eng").read_line(line);
        ASSERT_FALSE(words) << lie;
        EXPECT_EQ(words.error().code, ErrorCode::Internal) << lie;
        EXPECT_NE(words.error().message.find(answer), std::string::npos) << lie << words.error().message;
    }
}

TEST(TextReader, DoesNotWaitForEver) {
    const Image line = *Image::from_pixels({60, 40}, PixelFormat::Gray, std::vector<std::uint8_t>(2400, 255));
    const FalseReader silent("exec cat <&3 >/dev/null");
    EXPECT_EQ(TextReader(silent.program(), "eng", std::chrono::milliseconds(100)).read_line(line).error().code, ErrorCode::Unavailable);
    const FalseReader stuck(R"(printf '\0\0\0\0\0\0\0\0\0\0\0\0' >&3; exec cat <&3 >/dev/null)");
    EXPECT_EQ(TextReader(stuck.program(), "eng", std::chrono::seconds(3)).read_line(line).error().code, ErrorCode::DeadlineExceeded);
}

TEST(TextReader, StaysAliveWhateverThePixels) {
    TextReader reader(kReader, "eng");
    std::uint32_t state = 7;
    int pid = -1;
    for (const Size size : {Size{1, 1}, Size{2, 300}, Size{300, 2}, Size{7, 7}, Size{400, 60}, Size{16384, 48}, Size{60, 4000}}) {
        for (const unsigned grain : {1U, 3U, 16U}) { // single pixels, blots
            std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.area()));
            for (std::size_t i = 0; i < pixels.size(); ++i) {
                const auto width = static_cast<std::size_t>(size.width_px);
                const std::size_t block = (i / width / grain) * width + (i % width) / grain;
                pixels[i] = ((block * 2654435761U + state) >> 13U & 3U) == 0 ? 0 : 255;
            }
            state = state * 1664525 + 1013904223;
            const auto words = reader.read_line(*Image::from_pixels(size, PixelFormat::Gray, std::move(pixels)));
            ASSERT_TRUE(words) << size.width_px << "x" << size.height_px << " grain " << grain << ": " << words.error().message;
            pid = pid < 0 ? reader.pid() : pid;
            ASSERT_EQ(reader.pid(), pid) << size.width_px << "x" << size.height_px << " grain " << grain << " ended the reader";
        }
    }
}

TEST(TextReader, RefusesPicturesThatAreNoLine) {
    TextReader reader(kReader, "eng");
    EXPECT_EQ(reader.read_line(Image()).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(reader.read_line(*Image::from_pixels({2, 2}, PixelFormat::Rgb, std::vector<std::uint8_t>(12))).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(reader.read_line(*Image::from_pixels({4096, 2048}, PixelFormat::Gray, std::vector<std::uint8_t>(4096 * 2048))).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(reader.pid(), -1);
}

TEST(Locator, FindsAButtonByWhatIsWrittenOnIt) {
    const Image form = picture("examples/data/desktop.png");
    const std::vector<Element> none;
    const auto locator = Locator::create({.reader = kReader});
    const auto found = locator->find({.text_utf8 = "save"}, {form, none});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->best.rung, Rung::Text);
    EXPECT_TRUE((Rect{260, 180, 64, 36}).contains(found->point)) << found->point.x << "," << found->point.y;
    EXPECT_EQ(found->tried.size(), 1U);
    const auto missing = locator->find({.text_utf8 = "Send"}, {form, none});
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("text: best was \""), std::string::npos) << missing.error().message;
    const auto field = locator->find({.role = "entry", .label_utf8 = "Name"}, {form, none});
    ASSERT_TRUE(field) << field.error().message;
    EXPECT_TRUE((Rect{62, 34, 263, 32}).contains(field->point)) << field->point.x << "," << field->point.y;
    const auto no_field = locator->find({.role = "entry", .label_utf8 = "Contact"}, {form, none});
    ASSERT_FALSE(no_field);
    EXPECT_NE(no_field.error().message.find("\"Contact\" is there, and no entry beside it"), std::string::npos) << no_field.error().message;
    const auto lines = locator->read_lines({form, none}, Rect{150, 170, 186, 54});
    ASSERT_TRUE(lines);
    ASSERT_EQ(lines->size(), 2U);
    EXPECT_EQ((*lines)[0].text_utf8, "Cancel");
}

} // namespace
} // namespace handeye::locate
