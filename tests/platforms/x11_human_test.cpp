// SPDX-License-Identifier: Apache-2.0
// Other people's input on a display of the test's own: heard at once, and told from what the platform itself sends.
#include "platforms/person_input.h"
#include "platforms/x11/connection.h"
#include "tests/platforms/x11_fixture.h"
#include "tests/platforms/xtest_hand.h"

#include <atomic>
#include <latch>
#include <mutex>

namespace handeye::x11 {
namespace {

class X11Human : public X11Test {
protected:
    void watch(Platform& platform) {
        const auto watched = platform.watch_person({"ctrl+alt+escape", [this](PersonAct act) {
                                                        const std::lock_guard lock(mutex_);
                                                        heard_.push_back(act);
                                                        heard_at_ = clock_.now();
                                                    }});
        ASSERT_TRUE(watched) << watched.error().message;
    }
    std::size_t count(PersonAct act) {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count(heard_.begin(), heard_.end(), act));
    }
    std::size_t all() {
        const std::lock_guard lock(mutex_);
        return heard_.size();
    }

    std::mutex mutex_;
    std::vector<PersonAct> heard_;
    TimePoint heard_at_{};
};

TEST_F(X11Human, OurOwnInputIsNobodyElses) {
    start_display(true);
    const auto platform = open();
    watch(*platform);
    for (int i = 0; i < 20; ++i) {
        click(*platform, {100 + i * 10, 200});
        ASSERT_TRUE(platform->type_text("Ada \u00e9!", {}));
        press_chord(*platform, {"Control_L", "Alt_L", "Escape"});
    }
    ASSERT_TRUE(platform->settle({}, {}));
    EXPECT_EQ(all(), 0U);
}

TEST_F(X11Human, AnotherClientsEventIsHeardWithinAHundredMilliseconds) {
    start_display(true);
    const auto platform = open();
    watch(*platform);
    click(*platform, {100, 200});
    auto other = Connection::open(display_->address());
    ASSERT_TRUE(other);
    const TimePoint sent = clock_.now();
    XTestFakeMotionEvent((*other)->get(), -1, 300, 300, CurrentTime);
    ASSERT_TRUE((*other)->sync("test"));
    ASSERT_TRUE(wait_for([&] { return count(PersonAct::Pointer) > 0; }));
    EXPECT_LT(heard_at_ - sent, std::chrono::milliseconds(100));
    XTestFakeButtonEvent((*other)->get(), 1, 1, CurrentTime);
    XTestFakeButtonEvent((*other)->get(), 1, 0, CurrentTime);
    ASSERT_TRUE((*other)->sync("test"));
    EXPECT_TRUE(wait_for([&] { return count(PersonAct::Button) == 1; }));
}

TEST_F(X11Human, TheHotKeyIsHeardFromAnyoneButUs) {
    start_display(true);
    const auto platform = open();
    watch(*platform);
    const auto other = open();
    press_chord(*other, {"Control_L", "Escape"});
    press_chord(*other, {"Control_L", "Alt_L", "Escape"});
    EXPECT_TRUE(wait_for([&] { return count(PersonAct::KillSwitch) == 1; }));
}

/// All that is told of what a hand does.
class X11Follow : public X11Test {
protected:
    void SetUp() override { follow(true); }
    void follow(bool with_window_manager) {
        start_display(with_window_manager);
        eyes_ = open();
        const auto followed = eyes_->follow_person({[this](const PersonInput& input) {
            if (is_slow_ && !is_first_.test_and_set()) {
                may_go_on_.wait();
            }
            const std::lock_guard lock(mutex_);
            heard_.push_back(input);
        }});
        ASSERT_TRUE(followed) << followed.error().message;
        hand_ = open();
    }
    template <class Kind>
    std::vector<PersonInput> all_of() {
        const std::lock_guard lock(mutex_);
        std::vector<PersonInput> out;
        std::copy_if(heard_.begin(), heard_.end(), std::back_inserter(out), [](const PersonInput& input) { return std::holds_alternative<Kind>(input.what); });
        return out;
    }
    std::string typed() {
        std::string out;
        for (const PersonInput& input : all_of<PersonKey>()) {
            out += std::get<PersonKey>(input.what).text_utf8;
        }
        return out;
    }

