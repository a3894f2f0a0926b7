// SPDX-License-Identifier: Apache-2.0
// Phones that come and go, are locked, dark, secure or several; each by its name in what handeye says.
#include "platforms/android/platform.h"
#include "platforms/probe.h"
#include "tests/android/phone_fixture.h"

namespace handeye::android {
namespace {

using AndroidSession = PhoneTest;

bool says(const Error& error, const std::string& words) { return error.message.find(words) != std::string::npos; }

TEST_F(AndroidSession, ALostPhoneIsNamedAndFoundAgain) {
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    for (int round = 0; round < 2; ++round) {
        device_->unplug();
        const std::vector<std::function<Result<void>()>> calls = {
            [&] { const auto r = platform->capture(); return r ? Result<void>() : Result<void>(r.error()); },
            [&] { const auto r = platform->elements(); return r ? Result<void>() : Result<void>(r.error()); },
            [&] { const auto r = platform->windows(); return r ? Result<void>() : Result<void>(r.error()); },
            [&] { return platform->perform(NavigateHome{}); },
            [&] { return platform->inject(Key{"Return", Edge::Press}); },
            [&] { const auto r = platform->type_text("x", {}); return r ? Result<void>() : Result<void>(r.error()); }};
        for (const auto& call : calls) {
            const Result<void> result = call();
            ASSERT_FALSE(result);
            EXPECT_EQ(result.error().code, ErrorCode::Unavailable) << result.error().message;
            EXPECT_TRUE(says(result.error(), serial())) << result.error().message;
        }
        device_->plug_in();
        EXPECT_TRUE(wait_for([&] { return bool(platform->capture()); }, 120));
        EXPECT_TRUE(platform->perform(NavigateHome{}));
    }
}

TEST_F(AndroidSession, SeveralPhonesAreChosenBySerial) {
    const auto second = make_device({.model = "Other_Phone"});
    AdbServer server(*parse_endpoint(adb_server()));
    ASSERT_TRUE(server.connect_device(second->address(), StreamWait::lasting(std::chrono::seconds(30))));
    const auto either = try_open();
    ASSERT_FALSE(either);
    EXPECT_TRUE(says(either.error(), "--serial") && says(either.error(), serial()) && says(either.error(), second->address())) << either.error().message;
    EXPECT_TRUE(says(either.error(), "Other_Phone")) << either.error().message;
    EXPECT_TRUE(try_open(second->address()));
    const auto platform = open_phone(serial());
    ASSERT_TRUE(platform);
    EXPECT_EQ(platform->display()->address, serial());
    EXPECT_FALSE(try_open("R58M123"));
    device_->unplug(); // the one that is left is the only one, without a serial, too
    EXPECT_TRUE(wait_for([&] { return bool(try_open()); }, 60)) << try_open().error().message;
}

TEST_F(AndroidSession, APhoneThatAsksIsWaitedForByThePerson) {
    device_ = make_device({.asks_for_approval = true});
    AdbServer server(*parse_endpoint(adb_server()));
    static_cast<void>(server.connect_device(serial(), StreamWait::lasting(std::chrono::seconds(30)))); // "failed to authenticate": it waits
    const auto refused = [&] {
        const auto opened = try_open(serial());
        return !opened && says(opened.error(), "unauthorized") && says(opened.error(), "allow USB debugging");
    };
    EXPECT_TRUE(wait_for(refused, 60)) << try_open(serial()).error().message;
    device_->allow();
    EXPECT_TRUE(wait_for([&] { return bool(try_open(serial())); }, 60));
}

TEST_F(AndroidSession, ADarkScreenIsWokenAndALockIsOpenedOrSaid) {
    phone_->set({{"awake", "0"}, {"locked", "1"}});
    {
        const auto platform = open_phone();
        ASSERT_TRUE(platform);
        EXPECT_EQ(phone_->get("awake"), "1");
        EXPECT_EQ(phone_->get("locked"), "0");
        ASSERT_TRUE(platform->capture());
        phone_->set({{"awake", "0"}}); // in the middle of a session nobody wakes it
        const auto dark = platform->capture();
        ASSERT_FALSE(dark);
        EXPECT_TRUE(says(dark.error(), "is off") && says(dark.error(), serial())) << dark.error().message;
        EXPECT_EQ(phone_->get("awake"), "0");
        phone_->set({{"awake", "1"}, {"locked", "1"}});
        EXPECT_EQ((*platform->windows())[0].title_utf8, "lock screen");
    }
    phone_->set({{"locked", "1"}, {"lock_secure", "1"}});
    const auto locked = try_open();
    ASSERT_FALSE(locked);
    EXPECT_EQ(locked.error().code, ErrorCode::Unavailable);
    EXPECT_TRUE(says(locked.error(), "unlock it by hand")) << locked.error().message;
    EXPECT_EQ(phone_->get("locked"), "1");
}

TEST_F(AndroidSession, ASecureWindowIsToldFromAFailure) {
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    phone_->focus("com.example.vault/.Main");
    for (const std::string how : {"black", "fail"}) {
        phone_->set({{"secure_shot", how}});
        const auto secret = platform->capture();
        ASSERT_FALSE(secret);
        EXPECT_EQ(secret.error().code, ErrorCode::PermissionDenied);
        EXPECT_TRUE(says(secret.error(), "com.example.vault") && says(secret.error(), "FLAG_SECURE")) << secret.error().message;
    }
    phone_->focus("com.example.notes/.Main");
    ASSERT_TRUE(platform->capture());
    phone_->set({{"screencap", "broken"}});
    const auto broken = platform->capture();
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, ErrorCode::Unsupported);
    EXPECT_TRUE(says(broken.error(), "Unable to open display")) << broken.error().message;
}

/// None told is not none there: a password field could be among them.
TEST_F(AndroidSession, OfAScreenThatNeverRestsTheElementsAreUnknownNotNone) {
    phone_->focus("com.example.notes/.Main");
    ASSERT_TRUE(phone_->wait_until_handled());
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    const auto has_secret = [&] {
        const auto elements = platform->elements();
        EXPECT_TRUE(elements) << elements.error().message;
        return elements && std::ranges::any_of(*elements, &Element::is_secret);
    };
    EXPECT_TRUE(has_secret());
    phone_->set({{"idle", "0"}});
    const auto unknown = platform->elements();
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::DeadlineExceeded);
    EXPECT_TRUE(says(unknown.error(), "animation") && says(unknown.error(), serial())) << unknown.error().message;
    EXPECT_TRUE(platform->capture());
    phone_->set({{"idle", "1"}}); // pixels that rest are reason enough to ask again
    EXPECT_TRUE(has_secret());

