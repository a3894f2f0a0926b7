// SPDX-License-Identifier: Apache-2.0
// What a person's presses mean, and when text may have gone into a password field: pure, in simulated time.
#include "agent/gesture.h"
#include "agent/typed_where.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

using std::chrono::milliseconds;

class Hand : public testing::Test {
protected:
    void after(int ms) { now_ += milliseconds(ms); }
    void take(std::vector<Gesture> gestures) { done_.insert(done_.end(), gestures.begin(), gestures.end()); }
    void feed(decltype(PersonInput::what) what, Point at = {10, 10}, std::vector<std::string> held = {}) {
        take(reader_.feed({std::move(what), at, std::move(held), now_}));
        after(20);
    }
    void click(Point at, MouseButton button = MouseButton::Left, std::vector<std::string> held = {}) {
        feed(PersonButton{button, Edge::Press}, at, held);
        feed(PersonButton{button, Edge::Release}, at, held);
    }
    void press(const std::string& name, const std::string& text = "", std::vector<std::string> held = {}) {
        feed(PersonKey{name, text, Edge::Press, false, false}, {10, 10}, std::move(held));
    }
    std::vector<std::string> told() {
        take(reader_.finish());
        std::vector<std::string> out;
        for (const Gesture& gesture : done_) {
            out.push_back(to_canonical_json(gesture.action));
        }
        return out;
    }
    std::vector<std::string> actions(std::initializer_list<const char*> texts) { return {texts.begin(), texts.end()}; }

    GestureReader reader_;
    std::vector<Gesture> done_;
    TimePoint now_{std::chrono::hours(1)};
};

TEST_F(Hand, ClicksInOnePlaceAndTimeAreOneAction) {
    click({10, 10});
    click({12, 11});
    after(1000);
    click({10, 10});
    EXPECT_EQ(told(), actions({R"({"verb":"double_click","x":10,"y":10})", R"({"verb":"click","x":10,"y":10})"}));
}

TEST_F(Hand, TwoClicksApartAreTwo) {
    click({10, 10});
    click({60, 10});
    EXPECT_EQ(told().size(), 2U);
}

TEST_F(Hand, AClickIsOverOnlyWhenNoSecondOneCanFollow) {
    click({10, 10});
    take(reader_.expire(now_));
    EXPECT_TRUE(done_.empty());
    after(500);
    take(reader_.expire(now_));
    ASSERT_EQ(done_.size(), 1U);
    EXPECT_FALSE(reader_.is_open());
}

TEST_F(Hand, OtherButtonsLongPressesAndModifiers) {
    click({10, 10}, MouseButton::Right);
    click({10, 10}, MouseButton::Middle);
    click({10, 10}, MouseButton::Left, {"ctrl"});
    after(600);
    feed(PersonButton{MouseButton::Left, Edge::Press});
    after(980);
    feed(PersonButton{MouseButton::Left, Edge::Release});
    EXPECT_EQ(told(), actions({R"({"verb":"right_click","x":10,"y":10})", R"({"verb":"middle_click","x":10,"y":10})",
                               R"({"hold_keys":["ctrl"],"verb":"click","x":10,"y":10})", R"({"hold_ms":1000.0,"verb":"long_press","x":10,"y":10})"}));
}

TEST_F(Hand, APressThatMovesIsADrag) {
    feed(PersonButton{MouseButton::Left, Edge::Press}, {10, 10});
    feed(PersonButton{MouseButton::Left, Edge::Release}, {90, 40});
    const std::vector<std::string> drag = told();
    ASSERT_EQ(drag.size(), 1U);
    EXPECT_NE(drag[0].find(R"("verb":"drag")"), std::string::npos) << drag[0];
    EXPECT_NE(drag[0].find("90"), std::string::npos) << drag[0];
}

TEST_F(Hand, AButtonThatIsStillHeldDidNothing) {
    feed(PersonButton{MouseButton::Left, Edge::Press});
    EXPECT_TRUE(told().empty());
}

TEST_F(Hand, NotchesAddUp) {
    for (int i = 0; i < 3; ++i) {
        feed(Wheel{0, 1});
    }
    feed(Wheel{0, -1});
    const auto out = told();
    ASSERT_EQ(out.size(), 2U);
    EXPECT_NE(out[0].find(R"("amount":3)"), std::string::npos) << out[0];
    EXPECT_NE(out[0].find(R"("direction":"down")"), std::string::npos) << out[0];
    EXPECT_NE(out[1].find(R"("direction":"up")"), std::string::npos) << out[1];
}

