// SPDX-License-Identifier: Apache-2.0
// Plans on a scripted screen: what is sent, what is said of it, and that nothing stays pressed.
#include "actions/execute.h"

#include "tests/fakes/fake_platform.h"
#include "tests/fakes/sim_clock.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

using fakes::Call;
using fakes::FakePlatform;

constexpr Size kSize{100, 80};

struct Desk {
    fakes::SimClock clock;
    FakePlatform platform{clock, {{fakes::solid_frame(kSize, 255, 255, 255)}, {fakes::solid_frame(kSize, 0, 0, 255)}}};

    Plan plan(const Action& action) { return *resolve(action, {kSize, kSize, {}}); }
    Result<ActionResult> run(const Action& action, std::stop_token stop = {}) {
        static_cast<void>(platform.capture());
        return execute(plan(action), platform, clock, {}, stop);
    }
};

Action click() {
    return Click{Spot{Units::Pixels, 50, 40, std::nullopt}, MouseButton::Left, 1, {}, {}, ""};
}
Action chord() {
    return KeyChord{{"ctrl", "shift"}, {"t"}};
}
Action typing(bool press_enter = false) {
    return TypeText{"Ada", std::nullopt, false, press_enter, ""};
}

TEST(Execute, SendsAllEventsAndReadsThePointerBack) {
    Desk desk;
    desk.platform.on_click(0, {0, 0, 100, 80}, 1);
    const auto result = desk.run(click());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->events_sent, 3);
    EXPECT_EQ(result->landed, (Point{50, 40}));
    EXPECT_EQ(result->route, "events");
    EXPECT_TRUE(result->settled.has_changed);
    EXPECT_EQ(result->certainty, Certainty::Unverifiable) << "a change is no proof of the wanted change";
    EXPECT_GE(result->input_time, std::chrono::milliseconds(40));
    EXPECT_GE(desk.platform.releases(), 1U);
}

TEST(Execute, SuspectsAClickThatChangedNothing) {
    Desk desk;
    const auto result = desk.run(click());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::SuspectedNoop);
    EXPECT_FALSE(result->reason.empty());
}

TEST(Execute, ExpectsNoChangeOfHoverAndWait) {
    Desk desk;
    EXPECT_EQ(desk.run(Hover{Spot{Units::Pixels, 5, 5, std::nullopt}, ""})->certainty, Certainty::Unverifiable);
    EXPECT_EQ(desk.run(Wait{})->certainty, Certainty::Unverifiable);
}

TEST(Execute, ConfirmsTextThatWasReadBack) {
    Desk desk;
    const auto result = desk.run(typing());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Confirmed);
    EXPECT_EQ(desk.platform.texts(), std::vector<std::string>{"Ada"});
}

TEST(Execute, DoesNotConfirmTextThatNobodyRead) {
    Desk desk;
    desk.platform.on_text(0, "Ada", 1);
    desk.platform.set_text_result(TextResult{Certainty::Unverifiable, "paste", 3, ""});
    const auto result = desk.run(typing());
    EXPECT_EQ(result->certainty, Certainty::Unverifiable);
    EXPECT_EQ(result->route, "paste");
}

TEST(Execute, PressesNoReturnAfterPartialText) {
    Desk desk;
    desk.platform.set_text_result(TextResult{Certainty::Partial, "keysyms", 1, "no key for U+1F600"});
    const auto result = desk.run(typing(true));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Partial);
    EXPECT_EQ(result->reason, "no key for U+1F600");
    EXPECT_TRUE(desk.platform.events().empty());
}

TEST(Execute, RefusalOfTheFirstEventIsARefusal) {
    Desk desk;
    desk.platform.fail_next(Call::Inject, {ErrorCode::InvalidArgument, "no such key"});
    const auto result = desk.run(chord());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Refused);
    EXPECT_EQ(result->reason, "no such key");
    EXPECT_EQ(result->events_sent, 0);
}

TEST(Execute, FailureAfterTheFirstEventIsPartialAndReleasesKeys) {
    Desk desk;
    std::size_t count = 0;
    desk.platform.set_before_inject([&](std::size_t) {
        if (++count == 3) {
            desk.platform.fail_next(Call::Inject, {ErrorCode::OutOfBounds, "outside"});
        }
    });
    const auto result = desk.run(chord());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Partial);
    EXPECT_EQ(result->reason, "outside");
    EXPECT_EQ(result->events_sent, 2);
    EXPECT_TRUE(desk.platform.held().empty());
}

TEST(Execute, PlatformThatWentAwayIsAnError) {
    for (const Call call : {Call::Inject, Call::Pointer, Call::Settle, Call::ReleaseAll}) {
        Desk desk;
        desk.platform.fail_next(call, {ErrorCode::Unavailable, "the display is gone"});
        const auto result = desk.run(click());
        ASSERT_FALSE(result.has_value()) << int(call);
        EXPECT_EQ(result.error().code, ErrorCode::Unavailable);
    }
}