    phone_->set({{"idle", "0"}});
    start_app("paint_app", {"spinner", "20", "300", "200", "200"});
    const auto is_told_without_asking = [&] {
        const std::string dumps = phone_->get("dumps");
        const auto moving = platform->elements();
        EXPECT_FALSE(moving);
        return !moving && says(moving.error(), "moves on") && phone_->get("dumps") == dumps;
    };
    EXPECT_TRUE(wait_for(is_told_without_asking, 60)); // each time would cost ten seconds
    apps_.pop_back();
    phone_->set({{"idle", "1"}});
    EXPECT_TRUE(wait_for([&] { return platform->elements().has_value(); }, 60));
    EXPECT_TRUE(has_secret());
}

TEST_F(AndroidSession, AMomentWithoutAWindowIsWaitedFor) {
    phone_->focus("com.example.notes/.Main");
    ASSERT_TRUE(phone_->wait_until_handled());
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    phone_->set({{"null_roots", "2"}});
    const auto elements = platform->elements();
    ASSERT_TRUE(elements) << elements.error().message;
    EXPECT_FALSE(elements->empty());
    phone_->set({{"null_roots", "100"}});
    const auto none = platform->elements();
    ASSERT_FALSE(none);
    EXPECT_TRUE(says(none.error(), "no window")) << none.error().message;
}

