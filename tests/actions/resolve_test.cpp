// SPDX-License-Identifier: Apache-2.0
// Actions to events: the chain of coordinates at its corners, and the shape of every gesture.
#include "actions/resolve.h"

#include <numeric>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Size kFullHd{1920, 1080};

Spot at(double x, double y, Units units = Units::Thousandths) {
    return {units, x, y, std::nullopt};
}
ResolveContext context(Size picture = kFullHd, Size target = kFullHd) {
    return {picture, target, {}};
}
Click click(Target target) {
    return {target, MouseButton::Left, 1, {}, {}, ""};
}

/// A plan as one readable line: "move 5,6 · pause 20 · press left ...".
std::string told(const Plan& plan, bool with_pauses = false) {
    std::vector<std::string> words;
    const auto edge = [](Edge e) { return e == Edge::Press ? "press" : "release"; };
    for (const Op& op : plan.ops) {
        if (const auto* pause = std::get_if<Pause>(&op)) {
            if (with_pauses) {
                words.push_back(fmt::format("pause {}", pause->duration / std::chrono::milliseconds(1)));
            }
        } else if (const auto* type = std::get_if<TypeOp>(&op)) {
            words.push_back("type " + type->text_utf8);
        } else if (const auto* command = std::get_if<Command>(&op)) {
            words.push_back(fmt::format("command {}", command->index()));
        } else {
            const InputEvent& event = std::get<InputEvent>(op);
            if (const auto* move = std::get_if<PointerMove>(&event)) {
                words.push_back(fmt::format("move {},{}", move->to.x, move->to.y));
            } else if (const auto* button = std::get_if<PointerButton>(&event)) {
                words.push_back(fmt::format("{} {}", edge(button->edge), int(button->button)));
            } else if (const auto* wheel = std::get_if<Wheel>(&event)) {
                words.push_back(fmt::format("wheel {},{}", wheel->right_notches, wheel->down_notches));
            } else {
                const Key& key = std::get<Key>(event);
                words.push_back(fmt::format("{} {}", edge(key.edge), key.keysym));
            }
        }
    }
    return fmt::format("{}", fmt::join(words, " "));
}

std::string told(const Result<Plan>& plan, bool with_pauses = false) {
    return plan ? told(*plan, with_pauses) : "error: " + plan.error().message;
}

Duration pauses_of(const Plan& plan) {
    return std::accumulate(plan.ops.begin(), plan.ops.end(), Duration{}, [](Duration sum, const Op& op) {
        const auto* pause = std::get_if<Pause>(&op);
        return pause != nullptr ? sum + pause->duration : sum;
    });
}

TEST(Resolve, KeepsTheCornersOnTheScreen) {
    const auto target = [](double x, double y, Size size) {
        return resolve(click(at(x, y)), context(size, size))->points[0].target.point;
    };
    EXPECT_EQ(target(0, 0, kFullHd), (Point{0, 0}));
    EXPECT_EQ(target(999, 999, kFullHd), (Point{1918, 1078}));
    EXPECT_EQ(target(1000, 1000, kFullHd), (Point{1919, 1079}));
    EXPECT_EQ(target(500, 500, kFullHd), (Point{960, 540}));
    EXPECT_EQ(target(1000, 1000, {1, 1}), (Point{0, 0}));
}

TEST(Resolve, ComputesPixelsInThePublishedOrder) {
    // int(x * (W / 1000.0)): another order of operations lands one pixel beside for some values.
    for (const int width : {336, 1080, 1280, 1366, 1920, 2560}) {
        for (int x = 0; x <= 1000; ++x) {
            const int want = std::min(static_cast<int>(x * (width / 1000.0)), width - 1);
            ASSERT_EQ(resolve(click(at(x, 0)), context({width, 10}, {width, 10}))->points[0].target.point.x, want) << x << " of " << width;
        }
    }
}

TEST(Resolve, MapsThroughAScaledPicture) {
    const auto plan = resolve(click(at(999, 250)), context({960, 540}, kFullHd));
    ASSERT_TRUE(plan.has_value());
    const CoordinateChain& chain = plan->points.at(0);
    EXPECT_EQ(chain.model, at(999, 250));
    EXPECT_EQ(chain.image, (FramePoint{{959, 135}, {960, 540}}));
    EXPECT_EQ(chain.target, (FramePoint{{1918, 270}, kFullHd})); // from the thousandths, not from the rounded picture
}

