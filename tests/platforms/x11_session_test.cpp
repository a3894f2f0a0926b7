// SPDX-License-Identifier: Apache-2.0
// Settling, windows, programs, and what happens when a window or the whole display goes away.
#include "tests/platforms/x11_fixture.h"

#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

namespace handeye::x11 {
namespace {

constexpr SettleOptions kSettle{std::chrono::milliseconds(80), std::chrono::milliseconds(1500)};

/// Children of this process that ended and were not waited for.
int zombies() {
    const std::string ours = ") Z " + std::to_string(getpid()) + " ";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        if (std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())) == 0) {
            continue; // no process
        }
        std::ifstream file(entry.path() / "stat");
        const std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        count += stat.find(ours) != std::string::npos ? 1 : 0;
    }
    return count;
}

class X11Session : public X11Test {
protected:
    std::unique_ptr<Platform> open_painting(const std::string& mode, int busy_ms = 0, bool with_window_manager = true) {
        start_display(with_window_manager);
        start_app("paint_app", {mode, "100", "60", "300", "200", std::to_string(busy_ms)});
        auto platform = open();
        wait_for_window(*platform, "handeye paint");
        EXPECT_TRUE(wait_for([&] { // until the window's first picture is there
            const auto shot = platform->capture();
            return shot && shot->image.to_rgb().row(160)[3 * 250 + 2] == 77;
        }));
        return platform;
    }
};

TEST_F(X11Session, StillScreenIsQuietSoon) {
    const auto platform = open_painting("still");
    ASSERT_TRUE(platform->settle(kSettle, {}));
    ASSERT_TRUE(platform->capture());
    const auto settled = platform->settle(kSettle, {});
    ASSERT_TRUE(settled) << settled.error().message;
    EXPECT_TRUE(settled->is_quiet);
    EXPECT_FALSE(settled->has_changed);
    EXPECT_LT(settled->waited, std::chrono::milliseconds(600));
}

TEST_F(X11Session, SpinnerReachesTheDeadline) {
    const auto platform = open_painting("spinner");
    const auto settled = platform->settle(kSettle, {});
    ASSERT_TRUE(settled);
    EXPECT_FALSE(settled->is_quiet);
    EXPECT_TRUE(settled->has_changed);
    EXPECT_GE(settled->waited, kSettle.deadline);
    EXPECT_LT(settled->waited, kSettle.deadline + std::chrono::milliseconds(500));
}

TEST_F(X11Session, SpinnerOutsideTheTargetDoesNotCount) {
    const auto whole = open_painting("spinner");
    PlatformOptions options;
    options.region = Rect{600, 400, 100, 100};
    const auto platform = open(options);
    ASSERT_TRUE(platform->capture()); // before the first capture all is new
    const auto settled = platform->settle(kSettle, {});
    ASSERT_TRUE(settled);
    EXPECT_TRUE(settled->is_quiet);
    EXPECT_FALSE(settled->has_changed);
}

TEST_F(X11Session, LatePaintIsNotReadEarly) { // the application works for longer than `quiet` before it paints
    for (const bool with_window_manager : {true, false}) {
        const auto platform = open_painting("late", 100, with_window_manager);
        ASSERT_TRUE(platform->settle(kSettle, {}));
        const int rounds = count_of(500, 8);
        for (int round = 0; round < rounds && !HasFailure(); ++round) {
            ASSERT_TRUE(platform->capture());
            click(*platform, {250, 160});
            const auto settled = platform->settle({kSettle.quiet, std::chrono::seconds(10)}, {});
            ASSERT_TRUE(settled);
            EXPECT_TRUE(settled->is_quiet);
            EXPECT_TRUE(settled->has_changed);
            const auto shot = platform->capture();
            ASSERT_TRUE(shot);
            EXPECT_EQ(shot->image.to_rgb().row(160)[3 * 250 + 2], round % 2 == 0 ? 255 : 77) << "round " << round;
        }
    }
}

TEST_F(X11Session, SettlingStopsWhenAsked) {
    const auto platform = open_painting("spinner");
    std::stop_source stop;
    stop.request_stop();
    const auto settled = platform->settle(kSettle, stop.get_token());
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, ErrorCode::Cancelled);
}

