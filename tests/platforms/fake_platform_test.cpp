// SPDX-License-Identifier: Apache-2.0
// The scripted screen keeps the contract that sessions are tested against.
#include "tests/fakes/fake_platform.h"

#include "platforms/bench.h"

#include <gtest/gtest.h>

namespace handeye::fakes {
namespace {

constexpr Size kSize{40, 30};

/// Time that moves only when somebody waits for it.
class SteppingClock final : public Clock {
public:
    TimePoint now() override { return now_; }
    WallTime wall_now() override { return {}; }
    WaitResult sleep_until(TimePoint deadline, std::stop_token stop) override {
        if (stop.stop_requested()) {
            return WaitResult::Stopped;
        }
        now_ = std::max(now_, deadline);
        return WaitResult::Reached;
    }

private:
    TimePoint now_{};
};

std::vector<Scene> two_scenes() {
    return {{solid_frame(kSize, 255, 0, 0)}, {solid_frame(kSize, 0, 255, 0)}};
}

void click(FakePlatform& platform, Point at) {
    ASSERT_TRUE(platform.inject(PointerMove{at}));
    ASSERT_TRUE(platform.inject(PointerButton{MouseButton::Left, Edge::Press}));
    ASSERT_TRUE(platform.inject(PointerButton{MouseButton::Left, Edge::Release}));
}

TEST(FakePlatform, ClickInsideAHotspotShowsTheNextScene) {
    SteppingClock clock;
    FakePlatform platform(clock, two_scenes());
    platform.on_click(0, {10, 10, 5, 5}, 1);
    click(platform, {15, 15});
    EXPECT_EQ(platform.scene(), 0U);
    click(platform, {14, 14});
    EXPECT_EQ(platform.scene(), 1U);
    EXPECT_EQ(platform.events().size(), 6U);
}

TEST(FakePlatform, PaintDelayHidesTheSceneUntilSettled) {
    SteppingClock clock;
    FakePlatform platform(clock, two_scenes());
    platform.on_key(0, "Return", 1);
    platform.set_paint_delay(std::chrono::milliseconds(300));
    ASSERT_TRUE(platform.inject(Key{"Return", Edge::Press}));
    EXPECT_EQ(platform.capture()->image.row(0)[0], 255);
    const auto settled = platform.settle({}, {});
    ASSERT_TRUE(settled);
    EXPECT_TRUE(settled->is_quiet);
    EXPECT_TRUE(settled->has_changed);
    EXPECT_EQ(settled->waited, std::chrono::milliseconds(380));
    EXPECT_EQ(platform.capture()->image.row(0)[1], 255);
}

TEST(FakePlatform, SpinnerReachesTheDeadline) {
    SteppingClock clock;
    FakePlatform platform(clock, two_scenes());
    platform.set_never_quiet(true);
    const auto settled = platform.settle({}, {});
    ASSERT_TRUE(settled);
    EXPECT_FALSE(settled->is_quiet);
    EXPECT_EQ(settled->waited, std::chrono::seconds(2));
}

TEST(FakePlatform, HoldsKeysAndButtonsUntilReleaseAll) {
    SteppingClock clock;
    FakePlatform platform(clock, two_scenes());
    ASSERT_TRUE(platform.inject(Key{"Control_L", Edge::Press}));
    ASSERT_TRUE(platform.inject(PointerButton{MouseButton::Right, Edge::Press}));
    EXPECT_EQ(platform.held(), (std::set<std::string>{"Control_L", "button:right"}));
    ASSERT_TRUE(platform.release_all());
    EXPECT_TRUE(platform.held().empty());
    EXPECT_EQ(platform.releases(), 1U);
}

TEST(FakePlatform, RefusesAPointOutsideTheFrame) {
    SteppingClock clock;
    FakePlatform platform(clock, two_scenes());
    const auto moved = platform.inject(PointerMove{{40, 0}});
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, ErrorCode::OutOfBounds);
    EXPECT_TRUE(platform.events().empty());
}

TEST(FakePlatform, FailsTheCallItWasToldToFailOnce) {
    SteppingClock clock;
    FakePlatform platform(clock, two_scenes());
    platform.fail_next(Call::Capture, {ErrorCode::Unavailable, "the display went away"});
    EXPECT_FALSE(platform.capture());
    EXPECT_TRUE(platform.capture());
}

TEST(PlatformBench, EachFigureHasItsCeilingAndShare) {
    SystemClock clock;
    FakePlatform platform(clock, two_scenes());
    const auto capture = bench_capture(platform, 5);
    ASSERT_TRUE(capture);
    ASSERT_EQ(capture->size(), 2U);
    EXPECT_EQ(capture->front().ceiling_name, "memcpy of one frame");
    EXPECT_GT(capture->front().ceiling, 0);
    const auto input = bench_input(platform, 5);
    ASSERT_TRUE(input);
    EXPECT_EQ(input->size(), 3U);
    EXPECT_TRUE(platform.held().empty());
}

TEST(PlatformBench, RefusesTooFewAndTooManyRuns) {
    SystemClock clock;
    FakePlatform platform(clock, two_scenes());
    EXPECT_EQ(bench_capture(platform, 2).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(bench_input(platform, 100'001).error().code, ErrorCode::InvalidArgument);
}

TEST(PlatformBench, FailureOfThePlatformIsReturned) {
    SystemClock clock;
    FakePlatform platform(clock, two_scenes());
    platform.fail_next(Call::Capture, {ErrorCode::Unavailable, "the display went away"});
    EXPECT_EQ(bench_capture(platform, 5).error().code, ErrorCode::Unavailable);
}

} // namespace
} // namespace handeye::fakes