TEST(Execute, StopsBeforeAnyEventAndReleases) {
    // A chord and a drag have many places to be stopped in; each must leave nothing down.
    for (const Action& action : {chord(), Action(Drag{Spot{Units::Pixels, 5, 5, std::nullopt}, Spot{Units::Pixels, 90, 70, std::nullopt}, {"shift"}, ""})}) {
        const std::size_t events = [&] {
            Desk desk;
            return static_cast<std::size_t>(desk.run(action)->events_sent);
        }();
        ASSERT_GT(events, 5U);
        for (std::size_t stop_at = 0; stop_at < events; ++stop_at) {
            Desk desk;
            std::stop_source stop;
            desk.platform.set_before_inject([&](std::size_t sent) {
                if (sent >= stop_at) {
                    stop.request_stop();
                }
            });
            const auto result = desk.run(action, stop.get_token());
            ASSERT_TRUE(result.has_value());
            EXPECT_LE(desk.platform.events().size(), stop_at + 1) << "an event after the stop";
            EXPECT_TRUE(desk.platform.held().empty()) << "stopped at " << stop_at;
            if (stop_at + 1 < events) {
                EXPECT_EQ(result->certainty, Certainty::Partial);
                EXPECT_EQ(result->reason, "stopped");
            }
        }
    }
}

TEST(Execute, SendsNothingWhenStoppedBefore) {
    Desk desk;
    std::stop_source stop;
    stop.request_stop();
    const auto result = desk.run(click(), stop.get_token());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Partial);
    EXPECT_TRUE(desk.platform.events().empty());
}

TEST(Execute, SaysWhenKeysCouldNotBeReleased) {
    Desk desk;
    desk.platform.fail_next(Call::ReleaseAll, {ErrorCode::IoFailed, "no answer"});
    const auto result = desk.run(click());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Partial);
    EXPECT_NE(result->reason.find("no answer"), std::string::npos);
}

TEST(Execute, UnsupportedCommandIsARefusal) {
    Desk desk;
    desk.platform.fail_next(Call::Perform, {ErrorCode::Unsupported, "no home here"});
    const auto result = desk.run(Navigate{Place::Home});
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->certainty, Certainty::Refused);
    EXPECT_EQ(result->reason, "no home here");
}

TEST(Execute, WordsNeedNoEvents) {
    Desk desk;
    const auto result = desk.run(Answer{"42", true});
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->events_sent, 0);
    EXPECT_TRUE(result->route.empty());
    EXPECT_TRUE(desk.platform.events().empty());
}

TEST(Execute, WaitsAtMostAMinute) {
    Desk desk;
    const TimePoint before = desk.clock.now();
    ASSERT_TRUE(desk.run(Wait{std::chrono::hours(5)}).has_value());
    EXPECT_LE(desk.clock.now() - before, std::chrono::seconds(65));
}

/// Text in pieces of four characters; the look before the piece with this number (from 0) says no.
Result<ActionResult> type_in_pieces(Desk& desk, const std::string& text, std::size_t no_at) {
    ExecuteOptions options;
    options.piece_characters = 4;
    options.before = [&desk, no_at](const Op&) {
        return desk.platform.texts().size() < no_at ? Result<void>() : Result<void>(Error{ErrorCode::Cancelled, "somebody else has the focus"});
    };
    return execute(desk.plan(TypeText{text, std::nullopt, false, false, ""}), desk.platform, desk.clock, options, {});
}

TEST(Execute, AsksBeforeEachPieceOfAText) {
    Desk desk;
    const auto result = type_in_pieces(desk, "abcd\u00e9fgh\nij", 2);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(desk.platform.texts(), (std::vector<std::string>{"abcd", "\u00e9fgh"}));
    EXPECT_EQ(result->certainty, Certainty::Partial);
    EXPECT_EQ(result->reason, "somebody else has the focus (after 8 characters)");
}

TEST(Execute, ATextWithASecretGoesWhole) {
    Desk desk;
    ASSERT_TRUE(type_in_pieces(desk, "abc\nde{{secret:mail}}fghij{", 99));
    EXPECT_EQ(desk.platform.texts(), (std::vector<std::string>{"abc\nde{{secret:mail}}fghij{"})) << "its names are looked up before any of it is typed";
}

TEST(Execute, HasLetGoWhenTheCallThatStopsItReturns) {
    Desk desk;
    std::stop_source stop;
    std::size_t held_after = 99;
    desk.platform.set_before_inject([&](std::size_t sent) {
        if (sent == 2) { // the button is down
            EXPECT_FALSE(desk.platform.held().empty());
            stop.request_stop();
            held_after = desk.platform.held().size();
        }
    });
    ASSERT_TRUE(desk.run(click(), stop.get_token()));
    EXPECT_EQ(held_after, 0U);
}

} // namespace
} // namespace handeye
