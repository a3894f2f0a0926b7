// SPDX-License-Identifier: Apache-2.0
// What watchers see of password fields, and what the agent does.
#include "server/shared_platform.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>
#include <new>
#include <stdexcept>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Size kScreen{200, 150};
constexpr Rect kField{10, 20, 60, 30};

bool is_painted(const Image& image, Point at) {
    const auto pixel = image.row(at.y).subspan(static_cast<std::size_t>(at.x) * static_cast<std::size_t>(bytes_per_pixel(image.format())), 3);
    return std::ranges::all_of(pixel, [](std::uint8_t shade) { return shade == 0x60; });
}

class WatchedPasswords : public testing::Test {
protected:
    WatchedPasswords() {
        const Element field{1, "password text", "Password", kField, true};
        auto screen = std::make_unique<fakes::FakePlatform>(
            clock_, std::vector<fakes::Scene>{{fakes::solid_frame(kScreen, 255, 255, 255), {field}}, {fakes::solid_frame(kScreen, 255, 255, 0), {}}});
        screen_ = screen.get();
        shared_ = std::make_unique<SharedPlatform>(std::move(screen));
    }
    fakes::SimClock clock_;
    fakes::FakePlatform* screen_ = nullptr; // shared_'s
    std::unique_ptr<SharedPlatform> shared_;
};

TEST_F(WatchedPasswords, ArePaintedOverForWatchersAndNotForTheAgent) {
    for (const auto look : {&SharedPlatform::peek, &SharedPlatform::capture_for_watchers}) {
        const auto shot = (shared_.get()->*look)();
        ASSERT_TRUE(shot) << shot.error().message;
        EXPECT_TRUE(is_painted(shot->image, kField.center()));
        EXPECT_FALSE(is_painted(shot->image, {150, 100}));
    }
    EXPECT_FALSE(is_painted(shared_->capture()->image, kField.center()));
}

TEST_F(WatchedPasswords, AreLookedForAgainOnceThePictureChanges) {
    ASSERT_TRUE(shared_->peek());
    screen_->show(1);
    const auto shot = shared_->peek();
    ASSERT_TRUE(shot);
    EXPECT_FALSE(is_painted(shot->image, kField.center()));
}

TEST_F(WatchedPasswords, APictureOfWhichTheyAreNotKnownIsNotShown) {
    screen_->fail_next(fakes::Call::Elements, {ErrorCode::Unavailable, "the tree cannot be read"});
    EXPECT_FALSE(shared_->peek());
    EXPECT_TRUE(shared_->peek());
}

TEST_F(WatchedPasswords, WatchingLeavesTheAgentItsOwnNotices) {
    ASSERT_TRUE(shared_->capture());
    screen_->show(1);
    ASSERT_TRUE(shared_->settle({}, {}));
    ASSERT_TRUE(shared_->capture());
    ASSERT_TRUE(shared_->peek());
    const auto settled = shared_->settle({}, {});
    ASSERT_TRUE(settled);
    EXPECT_FALSE(settled->has_changed); // the cover is no change of the screen
}

/// A library that throws where a platform did not look for it.
class ThrowingPlatform final : public fakes::FakePlatform {
public:
    using FakePlatform::FakePlatform;
    Result<Screenshot> capture() override { throw std::runtime_error("type must be string, but is number"); }
    Result<std::vector<WindowInfo>> windows() override { throw std::bad_alloc(); }
    Result<void> inject(const InputEvent& /*event*/) override { throw std::out_of_range("key 'targetInfo' not found"); }
};

TEST(SharedPlatform, WhatAPlatformThrowsIsATypedError) {
    fakes::SimClock clock;
    SharedPlatform shared(std::make_unique<ThrowingPlatform>(clock, std::vector<fakes::Scene>{{fakes::solid_frame(kScreen, 255, 255, 255), {}}}));
    for (const auto& error : {shared.capture().error(), shared.peek().error(), shared.capture_for_watchers().error(), shared.windows().error(),
                              shared.inject(PointerMove{{1, 1}}).error()}) {
        EXPECT_EQ(error.code, ErrorCode::Internal);
        EXPECT_NE(error.message.find("unexpected failure: "), std::string::npos) << error.message;
    }
    EXPECT_TRUE(shared.display()); // and goes on
}

} // namespace
} // namespace handeye