TEST_F(X11Session, WindowsHaveTitleClassPlaceAndProcess) {
    for (const bool with_window_manager : {true, false}) {
        const auto platform = open_painting("still", 0, with_window_manager);
        const WindowInfo window = wait_for_window(*platform, "handeye paint Ünïcode");
        EXPECT_EQ(window.title_utf8, "handeye paint Ünïcode");
        EXPECT_EQ(window.window_class, "HandeyePaint");
        EXPECT_EQ(window.area.size(), (Size{300, 200}));
        EXPECT_EQ(window.pid, apps_.back()->pid());
    }
}

TEST_F(X11Session, FocusWindowMovesTheFocusByTitle) {
    for (const bool with_window_manager : {true, false}) {
        const auto platform = open_painting("still", 0, with_window_manager);
        start_app("xterm", {"-title", "other window"});
        wait_for_window(*platform, "other window");
        for (const std::string title : {"OTHER", "paint", "other"}) {
            const auto focused = platform->perform(FocusWindow{title});
            ASSERT_TRUE(focused) << focused.error().message;
            const auto windows = platform->windows();
            ASSERT_TRUE(windows);
            for (const WindowInfo& window : *windows) {
                EXPECT_EQ(window.is_focused, (window.title_utf8 == "other window") == (title != "paint")) << window.title_utf8;
            }
        }
    }
}

TEST_F(X11Session, MissingWindowIsNamedWithWhatThereIs) {
    const auto platform = open_painting("still");
    const auto focused = platform->perform(FocusWindow{"no such title"});
    ASSERT_FALSE(focused);
    EXPECT_EQ(focused.error().code, ErrorCode::NotFound);
    EXPECT_NE(focused.error().message.find("no such title"), std::string::npos);
    EXPECT_NE(focused.error().message.find("handeye paint"), std::string::npos);
    PlatformOptions options;
    options.window_title = "no such title";
    EXPECT_EQ(open_platform(options, clock_).error().code, ErrorCode::NotFound);
}

TEST_F(X11Session, WindowThatGoesAwayIsANamedError) {
    const auto whole = open_painting("still");
    PlatformOptions options;
    options.window_title = "handeye paint";
    const auto platform = open(options);
    ASSERT_TRUE(platform->capture());
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press}));
    apps_.clear();
    ASSERT_TRUE(wait_for([&] { return !platform->capture(); }));
    const auto shot = platform->capture();
    EXPECT_EQ(shot.error().code, ErrorCode::NotFound);
    EXPECT_NE(shot.error().message.find("window \"handeye paint Ünïcode\""), std::string::npos) << shot.error().message;
    EXPECT_FALSE(platform->inject(PointerMove{{1, 1}}));
    EXPECT_FALSE(platform->type_text("x", {}));
    EXPECT_TRUE(platform->release_all());
    EXPECT_TRUE(whole->capture()); // the display itself is fine
}

TEST_F(X11Session, KilledDisplayIsANamedErrorEverywhere) {
    const auto platform = open_painting("still");
    ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
    ASSERT_EQ(kill(display_->server_pid(), SIGKILL), 0);
    const auto expect_lost = [](const auto& result) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::Unavailable);
        EXPECT_NE(result.error().message.find("went away"), std::string::npos) << result.error().message;
    };
    ASSERT_TRUE(wait_for([&] { return !platform->capture(); }));
    expect_lost(platform->capture());
    expect_lost(platform->display());
    expect_lost(platform->windows());
    expect_lost(platform->pointer());
    expect_lost(platform->inject(PointerMove{{5, 5}}));
    expect_lost(platform->inject(Key{"a", Edge::Press}));
    expect_lost(platform->type_text("text", {}));
    expect_lost(platform->perform(FocusWindow{"x"}));
    expect_lost(platform->settle(kSettle, {}));
    expect_lost(platform->release_all());
    std::thread([&] { expect_lost(platform->release_all()); }).join(); // not only on the thread that saw it first
    release_all_platforms();
}

TEST_F(X11Session, KilledDisplayDuringTypingIsANamedError) {
    const auto platform = open_painting("still");
    click(*platform, {250, 160});
    const int server = display_->server_pid();
    std::thread killer([&] {
        clock_.sleep_for(std::chrono::milliseconds(30), {});
        kill(server, SIGKILL);
    });
    Result<TextResult> typed = TextResult{};
    ASSERT_TRUE(wait_for([&] {
        typed = platform->type_text(std::string(5000, 'x'), {});
        return !typed;
    }));
    killer.join();
    EXPECT_EQ(typed.error().code, ErrorCode::Unavailable) << typed.error().message;
}

