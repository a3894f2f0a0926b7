// SPDX-License-Identifier: Apache-2.0
// Other people's input on a display of the test's own: heard at once, and told from what the platform itself sends.
#include "platforms/x11/connection.h"
#include "tests/platforms/x11_fixture.h"

#include <atomic>
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

} // namespace
} // namespace handeye::x11