TEST_F(Hand, SignsAreTextAndCorrectionsAreGone) {
    press("a", "A", {"shift"});
    press("d", "d");
    press("x", "\u00e9");
    press("BackSpace");
    press("a", "a");
    press("Return");
    take(reader_.finish());
    ASSERT_EQ(done_.size(), 2U);
    EXPECT_EQ(std::get<TypeText>(done_[0].action).text_utf8, "Ada");
    EXPECT_EQ(std::get<KeyChord>(done_[1].action).keys, std::vector<std::string>{"Return"});
}

TEST_F(Hand, AShortcutIsAKeyAndEndsTheText) {
    press("a", "a");
    press("s", "", {"ctrl"});
    press("b", "b");
    take(reader_.finish());
    ASSERT_EQ(done_.size(), 3U);
    EXPECT_EQ(std::get<KeyChord>(done_[1].action), (KeyChord{{"ctrl"}, {"s"}}));
}

TEST_F(Hand, ADeadKeyBeginsTheTextItBecomes) {
    const TimePoint began = now_;
    feed(PersonKey{"dead_acute", "", Edge::Press, false, true});
    press("e", "\u00e9");
    take(reader_.finish());
    ASSERT_EQ(done_.size(), 1U);
    EXPECT_EQ(std::get<TypeText>(done_[0].action).text_utf8, "\u00e9");
    EXPECT_EQ(done_[0].began, began);
}

TEST_F(Hand, ARepeatedKeyIsOneAction) {
    press("Down");
    press("Down");
    after(900);
    press("Down");
    take(reader_.finish());
    ASSERT_EQ(done_.size(), 2U);
    EXPECT_EQ(std::get<KeyChord>(done_[0].action).keys.size(), 2U);
}

TEST_F(Hand, BackspaceWithNothingToTakeBackIsAKey) {
    press("BackSpace");
    take(reader_.finish());
    ASSERT_EQ(done_.size(), 1U);
    EXPECT_EQ(std::get<KeyChord>(done_[0].action).keys, std::vector<std::string>{"BackSpace"});
}

// ---------------------------------------------------------------------------------------------------------------------------------

constexpr TimePoint at(int ms) { return TimePoint(std::chrono::seconds(10) + milliseconds(ms)); }

Element field(const std::string& label, bool is_focused, bool is_secret = false) {
    Element out;
    out.mark = 1;
    out.role = is_secret ? "password text" : "entry";
    out.label_utf8 = label;
    out.box = {10, is_secret ? 60 : 10, 100, 20};
    out.is_secret = is_secret;
    out.is_focused = is_focused;
    return out;
}

SeenScreen screen(std::vector<Element> elements, int begun_ms, int done_ms, int still_until_ms = 0) {
    SeenScreen out;
    out.elements = std::move(elements);
    out.focused_window = 7;
    out.begun = at(begun_ms);
    out.done = at(done_ms);
    out.still_until = at(std::max(done_ms, still_until_ms));
    return out;
}

/// Typed from 1000 to 2000, after the focus was moved at 0.
Typed typed() { return {at(1000), at(2000), at(0), std::nullopt, {0, 0, 200, 100}, 7}; }

TEST(TypedWhere, TextWithNoPasswordFieldInSightIsPlain) {
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", true)}, 100, 140, 990)}), Privacy::Plain);
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", true)}, 100, 140), screen({field("Name", true)}, 1100, 1140)}), Privacy::Plain);
}

TEST(TypedWhere, AFocusedPasswordFieldMakesItAPassword) {
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", false), field("Password", true, true)}, 100, 140, 990)}), Privacy::Password);
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", true)}, 100, 140, 990), screen({field("Password", true, true)}, 1500, 1540)}), Privacy::Password);
}

TEST(TypedWhere, BesideAPasswordFieldOnlyTheFocusElsewhereMakesItPlain) {
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", true), field("Password", false, true)}, 100, 140, 990)}), Privacy::Plain);
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", false), field("Password", false, true)}, 100, 140, 990)}), Privacy::Password);
}