    std::mutex mutex_;
    std::vector<PersonInput> heard_;
    std::atomic<bool> is_slow_ = false; ///< the thread that tells of input gets no turn, from the first on until it may go on
    std::atomic_flag is_first_;
    std::latch may_go_on_{1};
    std::unique_ptr<Platform> eyes_;
    std::unique_ptr<Platform> hand_;
};

TEST_F(X11Follow, AButtonIsToldWithThePlaceItHadThen) {
    const TimePoint before = clock_.now();
    for (const Point at : {Point{100, 200}, Point{300, 400}}) { // nobody waits in between
        click(*hand_, at);
    }
    ASSERT_TRUE(wait_for([&] { return all_of<PersonButton>().size() == 4; }));
    const std::vector<PersonInput> heard = all_of<PersonButton>();
    EXPECT_EQ(heard[0].at, (Point{100, 200}));
    EXPECT_EQ(heard[2].at, (Point{300, 400}));
    EXPECT_EQ(std::get<PersonButton>(heard[2].what).edge, Edge::Press);
    EXPECT_GE(heard[0].time, before);
    EXPECT_LE(heard[3].time, clock_.now());
}

TEST_F(X11Follow, KeysTellWhatTheyTypeInWhateverLayout) {
    const std::string text = "Ada L\u00f6we, 12 \u20ac: \u4e16\u754c!";
    ASSERT_TRUE(hand_->type_text(text, {}));
    EXPECT_TRUE(wait_for([&] { return typed() == text; })) << typed();
}

TEST_F(X11Follow, AShortcutIsNoText) {
    press_chord(*hand_, {"Control_L", "Shift_L", "s"});
    ASSERT_TRUE(wait_for([&] { return all_of<PersonKey>().size() == 6; }));
    const PersonInput s = all_of<PersonKey>()[2];
    EXPECT_EQ(std::get<PersonKey>(s.what).name, "s");
    EXPECT_EQ(s.held, (std::vector<std::string>{"ctrl", "shift"}));
    EXPECT_EQ(typed(), "");
    EXPECT_TRUE(std::get<PersonKey>(all_of<PersonKey>()[0].what).is_modifier);
}

TEST_F(X11Follow, DeadKeysAndComposeArePutTogether) {
    auto other = Connection::open(display_->address());
    ASSERT_TRUE(other);
    ::Display* const display = (*other)->get();
    int low = 0, high = 0;
    XDisplayKeycodes(display, &low, &high);
    const auto press = [&](KeySym keysym) {
        KeyCode code = XKeysymToKeycode(display, keysym);
        if (code == 0) { // on the last key of the keyboard, which has none
            code = static_cast<KeyCode>(high);
            XChangeKeyboardMapping(display, code, 1, &keysym, 1);
            XSync(display, 0);
        }
        XTestFakeKeyEvent(display, code, 1, CurrentTime);
        XTestFakeKeyEvent(display, code, 0, CurrentTime);
        XSync(display, 0);
    };
    press(XK_dead_acute);
    press(XK_e);
    EXPECT_TRUE(wait_for([&] { return typed() == "\u00e9"; })) << typed();
    ASSERT_FALSE(all_of<PersonKey>().empty());
    EXPECT_TRUE(std::get<PersonKey>(all_of<PersonKey>().front().what).is_composing);
    press(XK_Multi_key);
    press(XK_a);
    press(XK_e);
    EXPECT_TRUE(wait_for([&] { return typed() == "\u00e9\u00e6"; })) << typed();
    press(XK_dead_acute);
    press(XK_x); // no such character: nothing arrives, and nothing is told of it as a key by itself
    press(XK_a);
    EXPECT_TRUE(wait_for([&] { return typed() == "\u00e9\u00e6" "a"; })) << typed();
    for (const PersonInput& input : all_of<PersonKey>()) {
        const auto& key = std::get<PersonKey>(input.what);
        EXPECT_TRUE(key.edge == Edge::Release || key.is_composing || !key.text_utf8.empty()) << key.name;
    }
}

// The server drops what RECORD has for a client whose socket is full: after some hundred events that nobody reads.
TEST_F(X11Follow, NoKeyIsLostThoughNobodyListensForAWhile) {
    is_slow_ = true;
    XTestHand person(display_->address());
    std::string text;
    for (int i = 0; i < 1000; ++i) {
        text += static_cast<char>((i % 9 == 0 ? 'A' : 'a') + i * 7 % 26);
    }
    person.type(text);
    may_go_on_.count_down();
    EXPECT_TRUE(wait_for([&] { return typed().size() >= text.size(); })) << typed().size();
    EXPECT_EQ(typed(), text);
    const std::vector<PersonInput> heard = all_of<PersonKey>();
    EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end(), [](const PersonInput& a, const PersonInput& b) { return a.time < b.time; }));
    person.type("and the rest");
    EXPECT_TRUE(wait_for([&] { return typed() == text + "and the rest"; })) << typed();
}

class X11FollowAlone : public X11Follow {
protected:
    void SetUp() override { follow(false); } // clicks that nobody else is told of, or the server would write in another order
};

TEST_F(X11FollowAlone, WhatIsLostOfTheMouseIsCounted) {
    constexpr int kClicks = 1000;
    is_slow_ = true;
    XTestHand person(display_->address());
    for (int i = 0; i < kClicks; ++i) {
        person.press(1);
        person.release(1);
    }
    may_go_on_.count_down();
    const auto lost = [&] {
        int events = 0;
        for (const PersonInput& input : all_of<PersonLost>()) {
            events += std::get<PersonLost>(input.what).events;
        }
        return events;
    };
    const auto told = [&] { return static_cast<int>(all_of<PersonButton>().size()); };
    EXPECT_TRUE(wait_for([&] { return told() + lost() >= 2 * kClicks; })) << told() << " and " << lost();
    EXPECT_EQ(told() + lost(), 2 * kClicks);
    EXPECT_GT(told(), 100);
    EXPECT_GT(lost(), 0) << "else this display loses nothing, and the test proves nothing";
}

TEST_F(X11Follow, NotchesAreToldInTheirDirection) {
    ASSERT_TRUE(hand_->inject(Wheel{0, 1}));
    ASSERT_TRUE(hand_->inject(Wheel{-1, 0}));
    ASSERT_TRUE(wait_for([&] { return all_of<Wheel>().size() == 2; }));
    EXPECT_EQ(std::get<Wheel>(all_of<Wheel>()[0].what).down_notches, 1);
    EXPECT_EQ(std::get<Wheel>(all_of<Wheel>()[1].what).right_notches, -1);
}

} // namespace
} // namespace handeye::x11
