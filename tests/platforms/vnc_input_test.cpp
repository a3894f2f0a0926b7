// SPDX-License-Identifier: Apache-2.0
// What is sent to TigerVNC and to x11vnc is what an application receives, in order; and nothing stays down.
#include "tests/platforms/random_input.h"
#include "tests/platforms/vnc_fixture.h"

#include <algorithm>
#include <csignal>
#include <thread>

namespace handeye::vnc {
namespace {

class VncInput : public VncTest, public ::testing::WithParamInterface<Server> {
protected:
    std::unique_ptr<Platform> open_logged() {
        start_server(GetParam());
        return VncTest::open_logged();
    }
};

TEST_P(VncInput, RandomEventsArriveExactly) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    const std::vector<std::string> want = x11::send_random_events(*platform, x11::seeded_generator(), {1024, 768}, x11::count_of(10'000, 300));
    const std::vector<std::string> got = log_ending_with("keyup F12 0");
    const auto differs = std::mismatch(want.begin(), want.end(), got.begin(), got.end());
    EXPECT_TRUE(differs.first == want.end() && differs.second == got.end())
        << "line " << differs.first - want.begin() << " of " << want.size() << ": want " << (differs.first == want.end() ? "nothing" : *differs.first) << ", got "
        << (differs.second == got.end() ? "nothing" : *differs.second);
}

TEST_P(VncInput, DragMovesWithTheButtonDownInOrder) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->inject(PointerMove{{100, 100}}));
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press}));
    std::vector<std::string> want = {"motion 99 100 0", "motion 100 100 0", "press 1 100 100"};
    for (int i = 1; i <= 12; ++i) {
        ASSERT_TRUE(platform->inject(PointerMove{{100 + 10 * i, 100 + 5 * i}}));
        want.push_back("motion " + std::to_string(100 + 10 * i) + " " + std::to_string(100 + 5 * i) + " 256");
    }
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Release}));
    want.emplace_back("release 1 220 160");
    EXPECT_EQ(log_ending_with(want.back()), want);
}

TEST_P(VncInput, WheelNotchesAreButtonClicksAtThePointer) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->inject(PointerMove{{50, 60}}));
    ASSERT_TRUE(platform->inject(Wheel{0, 2}));
    ASSERT_TRUE(platform->inject(Wheel{0, -1}));
    std::vector<std::string> want = {"press 5 50 60", "release 5 50 60", "press 5 50 60", "release 5 50 60", "press 4 50 60", "release 4 50 60"};
    if (GetParam() == Server::TigerVnc) { // x11vnc knows five buttons
        ASSERT_TRUE(platform->inject(Wheel{-1, 0}));
        want.insert(want.end(), {"press 6 50 60", "release 6 50 60"});
    }
    const auto lines = log_ending_with(want.back());
    ASSERT_GE(lines.size(), 2U);
    EXPECT_EQ(std::vector<std::string>(lines.begin() + 2, lines.end()), want);
}

TEST_P(VncInput, ChordHoldsItsModifiers) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    x11::press_chord(*platform, {"Control_L", "Shift_L", "t"});
    EXPECT_EQ(log_ending_with("keyup Control_L 4"),
              (std::vector<std::string>{"keydown Control_L 0", "keydown Shift_L 4", "keydown T 5", "keyup T 5", "keyup Shift_L 5", "keyup Control_L 4"}));
}