TEST(Resolve, TakesPixelsAsTheyAre) {
    const auto plan = resolve(click(at(1919, 1079, Units::Pixels)), context({960, 540}, kFullHd));
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan->points[0].target.point, (Point{1919, 1079}));
    EXPECT_EQ(plan->points[0].image.point, (Point{959, 539}));
}

TEST(Resolve, RefusesPlacesOutside) {
    for (const Spot& spot : {at(-1, 5), at(5, 1000.5), at(1e300, 5), at(std::nan(""), 5), at(1920, 5, Units::Pixels), at(5, 1080, Units::Pixels),
                             at(-0.5, 5, Units::Pixels)}) {
        const auto plan = resolve(click(spot), context());
        ASSERT_FALSE(plan.has_value()) << spot.x << "," << spot.y;
        EXPECT_EQ(plan.error().code, ErrorCode::OutOfBounds);
    }
    EXPECT_NE(resolve(click(at(1931, 40, Units::Pixels)), context()).error().message.find("(1931, 40) lies outside the 1920x1080"),
              std::string::npos);
}

TEST(Resolve, RefusesAnEmptyScreen) {
    EXPECT_FALSE(resolve(click(at(5, 5)), context({0, 0}, kFullHd)).has_value());
    EXPECT_FALSE(resolve(click(at(5, 5)), context(kFullHd, {0, 1080})).has_value());
}

