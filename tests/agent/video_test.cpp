// SPDX-License-Identifier: Apache-2.0
// A recording as a film, read back by a reader of films: its size, its pace, its marks; what was masked or withheld stays so.
#include "agent/caption.h"
#include "agent/export_video.h"
#include "agent/session.h"
#include "tests/agent/recorded_session.h"
#include "tests/agent/recording_samples.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>
#include <opencv2/videoio.hpp>

namespace handeye {
namespace {

using fakes::FakePlatform;
using fakes::ScriptedModel;
using fakes::SimClock;
using fakes::solid_frame;

std::vector<cv::Mat> frames_of(const std::filesystem::path& file) {
    std::vector<cv::Mat> out;
    cv::VideoCapture film(file.string());
    EXPECT_TRUE(film.isOpened());
    for (cv::Mat frame; film.read(frame);) {
        out.push_back(frame.clone());
    }
    return out;
}

// The mean of a part: blue, green, red. A film's colours are near, not exact.
cv::Scalar colour(const cv::Mat& frame, const cv::Rect& area) { return cv::mean(frame(area)); }

class VideoTest : public testing::Test {
protected:
    // One click in the middle of a red screen, which then is blue; `before` changes the scenes.
    std::filesystem::path record(std::vector<fakes::Scene> scenes, const std::function<void(FakePlatform&)>& before = {}) {
        const auto file = dir_.path() / "a.handeye";
        auto recorder = Recorder::open(file, "S").value();
        SimClock clock;
        FakePlatform platform(clock, std::move(scenes));
        platform.on_click(0, {0, 0, 640, 400}, 1);
        if (before) {
            before(platform);
        }
        ScriptedModel model({R"(<think>T</think><answer>T
<|begin_of_box|>left_click(start_box='[500,500]', element_info='Grüße, 世界')<|end_of_box|>
Memory:
[]</answer>)",
                             R"(<think>T</think><answer>T
<|begin_of_box|>DONE()<|end_of_box|>
Memory:
[]</answer>)"});
        {
            auto session = Session::create({.session_id = "S"}, platform, model, clock, *recorder).value();
            EXPECT_TRUE(session->run_task("Go.", {}));
        }
        EXPECT_TRUE(recorder->seal());
        return file;
    }
    VideoExport film(const std::filesystem::path& recording, const VideoOptions& options = {}) {
        const auto opened = Recording::open(recording);
        auto done = export_video(*opened, dir_.path() / "a.mp4", options);
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        return done.value_or(VideoExport());
    }
    tests::TempDir dir_;
};

TEST_F(VideoTest, ShowsEachScreenWithTheClickThenWhatCameOfIt) {
    const VideoExport told = film(record({{solid_frame({640, 400}, 200, 30, 30)}, {solid_frame({640, 400}, 30, 30, 200)}}));
    const std::vector<cv::Mat> frames = frames_of(dir_.path() / "a.mp4");
    ASSERT_EQ(static_cast<int>(frames.size()), told.frames);
    EXPECT_EQ(told.steps, 2);
    EXPECT_EQ(frames[0].cols, 640);
    EXPECT_EQ(frames[0].rows, told.size.height_px);
    EXPECT_GT(frames[0].rows, 400); // the caption lies below the screen and hides nothing of it
    EXPECT_TRUE(std::ranges::all_of(frames, [&](const cv::Mat& frame) { return frame.size() == frames[0].size(); }));
    EXPECT_GT(colour(frames[0], {20, 20, 100, 100})[2], 150); // red
    const cv::Rect ring(320 - 12, 200 - 12, 24, 24);
    EXPECT_GT(cv::norm(colour(frames[0], ring) - colour(frames[0], {20, 20, 24, 24})), 15);
    const cv::Mat& later = frames[static_cast<std::size_t>(told.frames / 2 - 1)]; // the first step's last frame: both steps are as long
    EXPECT_GT(colour(later, {20, 20, 100, 100})[0], 150); // blue
    EXPECT_LT(colour(frames[0], {0, 402, 640, 20})[0], 60); // the caption's ground
    EXPECT_NE(cv::norm(frames[0].rowRange(401, frames[0].rows), frames.back().rowRange(401, frames[0].rows)), 0); // its words
}

TEST_F(VideoTest, KeepsThePaceUpToALimit) {
    tests::record_session(dir_.path() / "b.handeye", {.steps = 3, .size = {640, 400}}); // steps of some 880 ms
    const VideoExport real = film(dir_.path() / "b.handeye");
    EXPECT_NEAR(real.frames / real.frames_per_second, 2.6, 0.2);
    const VideoExport short_ones = film(dir_.path() / "b.handeye", {.step_seconds_max = 0.4});
    EXPECT_EQ(short_ones.frames, 12);
    EXPECT_EQ(frames_of(dir_.path() / "a.mp4").size(), 12U);
}

TEST_F(VideoTest, MakesALargeScreenSmallerAndItsSidesEven) {
    tests::record_session(dir_.path() / "b.handeye", {.steps = 2, .size = {1281, 801}});
    const VideoExport told = film(dir_.path() / "b.handeye", {.width_px_max = 641});
    EXPECT_EQ(told.size.width_px, 640);
    EXPECT_EQ(told.size.height_px % 2, 0);
    const std::vector<cv::Mat> frames = frames_of(dir_.path() / "a.mp4");
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames[0].cols, 640);
    EXPECT_EQ(frames[0].rows, told.size.height_px);
    EXPECT_GT(colour(frames[0], {30, 200, 5, 5})[1], 150); // the paper of the window on the left
}

TEST_F(VideoTest, WhatWasMaskedOrWithheldStaysSo) {
    Element field;
    field.role = "password text";
    field.box = {100, 100, 200, 80};
    field.is_secret = true;
    film(record({{solid_frame({640, 400}, 255, 255, 255), {field}}, {solid_frame({640, 400}, 255, 255, 255), {field}}}));
    for (const cv::Mat& frame : frames_of(dir_.path() / "a.mp4")) {
        EXPECT_LT(colour(frame, {104, 104, 192, 72})[1], 200);
        EXPECT_GT(colour(frame, {400, 20, 100, 60})[1], 240);
    }
    std::filesystem::remove(dir_.path() / "a.handeye");
    film(record({{solid_frame({640, 400}, 255, 255, 255)}, {solid_frame({640, 400}, 255, 255, 255)}},
                [](FakePlatform& platform) { platform.fail_next(fakes::Call::Elements, {ErrorCode::Unavailable, "the accessibility bus is gone"}); }));
    EXPECT_LT(colour(frames_of(dir_.path() / "a.mp4").front(), {20, 20, 600, 100})[1], 60); // nothing of the screen
}

TEST_F(VideoTest, SaysWhatCannotBeFilmed) {
    const auto nothing = Recording::open(tests::record_sample(dir_.path() / "c.handeye", 3));
    EXPECT_EQ(export_video(*nothing, dir_.path() / "c.mp4").error().code, ErrorCode::InvalidArgument);
    EXPECT_FALSE(std::filesystem::exists(dir_.path() / "c.mp4"));
    const auto one = Recording::open(record({{solid_frame({640, 400}, 1, 2, 3)}, {solid_frame({640, 400}, 3, 2, 1)}}));
    EXPECT_EQ(export_video(*one, dir_.path() / "c.avi").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(export_video(*one, dir_.path() / "nowhere" / "c.mp4").error().code, ErrorCode::IoFailed);
}

TEST(Captions, AreDrawnInAnyScriptAndCutToTheLine) {
    const auto drawn = [](const std::string& text) { return draw_caption({text, "confirmed", {400, 40}}).value(); };
    const Image empty = drawn("");
    for (const char* text : {"left_click Save", "Grüße", "世界", "שלום", "a\x1b[31mb"}) {
        EXPECT_EQ(drawn(text).size(), (Size{400, 40}));
        EXPECT_NE(drawn(text).content_hash(), empty.content_hash()) << text;
    }
    const Image cut = drawn(std::string(5000, 'x'));
    const Image end = cut.cropped({310, 0, 90, 40}); // where the result stands
    EXPECT_EQ(end.content_hash(), empty.cropped({310, 0, 90, 40}).content_hash());
}

} // namespace
} // namespace handeye