TEST_F(X11Session, LaunchedProgramsRunOnTheDisplayWithoutAShell) {
    start_display(true);
    const auto platform = open();
    const auto file = folder() / "launched";
    const std::string program = std::string(HANDEYE_BINARY_DIR) + "/bin/event_log_app";
    ASSERT_TRUE(platform->perform(LaunchApp{{program, file.string()}}));
    EXPECT_TRUE(wait_for([&] { return content(file).starts_with("ready"); }));
    EXPECT_EQ(platform->perform(LaunchApp{{"no-such-program; echo x"}}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(platform->perform(LaunchApp{{}}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(X11Session, LaunchedProgramsLeaveNoZombie) {
    const std::string program = std::string(HANDEYE_BINARY_DIR) + "/bin/event_log_app";
    PlatformOptions options;
    options.headless = Size{640, 480};
    for (int round = 0; round < 3; ++round) {
        const auto file = folder() / ("launched" + std::to_string(round));
        const auto platform = open(options);
        ASSERT_TRUE(platform->perform(LaunchApp{{"false"}}));
        EXPECT_TRUE(wait_for([&] { return platform->launch_failure() == "ended with exit code 1"; }));
        EXPECT_EQ(zombies(), 0);
        ASSERT_TRUE(platform->perform(LaunchApp{{program, file.string()}}));
        EXPECT_TRUE(wait_for([&] { return content(file).starts_with("ready"); }));
        EXPECT_EQ(platform->launch_failure(), "");
    } // its display goes, and with it the program, after the platform has looked for the last time
    EXPECT_TRUE(wait_for([] { return zombies() == 0; })) << zombies();
}

TEST_F(X11Session, AProgramEndedBySomebodyElseIsReapedToo) {
    start_display(false);
    auto platform = open();
    const auto file = folder() / "group";
    ASSERT_TRUE(platform->perform(LaunchApp{{"sh", "-c", "echo $$ > " + file.string() + "; exec sleep 60"}}));
    ASSERT_TRUE(wait_for([&] { return content(file).ends_with("\n"); }));
    const pid_t group = std::stoi(content(file));
    platform.reset(); // the display is another one's: the program outlives the platform
    ASSERT_EQ(kill(-group, SIGKILL), 0);
    EXPECT_TRUE(wait_for([&] { return kill(group, 0) != 0; })) << zombies();
}

TEST_F(X11Session, WhatADesktopLacksIsUnsupported) {
    start_display(false);
    const auto platform = open();
    EXPECT_EQ(platform->perform(NavigateHome{}).error().code, ErrorCode::Unsupported);
    EXPECT_EQ(platform->perform(OpenUrl{"javascript:alert(1)"}).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(platform->perform(OpenUrl{"file:///etc/passwd"}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(X11Session, TypingWithoutAFocusedWindowIsRefused) {
    start_display(false);
    const auto platform = open();
    const auto typed = platform->type_text("into the void", {});
    ASSERT_TRUE(typed);
    EXPECT_EQ(typed->certainty, Certainty::Refused);
    EXPECT_EQ(typed->reason, "no window has the keyboard focus");
}

TEST_F(X11Session, ProgramsOnAHeadlessDisplayDoNotFade) {
    start_display(false);
    start_app("entry_app", {(folder() / "entry").string(), "settings"});
    ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(folder() / "entry"); }));
    EXPECT_EQ(content(folder() / "entry"), "animations off");
}

TEST_F(X11Session, HeadlessSessionOwnsItsDisplay) {
    std::string address;
    {
        PlatformOptions options;
        options.headless = Size{640, 480};
        const auto platform = open(options);
        const auto info = platform->display();
        ASSERT_TRUE(info);
        EXPECT_EQ(info->size, (Size{640, 480}));
        EXPECT_FALSE(info->authority_file.empty());
        address = info->address;
        ASSERT_TRUE(platform->capture());
        unsetenv("XAUTHORITY");
        EXPECT_FALSE(Connection::open({address, {}})) << "the display must ask for its cookie";
    }
    EXPECT_FALSE(std::filesystem::exists("/tmp/.X11-unix/X" + address.substr(1)));
}

} // namespace
} // namespace handeye::x11