TEST(TypedWhere, AScreenThatMayBeOutOfDateProvesNothing) {
    const SeenScreen old = screen({field("Name", true)}, 100, 140, 300); // 700 ms before the first key
    EXPECT_EQ(privacy_of(typed(), {old}), Privacy::Password);
    Typed after_a_click = typed();
    after_a_click.focus_since = at(120);
    EXPECT_EQ(privacy_of(after_a_click, {screen({field("Name", true)}, 100, 140, 990)}), Privacy::Password); // begun before the click
    SeenScreen hurried = screen({field("Name", true), field("Password", false, true)}, 1100, 1140);
    hurried.is_caught_up = false; // the program has not yet moved its focus
    EXPECT_EQ(privacy_of(typed(), {old, hurried}), Privacy::Password);
}

TEST(TypedWhere, AClickIntoAnotherFieldIsProofAndAButtonIsNot) {
    Typed clicked = typed();
    clicked.clicked = field("Name", false);
    const SeenScreen old = screen({field("Name", false), field("Password", true, true)}, -200, -100);
    EXPECT_EQ(privacy_of(clicked, {old}), Privacy::Plain);
    clicked.clicked->role = "push button";
    EXPECT_EQ(privacy_of(clicked, {old}), Privacy::Password);
    clicked.clicked = field("Password", false, true);
    EXPECT_EQ(privacy_of(clicked, {old}), Privacy::Password);
}

TEST(TypedWhere, AProgramThatMovesTheFocusOnIsBelievedMoreThanTheClick) {
    Typed clicked = typed();
    clicked.clicked = field("Name", true);
    EXPECT_EQ(privacy_of(clicked, {screen({field("Name", false), field("Password", true, true)}, 1100, 1140)}), Privacy::Password);
}

TEST(TypedWhere, AWindowThatTellsNothingIsUnknown) {
    EXPECT_EQ(privacy_of(typed(), {screen({}, 100, 140, 990)}), Privacy::Unknown);
    Element elsewhere = field("Name", true);
    elsewhere.box = {500, 500, 10, 10}; // of another window
    EXPECT_EQ(privacy_of(typed(), {screen({elsewhere}, 100, 140, 990)}), Privacy::Unknown);
}

TEST(TypedWhere, WhatOtherWindowsTellProvesNothing) {
    EXPECT_EQ(privacy_of(typed(), {screen({field("Name", false)}, 100, 140, 990)}), Privacy::Unknown); // behind a terminal that has the keyboard
    SeenScreen other = screen({field("Name", true)}, 100, 140, 990);
    other.focused_window = 8;
    EXPECT_NE(privacy_of(typed(), {other}), Privacy::Plain);
}

TEST(TypedWhere, AWindowThatTookTheKeyboardMeanwhileMakesItASecret) {
    const SeenScreen before = screen({field("Name", true)}, 100, 140, 990);
    SeenScreen during = screen({field("Name", false)}, 1500, 1540);
    during.focused_window = 8;
    EXPECT_EQ(privacy_of(typed(), {before, during}), Privacy::Password);
    Typed clicked = typed();
    clicked.clicked = field("Name", true);
    EXPECT_EQ(privacy_of(clicked, {before, during}), Privacy::Password);
    Typed nowhere = typed();
    nowhere.window_id = 0;
    EXPECT_NE(privacy_of(nowhere, {before}), Privacy::Plain);
}

TEST(TypedWhere, WhatComesUpAfterItsLastKeyWasReadIsAnotherStory) {
    Typed early = typed();
    early.ended = at(1300);
    const SeenScreen read = screen({field("Name", true), field("Password", false, true)}, 1350, 1390);
    SeenScreen other = screen({field("Name", true), field("Password", false, true)}, 1700, 1740);
    other.focused_window = 8;
    EXPECT_EQ(privacy_of(early, {read, other}), Privacy::Plain);
    EXPECT_EQ(privacy_of(early, {other}), Privacy::Password); // nobody looked in between
    SeenScreen hurried = read;
    hurried.is_caught_up = false;
    EXPECT_EQ(privacy_of(early, {hurried, other}), Privacy::Password);
    early.ended = at(1380); // the key came while that was read
    EXPECT_EQ(privacy_of(early, {read, other}), Privacy::Password);
}

TEST(TypedWhere, TheSameFieldHasTheSameName) {
    const auto name = [](bool is_focused) { return field_of_password(typed(), {screen({field("Password", is_focused, true)}, 100, 140, 990)}); };
    EXPECT_EQ(name(true), name(false));
    EXPECT_FALSE(name(true).empty());
    EXPECT_TRUE(field_of_password(typed(), {screen({field("Name", true)}, 100, 140, 990)}).empty());
}

} // namespace
} // namespace handeye
