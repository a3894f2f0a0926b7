// SPDX-License-Identifier: Apache-2.0
// What is sent is what an application receives, in order; and nothing stays down.
#include "platforms/x11/input_gate.h"
#include "tests/platforms/random_input.h"
#include "tests/platforms/x11_fixture.h"

#include <array>
#include <bit>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace handeye::x11 {
namespace {

class X11Input : public X11Test {
protected:
    std::unique_ptr<Platform> open_logged(bool with_window_manager = false) {
        start_display(with_window_manager);
        start_app("event_log_app", {log_file().string()});
        EXPECT_TRUE(wait_for([&] { return content(log_file()).starts_with("ready\n"); }));
        return open();
    }
    /// Lines after "ready", once the last of them is `last`.
    std::vector<std::string> log_ending_with(const std::string& last) {
        std::vector<std::string> lines;
        EXPECT_TRUE(wait_for([&] {
            lines.clear();
            std::istringstream text(content(log_file()));
            for (std::string line; std::getline(text, line);) {
                lines.push_back(line);
            }
            return !lines.empty() && lines.back() == last;
        })) << "last: " << (lines.empty() ? "nothing" : lines.back()) << ", want " << last;
        lines.erase(lines.begin());
        return lines;
    }
    [[nodiscard]] std::filesystem::path log_file() const { return folder() / "log"; }

    /// Keys and buttons that the server has down.
    static int count_down() {
        const auto connection = Connection::open({});
        if (!connection) {
            return -1;
        }
        std::array<char, 32> keys{};
        XQueryKeymap((*connection)->get(), keys.data());
        ::Window root = 0, child = 0;
        int x = 0, y = 0;
        unsigned mask = 0;
        XQueryPointer((*connection)->get(), (*connection)->root(), &root, &child, &x, &y, &x, &y, &mask);
        int down = std::popcount(mask & (Button1Mask | Button2Mask | Button3Mask | Button4Mask | Button5Mask));
        for (const char byte : keys) {
            down += std::popcount(static_cast<unsigned char>(byte));
        }
        return down;
    }
};

TEST_F(X11Input, ClickArrivesAtItsPoint) {
    const auto platform = open_logged();
    click(*platform, {321, 123});
    const auto lines = log_ending_with("release 1 321 123");
    EXPECT_EQ(lines, (std::vector<std::string>{"motion 320 123 0", "motion 321 123 0", "press 1 321 123", "release 1 321 123"}));
}

TEST_F(X11Input, DragMovesWithTheButtonDownInOrder) {
    const auto platform = open_logged();
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

TEST_F(X11Input, WheelNotchesAreButtonClicksAtThePointer) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform->inject(PointerMove{{50, 60}}));
    ASSERT_TRUE(platform->inject(Wheel{0, 2}));
    ASSERT_TRUE(platform->inject(Wheel{-1, -1}));
    const auto lines = log_ending_with("release 6 50 60");
    EXPECT_EQ(std::vector<std::string>(lines.begin() + 2, lines.end()),
              (std::vector<std::string>{"press 5 50 60", "release 5 50 60", "press 5 50 60", "release 5 50 60", "press 4 50 60",
                                        "release 4 50 60", "press 6 50 60", "release 6 50 60"}));
}

TEST_F(X11Input, ChordHoldsItsModifiers) {
    const auto platform = open_logged();
    press_chord(*platform, {"Control_L", "Shift_L", "t"});
    EXPECT_EQ(log_ending_with("keyup Control_L 4"),
              (std::vector<std::string>{"keydown Control_L 0", "keydown Shift_L 4", "keydown T 5", "keyup T 5",
                                        "keyup Shift_L 5", "keyup Control_L 4"}));
}

TEST_F(X11Input, ShiftedSymbolBringsItsShift) {
    const auto platform = open_logged();
    press_chord(*platform, {"Control_L", "plus"});
    EXPECT_EQ(log_ending_with("keyup Control_L 4"),
              (std::vector<std::string>{"keydown Control_L 0", "keydown Shift_L 4", "keydown plus 5", "keyup plus 5",
                                        "keyup Shift_L 5", "keyup Control_L 4"}));
}

TEST_F(X11Input, KeyThatTheLayoutLacksIsBound) {
    const auto platform = open_logged();
    press_chord(*platform, {"ä"});
    EXPECT_EQ(log_ending_with("keyup adiaeresis 0"), (std::vector<std::string>{"keydown adiaeresis 0", "keyup adiaeresis 0"}));
}

