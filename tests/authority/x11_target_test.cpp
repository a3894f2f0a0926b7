// SPDX-License-Identifier: Apache-2.0
// Buttons that move, swap, vanish and are covered while a model looks at them: it never hits another one than it saw.
#include "agent/session.h"
#include "base/json.h"
#include "platforms/x11/connection.h"
#include "tests/authority/seeing_model.h"
#include "tests/fakes/memory_sink.h"
#include "tests/platforms/x11_fixture.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace handeye::x11 {
namespace {

std::size_t count_lines(const std::string& text, const std::string& line) {
    std::size_t count = 0;
    for (std::size_t at = text.find(line + "\n"); at != std::string::npos; at = text.find(line + "\n", at + 1)) {
        ++count;
    }
    return count;
}

class X11Target : public X11Test {
protected:
    void start() {
        start_display(false, {800, 600});
        start_app("buttons_app", {(folder() / "log").string()});
        ASSERT_TRUE(wait_for([&] { return log().starts_with("ready"); }));
        platform_ = open();
        other_ = *Connection::open(display_->address());
        options_.settle = {.quiet = std::chrono::milliseconds(1), .deadline = std::chrono::milliseconds(5)};
        options_.budget.steps_max = 100'000;
        options_.budget.wall_max = std::chrono::hours(2);
        options_.budget.tokens_max = 1'000'000'000;
        const auto windows = platform_->windows();
        ASSERT_TRUE(windows);
        for (const WindowInfo& window : *windows) {
            buttons_ = window.title_utf8 == "handeye buttons" ? window.id : buttons_;
        }
        ASSERT_NE(buttons_, 0U);
    }
    [[nodiscard]] std::string log() const { return content(folder() / "log"); }
    void ask_for(char change, int after_ms) {
        XEvent event{};
        event.xclient.type = ClientMessage;
        event.xclient.window = buttons_;
        event.xclient.message_type = other_->atom("HANDEYE_CHANGE");
        event.xclient.format = 32;
        event.xclient.data.l[0] = change;
        event.xclient.data.l[1] = after_ms;
        XSendEvent(other_->get(), buttons_, 0, NoEventMask, &event);
        XFlush(other_->get());
    }
    /// Tasks of the naive model until it has answered so often. Whatever it believes, the loop goes on.
    void run(int answers, const std::function<void()>& while_thinking) {
        std::stop_source enough;
        SeeingModel model([&, count = 0]() mutable {
            if (++count > answers) {
                enough.request_stop();
            } else {
                while_thinking();
            }
        });
        auto session = Session::create(options_, *platform_, model, clock_, sink_);
        ASSERT_TRUE(session) << session.error().message;
        while (!enough.stop_requested()) {
            const auto report = (*session)->run_task("Click the red button.", enough.get_token());
            ASSERT_TRUE(report) << report.error().message;
            ASSERT_NE(report->outcome, TaskOutcome::Failed) << report->message;
        }
    }
    void expect_only_red() const {
        const std::string said = log();
        EXPECT_EQ(count_lines(said, "press blue"), 0U);
        EXPECT_EQ(count_lines(said, "press ground"), 0U);
        EXPECT_EQ(count_lines(said, "press cover"), 0U);
        EXPECT_GT(count_lines(said, "press red"), 0U);
    }

    std::unique_ptr<Platform> platform_;
    std::unique_ptr<Connection> other_;
    std::uint64_t buttons_ = 0;
    SessionOptions options_{.session_id = "01TEST"};
    fakes::MemorySink sink_;
};

// The swap comes 50 ms after the capture; the click falls anywhere from 50 ms before it to 50 ms after it.
TEST_F(X11Target, ButtonsThatSwapAfterTheCaptureAreNeverMistaken) {
    start();
    std::mt19937 random = seeded_generator();
    run(count_of(1000, 20), [&] {
        ask_for('s', 47);
        clock_.sleep_for(std::chrono::milliseconds(random() % 90), {});
    });
    EXPECT_GT(count_lines(log(), "change s"), 10U);
    run(3, [] {}); // where nothing changes it does click
    expect_only_red();
}

TEST_F(X11Target, ButtonsThatMoveOrAreCoveredLateOrMadeAnewAreNeverMistaken) {
    start();
    std::mt19937 random = seeded_generator();
    run(count_of(5000, 20), [&] {
        ask_for("mclr"[random() % 4], static_cast<int>(random() % 60));
        clock_.sleep_for(std::chrono::milliseconds(random() % 60), {});
    });
    run(3, [] {}); // where nothing changes it does click
    expect_only_red();
}

// The screen stands still from the look until the button is down: nobody waits for the light, or sends the pointer back to see it go out.
TEST_F(X11Target, AButtonThatLightsUpIsPressedAtOnce) {
    start();
    ask_for('h', 0);
    ASSERT_TRUE(wait_for([&] { return count_lines(log(), "change h") == 1; }));
    run(3, [] {});
    expect_only_red();
    EXPECT_EQ(count_lines(log(), "leave red"), 0U);
}

TEST_F(X11Target, WithoutTheLookAnotherButtonIsHit) {
    start();
    options_.checks_target = false;
    run(3, [&] {
        ask_for('s', 0);
        clock_.sleep_for(std::chrono::milliseconds(60), {});
    });
    EXPECT_GT(count_lines(log(), "press blue"), 0U);
}

TEST_F(X11Target, TheLookCostsAStillScreenLessThanSixtyMilliseconds) {
    start();
    const auto median_ms = [&] {
        sink_ = {};
        run(21, [] {});
        std::vector<double> times;
        for (const SessionEvent& event : sink_.of_type("action.executed")) {
            times.push_back(parse_json(event.data_json)->value("input_ms", 0.0));
        }
        EXPECT_FALSE(times.empty());
        std::sort(times.begin(), times.end());
        return times.empty() ? 0.0 : times[times.size() / 2];
    };
    const double with_look = median_ms();
    options_.checks_target = false;
    const double without = median_ms();
    EXPECT_GT(with_look, 0.0);
    EXPECT_LT(with_look - without, 60.0);
}

} // namespace
} // namespace handeye::x11