TEST_P(VncInput, UnknownKeysAndPointsOutsideAreRefused) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    const auto key = platform->inject(Key{"NoSuchKey", Edge::Press});
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, ErrorCode::InvalidArgument);
    for (const Point point : {Point{-1, 0}, Point{0, -1}, Point{1024, 0}, Point{0, 768}}) {
        const auto moved = platform->inject(PointerMove{point});
        ASSERT_FALSE(moved);
        EXPECT_EQ(moved.error().code, ErrorCode::OutOfBounds);
        EXPECT_NE(moved.error().message.find("1024x768"), std::string::npos);
    }
    EXPECT_EQ(platform->inject(Wheel{0, 100'000}).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(count_down(), 0);
}

TEST_P(VncInput, ReleaseAllLetsGoOfEverythingFromAnotherThread) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->inject(Key{"Control_L", Edge::Press}));
    ASSERT_TRUE(platform->inject(Key{"a", Edge::Press}));
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Right, Edge::Press}));
    EXPECT_TRUE(wait_for([] { return count_down() == 3; }));
    std::thread([&] { EXPECT_TRUE(platform->release_all()); }).join();
    EXPECT_TRUE(wait_for([] { return count_down() == 0; }));
    EXPECT_TRUE(platform->release_all()); // safe to call twice
}

TEST_P(VncInput, ClosingAPlatformReleasesWhatItHolds) {
    {
        const auto platform = open_logged();
        ASSERT_TRUE(platform);
        ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
        ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press}));
        EXPECT_TRUE(wait_for([] { return count_down() == 2; }));
    }
    EXPECT_TRUE(wait_for([] { return count_down() == 0; }));
}

TEST_P(VncInput, NothingIsPressedAfterCloseAllInput) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
    close_all_input();
    const auto pressed = platform->inject(Key{"a", Edge::Press});
    ASSERT_FALSE(pressed);
    EXPECT_EQ(pressed.error().code, ErrorCode::Cancelled);
    EXPECT_TRUE(wait_for([] { return count_down() == 0; }));
}

TEST_P(VncInput, AStopIsKnownWhereEventsAreSent) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform);
    std::stop_source stop;
    ASSERT_TRUE(platform->inject_unless_stopped(Key{"Shift_L", Edge::Press}, stop.get_token()));
    stop.request_stop();
    for (const InputEvent& event : std::vector<InputEvent>{PointerMove{{10, 10}}, PointerButton{MouseButton::Left, Edge::Press}, Wheel{0, 1}, Key{"a", Edge::Press}}) {
        const auto sent = platform->inject_unless_stopped(event, stop.get_token());
        ASSERT_FALSE(sent);
        EXPECT_EQ(sent.error().code, ErrorCode::Cancelled);
    }
    EXPECT_TRUE(wait_for([] { return count_down() == 1; }));
    EXPECT_TRUE(platform->inject_unless_stopped(Key{"Shift_L", Edge::Release}, stop.get_token())); // letting go is never refused
    EXPECT_TRUE(platform->inject(PointerMove{{20, 20}}));                                          // the stop was for those calls
    EXPECT_TRUE(wait_for([] { return count_down() == 0; }));
}

TEST_P(VncInput, NothingIsHeldAfterASignalOrAKillAtAnyMoment) {
    start_server(GetParam());
    auto generator = x11::seeded_generator();
    for (int round = 0, rounds = x11::count_of(50, 4); round < rounds; ++round) {
        const auto sign = folder() / ("at-work-" + std::to_string(round));
        start_app("holding_app", {sign.string(), attach_});
        ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(sign); }));
        ASSERT_TRUE(wait_for([] { return count_down() > 0; }));
        clock_.sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 150'000)(generator)), {}); // another moment each time
        ASSERT_EQ(::kill(newest_app_pid(), round % 2 == 0 ? SIGKILL : SIGINT), 0);
        ASSERT_TRUE(wait_for([&] { return newest_app_has_ended(); }));
        EXPECT_TRUE(wait_for([] { return count_down() == 0; }, 20)) << count_down() << " down in round " << round;
    }
}

INSTANTIATE_TEST_SUITE_P(Servers, VncInput, ::testing::Values(Server::TigerVnc, Server::X11Vnc),
                         [](const auto& param) { return param.param == Server::TigerVnc ? "TigerVnc" : "X11Vnc"; });

} // namespace
} // namespace handeye::vnc