TEST_F(X11Input, UnknownKeysAndPointsOutsideAreRefused) {
    const auto platform = open_logged();
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

TEST_F(X11Input, RandomEventsArriveExactly) {
    const auto platform = open_logged();
    const std::vector<std::string> want = send_random_events(*platform, seeded_generator(), {1024, 768}, count_of(10'000, 500));
    EXPECT_EQ(log_ending_with("keyup F12 0"), want);
}

TEST_F(X11Input, ReleaseAllLetsGoOfEverythingFromAnotherThread) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform->inject(Key{"Control_L", Edge::Press}));
    ASSERT_TRUE(platform->inject(Key{"a", Edge::Press}));
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Right, Edge::Press}));
    EXPECT_EQ(count_down(), 3);
    std::thread([&] { EXPECT_TRUE(platform->release_all()); }).join();
    EXPECT_EQ(count_down(), 0);
    EXPECT_TRUE(platform->release_all()); // safe to call twice
}

TEST_F(X11Input, ClosingAPlatformReleasesWhatItHolds) {
    {
        const auto platform = open_logged();
        ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
        ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press}));
        EXPECT_EQ(count_down(), 2);
    }
    EXPECT_EQ(count_down(), 0);
}

TEST_F(X11Input, NothingIsPressedAfterCloseAllInput) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
    close_all_input();
    EXPECT_EQ(count_down(), 0);
    const auto pressed = platform->inject(Key{"a", Edge::Press});
    ASSERT_FALSE(pressed);
    EXPECT_EQ(pressed.error().code, ErrorCode::Cancelled);
    EXPECT_EQ(count_down(), 0);
}

TEST_F(X11Input, AStopIsKnownWhereEventsAreSent) {
    const auto platform = open_logged();
    std::stop_source stop;
    ASSERT_TRUE(platform->inject_unless_stopped(Key{"Shift_L", Edge::Press}, stop.get_token()));
    stop.request_stop();
    for (const InputEvent& event : std::vector<InputEvent>{PointerMove{{10, 10}}, PointerButton{MouseButton::Left, Edge::Press}, Wheel{0, 1}, Key{"a", Edge::Press}}) {
        const auto sent = platform->inject_unless_stopped(event, stop.get_token());
        ASSERT_FALSE(sent);
        EXPECT_EQ(sent.error().code, ErrorCode::Cancelled);
    }
    EXPECT_EQ(count_down(), 1);
    EXPECT_TRUE(platform->inject_unless_stopped(Key{"Shift_L", Edge::Release}, stop.get_token())); // letting go is never refused
    EXPECT_TRUE(platform->inject(PointerMove{{20, 20}}));                                          // the stop was for those calls
}

TEST_F(X11Input, AFrozenScreenThawsByItself) {
    const auto platform = open_logged();
    const TimePoint begin = clock_.now();
    const auto frozen = platform->freeze();
    ASSERT_TRUE(frozen);
    EXPECT_EQ(count_down(), 0); // another program, which waits for the thaw
    EXPECT_GE(clock_.now() - begin, std::chrono::milliseconds(200));
}

TEST_F(X11Input, LettingGoDoesNotWaitForAFrozenScreen) {
    const auto platform = open_logged();
    ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
    const auto frozen = platform->freeze();
    ASSERT_TRUE(frozen);
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press})); // input is beyond the freeze
    std::thread([&] { EXPECT_TRUE(platform->release_all()); }).join();
    EXPECT_EQ(count_down(), 0); // and another program is heard again
}

TEST_F(X11Input, NothingIsHeldAfterAnInterruptAtAnyMoment) {
    start_display(true);
    auto generator = seeded_generator();
    const int rounds = count_of(200, 10);
    for (int round = 0; round < rounds; ++round) {
        const auto sign = folder() / ("at-work-" + std::to_string(round));
        start_app("holding_app", {sign.string()});
        ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(sign); }));
        clock_.sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 150'000)(generator)), {});
        const int pid = apps_.back()->pid();
        ASSERT_EQ(kill(pid, SIGINT), 0);
        const TimePoint stopped_at = clock_.now();
        ASSERT_TRUE(wait_for([&] { return apps_.back()->has_ended(); }));
        RecordProperty("stop_us", static_cast<int>((clock_.now() - stopped_at).count() / 1000));
        EXPECT_EQ(count_down(), 0) << "round " << round;
        apps_.clear();
    }
}

TEST_F(X11Input, GuardianReleasesWhatAKilledProcessHeld) {
    start_display(true);
    auto generator = seeded_generator();
    const int rounds = count_of(100, 5);
    for (int round = 0; round < rounds; ++round) {
        const auto sign = folder() / ("at-work-" + std::to_string(round));
        start_app("holding_app", {sign.string()});
        ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(sign); }));
        clock_.sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 150'000)(generator)), {});
        ASSERT_EQ(kill(apps_.back()->pid(), SIGKILL), 0);
        ASSERT_TRUE(wait_for([&] { return apps_.back()->has_ended(); }));
        EXPECT_TRUE(wait_for([] { return count_down() == 0; }, 5)) << count_down() << " down in round " << round;
        apps_.clear();
    }
}

