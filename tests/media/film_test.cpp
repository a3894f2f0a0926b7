// SPDX-License-Identifier: Apache-2.0
// Films as a model looks at them: the frames that the reference takes, the seconds it tells, and films that are broken or hostile.
#include "base/child_process.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "engine/film_plan.h"
#include "engine/vision/preprocess.h"
#include "media/film_reader.h"

#include <csignal>
#include <fstream>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>;

const std::filesystem::path kFilms = HANDEYE_SOURCE_DIR "/tests/golden/media";
constexpr int kBits = 11;

Bytes bytes_of(const std::string& name) {
    const std::string text = read_file(kFilms / name, 1U << 24U).value_or("");
    return {text.begin(), text.end()};
}

FilmReader reader(std::chrono::milliseconds patience = std::chrono::seconds(100)) { return FilmReader(HANDEYE_BINARY_DIR "/bin/handeye-video", patience); }

/// What a frame of a clock film shows.
int number_in(const Image& frame) {
    int number = 0;
    for (int bit = 0; bit < kBits; ++bit) {
        const int x = frame.size().width_px / kBits * bit + frame.size().width_px / kBits / 2;
        number |= (frame.row(frame.size().height_px / 2)[static_cast<std::size_t>(x) * 3] > 128 ? 1 : 0) << bit;
    }
    return number;
}

std::vector<int> once(std::vector<int> indices) {
    indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
    return indices;
}

TEST(Film, GivesTheFramesAndSecondsOfTheReference) {
    const json rows = json::parse(read_file(kFilms / "films.json", 1U << 20U).value_or("[]"));
    ASSERT_EQ(rows.size(), 7U);
    for (const json& row : rows) {
        SCOPED_TRACE(row["film"].get<std::string>());
        const auto film = reader().read(bytes_of(row["film"]));
        ASSERT_TRUE(film) << film.error().message;
        EXPECT_EQ(film->frames, row["frames"].get<int>());
        EXPECT_NEAR(film->fps, row["fps"].get<double>(), 1e-3);
        EXPECT_FALSE(film->breaks_off);
        std::vector<int> numbers;
        for (const Image& frame : film->video.frames) {
            numbers.push_back(number_in(frame));
        }
        EXPECT_EQ(numbers, once(row["indices"].get<std::vector<int>>()));
        // The engine takes all of them again and tells the reference's seconds.
        const auto count = static_cast<int>(film->video.frames.size());
        const auto seen = choose_frames(count, film->video.fps, count / film->video.fps, {});
        ASSERT_TRUE(seen);
        EXPECT_EQ(once(seen->indices).size(), film->video.frames.size());
        const auto wanted = row["seconds"].get<std::vector<int>>();
        ASSERT_EQ(seen->timestamps_s.size(), wanted.size());
        int off = 0;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            EXPECT_LE(std::abs(seen->timestamps_s[i] - wanted[i]), 1);
            off += seen->timestamps_s[i] == wanted[i] ? 0 : 1;
        }
        EXPECT_LE(off, film->seconds > 300 ? count / 4 / film->fps : 0); // a VideoPart has one rate: see FilmPlan::stamps_off
    }
}

TEST(FilmPlan, TellsTheReferencesSecondsOfEveryFilmUpToFiveMinutes) {
    std::mt19937 random(20261122);
    for (const double fps : {0.5, 1.0, 2.0, 2.5, 3.0, 7.3, 12.0, 14.985, 23.976, 24000.0 / 1001, 24.0, 25.0, 30000.0 / 1001, 50.0, 59.94, 120.0}) {
        for (int i = 0; i < 40; ++i) {
            const int frames = std::uniform_int_distribution<int>(1, static_cast<int>(300 * fps))(random);
            const auto plan = plan_film(frames, fps, {64, 48});
            ASSERT_TRUE(plan);
            EXPECT_EQ(plan->stamps_off, 0) << frames << " frames at " << fps;
        }
    }
}

TEST(FilmPlan, ShrinksOnlyWhatTheModelWouldShrink) {
    EXPECT_EQ(plan_film(10, 2, {1920, 1080})->size, (Size{1920, 1080}));
    const auto large = plan_film(600 * 15, 30, {1920, 1080}); // 600 of 2 megapixels
    EXPECT_EQ(large->indices.size(), 600U);
    PreprocessConfig config;
    config.max_volume = 47'040'000;
    EXPECT_EQ(large->size, *smart_resize(600, {1920, 1080}, config));
    EXPECT_EQ(*smart_resize(600, large->size, config), large->size); // which the engine leaves alone
    EXPECT_FALSE(plan_film(0, 30, {64, 64}));
    EXPECT_FALSE(plan_film(10, 0, {64, 64}));
    EXPECT_FALSE(plan_film(10, 2, {0, 64}));
}