TEST(Resolve, FindsTheMiddleOfAMark) {
    const std::vector<Element> elements{{7, "button", "Save", {100, 50, 40, 20}, false}, {8, "link", "", {1900, 0, 100, 20}, false},
                                        {9, "link", "", {5000, 0, 10, 20}, false}};
    ResolveContext with_marks = context({960, 540});
    with_marks.elements = elements;
    EXPECT_EQ(resolve(click(Mark{7}), with_marks)->points[0].target.point, (Point{120, 60}));
    EXPECT_EQ(resolve(click(Mark{7}), with_marks)->points[0].image.point, (Point{60, 30}));
    EXPECT_EQ(resolve(click(Mark{8}), with_marks)->points[0].target.point, (Point{1910, 10})); // of its visible part
    EXPECT_EQ(resolve(click(Mark{9}), with_marks).error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(resolve(click(Mark{3}), with_marks).error().code, ErrorCode::NotFound);
    EXPECT_EQ(resolve(click(Mark{0}), context()).error().code, ErrorCode::NotFound);
}

TEST(Resolve, ClicksOnceWithThePointerThere) {
    EXPECT_EQ(told(resolve(click(at(500, 500)), context()), true), "move 960,540 pause 20 press 0 pause 20 release 0");
}

TEST(Resolve, ClicksTwiceWithinTheToolkitsTime) {
    Click twice = click(at(500, 500));
    twice.count = 2;
    const auto plan = resolve(twice, context());
    EXPECT_EQ(told(plan), "move 960,540 press 0 release 0 press 0 release 0");
    EXPECT_EQ(told(plan, true), "move 960,540 pause 20 press 0 pause 20 release 0 pause 80 press 0 pause 20 release 0");
    twice.count = 3;
    EXPECT_EQ(told(resolve(twice, context())), "move 960,540 press 0 release 0 press 0 release 0 press 0 release 0");
    twice.count = 4;
    EXPECT_EQ(resolve(twice, context()).error().code, ErrorCode::InvalidArgument);
}

TEST(Resolve, HoldsKeysAroundTheClick) {
    Click held = click(at(500, 500));
    held.button = MouseButton::Right;
    held.hold_keys = {"ctrl", "shift"};
    EXPECT_EQ(told(resolve(held, context()), true),
              "press Control_L press Shift_L pause 100 move 960,540 pause 20 press 2 pause 20 release 2 pause 100 "
              "release Shift_L release Control_L");
    held.hold_keys = {"a"};
    EXPECT_EQ(resolve(held, context()).error().code, ErrorCode::InvalidArgument);
    held.hold_keys = {"florp"};
    EXPECT_EQ(resolve(held, context()).error().code, ErrorCode::NotFound);
}

TEST(Resolve, HoldsALongPress) {
    Click press = click(at(500, 500));
    press.hold = std::chrono::milliseconds(1000);
    EXPECT_EQ(told(resolve(press, context()), true), "move 960,540 pause 20 press 0 pause 1000 release 0");
    press.hold = std::chrono::hours(1);
    EXPECT_LE(pauses_of(*resolve(press, context())), kHoldMax + std::chrono::seconds(1));
    press.count = 2;
    EXPECT_EQ(resolve(press, context()).error().code, ErrorCode::InvalidArgument);
}

TEST(Resolve, HoversWithTwoMotions) {
    EXPECT_EQ(told(resolve(Hover{at(500, 500), ""}, context())), "move 959,540 move 960,540");
    EXPECT_EQ(told(resolve(Hover{at(0, 0), ""}, context())), "move 1,0 move 0,0");
}

TEST(Resolve, DragsInManySmallMotions) {
    const auto plan = resolve(Drag{at(100, 100), at(900, 100), {}, ""}, context());
    ASSERT_TRUE(plan.has_value());
    const std::string story = told(*plan);
    EXPECT_TRUE(story.starts_with("move 192,108 press 0 move ")) << story;
    EXPECT_TRUE(story.ends_with("move 1728,108 release 0")) << story;
    std::size_t moves = 0;
    for (std::size_t i = story.find("move"); i != std::string::npos; i = story.find("move", i + 1)) {
        ++moves;
    }
    EXPECT_GE(moves, 11U);
    EXPECT_GE(pauses_of(*plan), std::chrono::milliseconds(300));
    EXPECT_LE(pauses_of(*plan), std::chrono::milliseconds(1200));
    EXPECT_EQ(plan->points.size(), 2U);
    EXPECT_GE(resolve(Drag{at(5, 5), at(5, 5), {}, ""}, context())->ops.size(), 20U) << "even a drag to the same place moves";
}

TEST(Resolve, TurnsTheWheelAtItsPlace) {
    EXPECT_EQ(told(resolve(Scroll{at(500, 500), Direction::Down, 2, 0}, context())), "move 960,540 wheel 0,1 wheel 0,1");
    EXPECT_EQ(told(resolve(Scroll{at(500, 500), Direction::Up, 1, 0}, context())), "move 960,540 wheel 0,-1");
    EXPECT_EQ(told(resolve(Scroll{at(500, 500), Direction::Left, 1, 0}, context())), "move 960,540 wheel -1,0");
    EXPECT_EQ(told(resolve(Scroll{at(500, 500), Direction::Right, 1, 0}, context())), "move 960,540 wheel 1,0");
    EXPECT_EQ(told(resolve(Scroll{std::nullopt, Direction::Down, 1, 0}, context())), "move 960,540 wheel 0,1");
}

TEST(Resolve, TurnsAShareOfTheViewIntoNotches) {
    const auto notches = [](double share) { return resolve(Scroll{std::nullopt, Direction::Down, 5, share}, context())->ops.size() / 2; };
    EXPECT_EQ(notches(0.5), 5U); // 540 of 1080 pixels, 100 a notch
    EXPECT_EQ(notches(0.001), 1U);
    EXPECT_EQ(notches(1e6), std::size_t{kNotchesMax});
}

TEST(Resolve, BoundsTheWheel) {
    EXPECT_EQ(resolve(Scroll{std::nullopt, Direction::Down, 0, 0}, context()).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(resolve(Scroll{std::nullopt, Direction::Down, -3, 0}, context()).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(resolve(Scroll{std::nullopt, Direction::Down, kNotchesMax + 1, 0}, context()).error().code, ErrorCode::LimitExceeded);
}

TEST(Resolve, SwipesWithTheWheelInTheOppositeSense) {
    EXPECT_TRUE(told(resolve(Swipe{at(500, 500), Direction::Up}, context())).ends_with("wheel 0,1"));
    EXPECT_TRUE(told(resolve(Swipe{at(500, 500), Direction::Down}, context())).ends_with("wheel 0,-1"));
    EXPECT_TRUE(told(resolve(Swipe{at(500, 500), Direction::Left}, context())).ends_with("wheel 1,0"));
    EXPECT_TRUE(told(resolve(Swipe{std::nullopt, Direction::Right}, context())).ends_with("wheel -1,0"));
}

TEST(Resolve, SwipesToAPointAsAFingerDoes) {
    const auto plan = resolve(Swipe{at(500, 800), Direction::Up, at(500, 200)}, context());
    const std::string line = told(plan);
    EXPECT_TRUE(line.starts_with("move 960,864 press 0 move 960,")) << line;
    EXPECT_TRUE(line.ends_with("move 960,216 release 0")) << line; // let go of at once
    ASSERT_EQ(plan->points.size(), 2U);
    EXPECT_EQ(plan->points[1].target.point, (Point{960, 216}));
    EXPECT_GE(pauses_of(*plan), std::chrono::milliseconds(900)); // nothing is flung
    EXPECT_EQ(resolve(Swipe{at(500, 800), Direction::Up, at(500, 1200)}, context()).error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(resolve(Swipe{std::nullopt, Direction::Up, at(500, 200)}, context()).error().code, ErrorCode::InvalidArgument);
}

TEST(Resolve, TypesIntoAPlace) {
    EXPECT_EQ(told(resolve(TypeText{"Ada", at(500, 500), true, true, ""}, context())),
              "move 960,540 press 0 release 0 press Control_L press a release a release Control_L press BackSpace release BackSpace "
              "type Ada press Return release Return");
    EXPECT_EQ(told(resolve(TypeText{"Ada", std::nullopt, false, false, ""}, context())), "type Ada");
    EXPECT_EQ(told(resolve(TypeText{"", std::nullopt, true, false, ""}, context())),
              "press Control_L press a release a release Control_L press BackSpace release BackSpace");
}

TEST(Resolve, TypesEveryLineBreakAsOne) {
    EXPECT_EQ(told(resolve(TypeText{"a\r\nb\rc\nd", std::nullopt, false, false, ""}, context())), "type a\nb\nc\nd");
}

TEST(Resolve, BoundsTheText) {
    const auto type = [](std::string text) { return resolve(TypeText{std::move(text), std::nullopt, false, false, ""}, context()); };
    EXPECT_TRUE(type(std::string(kTextBytesMax, 'a')).has_value());
    EXPECT_EQ(type(std::string(kTextBytesMax + 1, 'a')).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(type("a\x1b[31m").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(type(std::string(1, '\0')).error().code, ErrorCode::InvalidArgument);
    EXPECT_TRUE(type("a\n\tb").has_value());
}

TEST(Resolve, PressesChordsInOrder) {
    EXPECT_EQ(told(resolve(KeyChord{{"ctrl", "shift"}, {"t"}}, context())),
              "press Control_L press Shift_L press t release t release Shift_L release Control_L");
    EXPECT_EQ(told(resolve(KeyChord{{"ctrl"}, {"tab", "tab"}}, context())),
              "press Control_L press Tab release Tab press Tab release Tab release Control_L");
    EXPECT_EQ(told(resolve(KeyChord{{"ctrl"}, {"plus"}}, context())), "press Control_L press plus release plus release Control_L");
    EXPECT_EQ(told(resolve(KeyChord{{}, {"A"}}, context())), "press Shift_L press a release a release Shift_L");
    EXPECT_EQ(told(resolve(KeyChord{{}, {"super"}}, context())), "press Super_L release Super_L");
    EXPECT_EQ(resolve(KeyChord{{}, {"florp"}}, context()).error().code, ErrorCode::NotFound);
    EXPECT_EQ(resolve(KeyChord{{"a"}, {"b"}}, context()).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(resolve(KeyChord{{"ctrl"}, {}}, context()).error().code, ErrorCode::InvalidArgument);
}

TEST(Resolve, BoundsAWait) {
    EXPECT_EQ(told(resolve(Wait{std::chrono::seconds(5)}, context()), true), "pause 5000");
    EXPECT_EQ(told(resolve(Wait{std::chrono::hours(2)}, context()), true), "pause 60000");
    EXPECT_EQ(resolve(Wait{std::chrono::seconds(-1)}, context()).error().code, ErrorCode::InvalidArgument);
}

TEST(Resolve, SendsCommands) {
    EXPECT_EQ(std::get<LaunchApp>(std::get<Command>(resolve(OpenApp{"Files"}, context())->ops.at(0))).argv, std::vector<std::string>{"Files"});
    EXPECT_EQ(resolve(OpenApp{""}, context()).error().code, ErrorCode::InvalidArgument);
    EXPECT_TRUE(std::holds_alternative<NavigateBack>(std::get<Command>(resolve(Navigate{Place::Back}, context())->ops.at(0))));
    EXPECT_TRUE(std::holds_alternative<NavigateHome>(std::get<Command>(resolve(Navigate{Place::Home}, context())->ops.at(0))));
    EXPECT_EQ(std::get<OpenUrl>(std::get<Command>(resolve(Navigate{Place::SearchPage}, context())->ops.at(0))).url, "https://www.bing.com/");
}

TEST(Resolve, PlansNothingForWords) {
    EXPECT_TRUE(resolve(Answer{"a", true}, context())->ops.empty());
    EXPECT_TRUE(resolve(AskUser{"a"}, context())->ops.empty());
    EXPECT_TRUE(resolve(Finish{}, context())->ops.empty());
}

} // namespace
} // namespace handeye