TEST_F(AndroidSession, AMakerThatForbidsInputIsNamedWithItsSwitch) {
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    phone_->set({{"may_inject", "0"}});
    x11::click(*platform, {50, 50});
    const auto sent = platform->release_all(); // where the end of a plan sends what it gathered
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ErrorCode::PermissionDenied);
    EXPECT_TRUE(says(sent.error(), "Security settings")) << sent.error().message;
    EXPECT_FALSE(platform->perform(NavigateHome{}));
    EXPECT_FALSE(platform->type_text("x", {}));
}

TEST_F(AndroidSession, SettlingSeesAChangeAndThenQuiet) {
    phone_->focus("com.example.notes/.Main");
    ASSERT_TRUE(phone_->wait_until_handled());
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    auto still = platform->settle({.deadline = std::chrono::seconds(60)}, {});
    ASSERT_TRUE(still);
    EXPECT_TRUE(still->is_quiet && !still->has_changed);
    x11::click(*platform, {100, 100});
    still = platform->settle({.deadline = std::chrono::seconds(60)}, {});
    ASSERT_TRUE(still);
    EXPECT_TRUE(still->is_quiet && still->has_changed);
}

TEST_F(AndroidSession, APhoneWithoutSeparateStreamsWorksToo) {
    device_ = make_device({.has_shell_v2 = false});
    AdbServer server(*parse_endpoint(adb_server()));
    ASSERT_TRUE(server.connect_device(serial(), StreamWait::lasting(std::chrono::seconds(30))));
    phone_->focus("com.example.notes/.Main");
    ASSERT_TRUE(phone_->wait_until_handled());
    const auto platform = open_phone(serial());
    ASSERT_TRUE(platform && platform->capture() && platform->capture());
    x11::click(*platform, {180, 70});
    const auto typed = platform->type_text("Grüße", {});
    ASSERT_TRUE(typed) << typed.error().message;
    EXPECT_EQ(typed->certainty, Certainty::Confirmed);
    EXPECT_EQ(text_of("note"), "Grüße");
    EXPECT_EQ(platform->perform(LaunchApp{{"com.example.nothing/.Main"}}).error().code, ErrorCode::NotFound);
}

TEST_F(AndroidSession, WhatCanBeProvenWithoutAWindowOfOursIs) {
    const auto platform = open_phone();
    ASSERT_TRUE(platform);
    EXPECT_EQ(platform->open_probe().error().code, ErrorCode::Unsupported);
    happened();
    for (const ProbeFact& fact : platform->probe_facts()) {
        EXPECT_TRUE(fact.is_proven) << fact.check << ": " << fact.detail;
    }
    EXPECT_TRUE(happened("down").empty() && happened("key").empty());
    phone_->set({{"may_inject", "0"}, {"adbkeyboard", "0"}});
    const auto facts = platform->probe_facts();
    EXPECT_FALSE(std::ranges::find(facts, "input", &ProbeFact::check)->is_proven);
    EXPECT_TRUE(std::ranges::find(facts, "type", &ProbeFact::check)->detail.starts_with("ASCII only"));
}

TEST_F(AndroidSession, ThePlatformIsListedWithWhatItFinds) {
    unsetenv("ADB_SERVER_SOCKET");
    setenv("ANDROID_ADB_SERVER_PORT", adb_server().substr(10).c_str(), 1);
    const PlatformSupport here = describe_android();
    EXPECT_TRUE(here.is_available) << here.detail;
    EXPECT_NE(here.detail.find(serial()), std::string::npos) << here.detail;
    setenv("ANDROID_ADB_SERVER_PORT", "1", 1);
    const PlatformSupport nowhere = describe_android();
    EXPECT_FALSE(nowhere.is_available);
    EXPECT_NE(nowhere.detail.find("adb start-server"), std::string::npos) << nowhere.detail;
}

} // namespace
} // namespace handeye::android