TEST(Film, GivesTheExactPixelsOfALosslessFilm) {
    for (const auto& [name, folder, frames] : {std::tuple{"golden-v.mkv", "v", std::vector<int>{0, 2, 4, 6}}, std::tuple{"golden-odd.mkv", "odd", std::vector<int>{0, 1, 2, 3, 4}}}) {
        const auto film = reader().read(bytes_of(name));
        ASSERT_TRUE(film) << film.error().message;
        ASSERT_EQ(film->video.frames.size(), frames.size());
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const auto wanted = read_image(fmt::format("{}/tests/golden/engine/glm4v-f32/videos/{}/{:03}.png", HANDEYE_SOURCE_DIR, folder, frames[i]));
            ASSERT_TRUE(wanted) << wanted.error().message;
            EXPECT_EQ(film->video.frames[i].content_hash(), wanted->to_rgb().content_hash()) << name << " frame " << frames[i];
        }
    }
}

TEST(Film, StandsUprightAsItsHeaderSays) {
    const auto lying = reader().read(bytes_of("clock-30.mp4")), turned = reader().read(bytes_of("turned.mp4"));
    ASSERT_TRUE(lying && turned);
    EXPECT_EQ(lying->size, (Size{176, 48}));
    EXPECT_EQ(turned->size, (Size{48, 176}));
    const Image& from = lying->video.frames[1];
    const Image& to = turned->video.frames[1];
    for (int y = 0; y < 48; y += 5) {
        for (int x = 0; x < 176; x += 5) { // clockwise: the left edge becomes the upper one
            ASSERT_EQ(from.row(y)[static_cast<std::size_t>(x) * 3], to.row(x)[static_cast<std::size_t>(47 - y) * 3]) << x << " " << y;
        }
    }
}

TEST(Film, IsOneFrameWhereNothingMoves) {
    for (const char* const name : {"still.gif", "still.tiff"}) {
        const auto film = reader().read(bytes_of(name));
        ASSERT_TRUE(film) << name << film.error().message;
        EXPECT_EQ(film->frames, 1);
        EXPECT_EQ(number_in(film->video.frames.at(0)), 5);
    }
}

TEST(Film, ThatBreaksOffGivesWhatIsThere) {
    Bytes bytes = bytes_of("clock-30.mp4");
    bytes.resize(bytes.size() * 6 / 10);
    const auto film = reader().read(bytes);
    ASSERT_TRUE(film) << film.error().message;
    ASSERT_GE(film->video.frames.size(), 1U);
    EXPECT_LT(film->video.frames.size(), 6U);
    EXPECT_EQ(number_in(film->video.frames[0]), 0);
}