/// The guardians that `parent` has, dead ones that nobody has reaped included.
std::vector<int> guardians_of(int parent) {
    std::vector<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "stat"); // "PID (NAME) STATE PARENT ..."
        std::string line;
        std::getline(file, line);
        const std::size_t end = line.rfind(')');
        int of = 0;
        if (end != std::string::npos && line.find("(handeye-guardia)") != std::string::npos && std::istringstream(line.substr(end + 3)) >> of && of == parent) {
            found.push_back(std::stoi(entry.path().filename()));
        }
    }
    return found;
}

TEST_F(X11Input, AGuardianThatWasKilledIsReplacedByOneThatKnowsWhatIsHeld) {
    start_display(true);
    auto generator = seeded_generator();
    for (int round = 0, rounds = count_of(50, 3); round < rounds; ++round) {
        const auto sign = folder() / ("at-work-" + std::to_string(round));
        start_app("holding_app", {sign.string()});
        ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(sign); }));
        const int pid = apps_.back()->pid();
        const std::vector<int> first = guardians_of(pid);
        ASSERT_EQ(first.size(), 1U);
        clock_.sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 50'000)(generator)), {}); // another moment each time
        ASSERT_EQ(kill(first.front(), SIGKILL), 0);
        ASSERT_TRUE(wait_for([&] { return guardians_of(pid).size() == 1 && guardians_of(pid) != first; })) << "round " << round;
        ASSERT_TRUE(wait_for([] { return count_down() > 0; }));
        ASSERT_EQ(kill(pid, SIGKILL), 0);
        ASSERT_TRUE(wait_for([&] { return apps_.back()->has_ended(); }));
        EXPECT_TRUE(wait_for([] { return count_down() == 0; }, 5)) << count_down() << " down in round " << round;
        apps_.clear();
    }
}

TEST_F(X11Input, AGuardianThatReadsNothingIsReplacedAndKeepsNobodyWaiting) {
    start_display(false);
    const auto platform = open();
    const std::vector<int> first = guardians_of(getpid());
    ASSERT_EQ(first.size(), 1U);
    ASSERT_EQ(kill(first.front(), SIGSTOP), 0);
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press}));
    for (int i = 0; i < 100'000 && guardians_of(getpid()) == first; i += 100) {
        for (int k = 0; k < 50; ++k) {
            press_chord(*platform, {"a"});
        }
    }
    EXPECT_EQ(guardians_of(getpid()).size(), 1U);
    EXPECT_NE(guardians_of(getpid()), first);
    ASSERT_TRUE(platform->release_all());
    EXPECT_EQ(count_down(), 0);
}

TEST_F(X11Input, NothingIsPressedThatNobodyWouldLetGo) {
    start_display(false);
    const std::filesystem::path bin = std::filesystem::path(HANDEYE_BINARY_DIR) / "bin";
    for (const char* const program : {"holding_app", "handeye-guardian"}) {
        std::filesystem::copy_file(bin / program, folder() / program);
    }
    const auto sign = folder() / "at-work";
    start_app(folder() / "holding_app", {sign.string()});
    ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(sign); }));
    std::filesystem::remove(folder() / "handeye-guardian");
    const std::vector<int> only = guardians_of(apps_.back()->pid());
    ASSERT_EQ(only.size(), 1U);
    ASSERT_EQ(kill(only.front(), SIGKILL), 0);
    EXPECT_TRUE(wait_for([&] { return apps_.back()->has_ended(); })) << "it ends when input is refused";
    EXPECT_EQ(count_down(), 0);
}

TEST_F(X11Input, AFullServerIsLeftToThePersonBeforeItIsFull) {
    start_display(false);
    const auto before = open();
    ASSERT_TRUE(before);
    std::vector<std::unique_ptr<Connection>> others;
    while (others.size() < 200) {
        auto other = Connection::open({});
        ASSERT_TRUE(other);
        others.push_back(std::move(*other));
    }
    std::vector<std::unique_ptr<Platform>> platforms;
    const auto another = [&] { return open_platform({}, clock_); };
    auto made = another();
    for (; made && platforms.size() < 10; made = another()) {
        platforms.push_back(std::move(*made));
    }
    ASSERT_FALSE(made);
    EXPECT_GE(platforms.size(), 1U);
    EXPECT_EQ(made.error().code, ErrorCode::Overloaded);
    EXPECT_NE(made.error().message.find("takes 256 clients"), std::string::npos) << made.error().message;
    for (int i = 0; i < 32; ++i) {
        auto other = Connection::open({});
        ASSERT_TRUE(other) << "only " << i << " places are left";
        others.push_back(std::move(*other));
    }
}

TEST_F(X11Input, AServerThatFillsUpMeanwhileIsAnError) {
    start_display(false);
    std::vector<std::unique_ptr<Connection>> others;
    for (auto other = Connection::open({}); other; other = Connection::open({})) {
        others.push_back(std::move(*other));
    }
    others.pop_back(); // room for the first of the gate's two connections
    const auto gate = InputGate::open({});
    ASSERT_FALSE(gate);
    EXPECT_EQ(gate.error().code, ErrorCode::Unavailable);
}

} // namespace
} // namespace handeye::x11