TEST(Film, RefusesWhatIsNone) {
    EXPECT_EQ(reader().read(Bytes{}).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(reader().read(Bytes(5000, 'x')).error().code, ErrorCode::ParseFailed);
    const std::string list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"; // names another file
    EXPECT_EQ(reader().read(Bytes(list.begin(), list.end())).error().code, ErrorCode::ParseFailed);
    Bytes head = bytes_of("clock-30.mp4");
    head.resize(40);
    EXPECT_EQ(reader().read(head).error().code, ErrorCode::ParseFailed);
    const FileDescriptor folder(::open("/", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(reader().read(folder).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(FilmReader("/nonexistent").read(bytes_of("clock.gif")).error().code, ErrorCode::NotFound);
}

TEST(Film, SurvivesFilmsThatAreDamagedAnywhere) {
    std::mt19937 random(20261122);
    const int rounds = std::getenv("HANDEYE_FULL") != nullptr ? 60 : 3;
    int read = 0, refused = 0;
    for (const char* const name : {"clock-30.mp4", "clock-29.97.mkv", "clock-25.webm", "clock-1.avi", "clock-12.ts", "clock.gif", "still.tiff"}) {
        for (int round = 0; round < rounds; ++round) {
            Bytes bytes = bytes_of(name);
            for (int i = 0; i < 30; ++i) {
                bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
            }
            const auto film = reader().read(bytes);
            ++(film ? read : refused);
            if (!film) { // never a wrong answer, a hang or another kind of error
                EXPECT_TRUE(film.error().code == ErrorCode::ParseFailed || film.error().code == ErrorCode::Unsupported || film.error().code == ErrorCode::LimitExceeded || film.error().code == ErrorCode::InvalidArgument)
                    << name << ": " << film.error().message;
            }
        }
    }
    fmt::print("{} damaged films read, {} refused\n", read, refused);
    EXPECT_GT(read, 0);
}

TEST(Film, ItsProcessIsUnderAFilterBeforeItIsAsked) {
    const auto child = Child::start(HANDEYE_BINARY_DIR "/bin/handeye-video");
    ASSERT_TRUE(child) << child.error().message;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(100);
    std::string status;
    do { // until it waits for its question
        std::ifstream file(fmt::format("/proc/{}/status", (*child)->pid()));
        status.assign(std::istreambuf_iterator<char>(file), {});
    } while (status.find("Seccomp:\t2") == std::string::npos && !status.empty() && std::chrono::steady_clock::now() < deadline);
    EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
}

TEST(Film, StopsAtOnce) {
    std::stop_source stop;
    int told = 0;
    const auto film = reader().read(bytes_of("clock-long.mp4"), [&](double) { ++told, stop.request_stop(); }, stop.get_token());
    EXPECT_EQ(film.error().code, ErrorCode::Cancelled);
    EXPECT_GE(told, 1);
}

class TakenOver : public testing::Test {
protected:
    /// A program that a test makes up stands for a decoder that a film has taken over.
    FilmReader posing(const std::string& python, std::chrono::milliseconds patience = std::chrono::seconds(60)) {
        const auto path = folder_ / "decoder";
        std::ofstream(path) << "#!/usr/bin/python3\nimport array, os, socket, struct, time\nlink = socket.socket(fileno=3)\n" << python << "\n";
        std::filesystem::permissions(path, std::filesystem::perms(0700));
        return FilmReader(path, patience);
    }
    TakenOver() {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-film-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~TakenOver() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    std::filesystem::path folder_;
};

// code, message bytes, share, width, height, frames, breaks off, fps, own width, height, frames, unused, own fps
const std::string kHead = "def head(code=0, said=0, w=4, h=4, n=1, fps=2.0, ow=4, oh=4, on=1, ofps=2.0):\n"
                          "    return struct.pack('=IIdiiiIdiiiid', code, said, 0.5, w, h, n, 0, fps, ow, oh, on, 0, ofps)\n"
                          "def send(data, size=48):\n    pixels = os.memfd_create('x')\n    os.write(pixels, bytes(size))\n"
                          "    link.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [pixels]))])\n";

TEST_F(TakenOver, IsNotBelieved) {
    const Bytes film = bytes_of("clock.gif");
    ASSERT_TRUE(posing(kHead + "send(head())").read(film)); // the disguise is right
    for (const char* const lie : {"send(head(w=-4))", "send(head(w=100000, h=100000))", "send(head(w=16384, h=16384))", "send(head(n=0))", "send(head(n=601))", "send(head(n=-1))",
                                  "send(head(fps=float('nan')))", "send(head(fps=0.0))", "send(head(on=0))", "send(head(ofps=float('inf')))", "send(head(), 47)", "link.send(head())"}) {
        const auto told = posing(kHead + lie).read(film);
        ASSERT_FALSE(told) << lie;
        EXPECT_EQ(told.error().code, ErrorCode::Internal) << lie << ": " << told.error().message;
    }
    const auto spoken = posing(kHead + "link.send(head(code=4000000000, said=4000000000) + b'x' * 5000)").read(film);
    EXPECT_EQ(spoken.error().code, ErrorCode::Internal);
    EXPECT_LE(spoken.error().message.size(), 1024U);
}

TEST_F(TakenOver, IsEndedWhenItDoesNotEnd) {
    const auto late = posing("time.sleep(1000)", std::chrono::seconds(2)).read(bytes_of("clock.gif"));
    EXPECT_EQ(late.error().code, ErrorCode::DeadlineExceeded);
    const auto endless = posing(kHead + "while True:\n    link.send(head(code=0xFFFFFFFF))", std::chrono::seconds(2)).read(bytes_of("clock.gif"));
    EXPECT_EQ(endless.error().code, ErrorCode::DeadlineExceeded);
    const auto gone = posing("os.kill(os.getpid(), 11)").read(bytes_of("clock.gif"));
    EXPECT_EQ(gone.error().code, ErrorCode::ParseFailed);
    EXPECT_NE(gone.error().message.find("signal 11"), std::string::npos) << gone.error().message;
}

} // namespace
} // namespace handeye
