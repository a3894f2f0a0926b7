// SPDX-License-Identifier: Apache-2.0
// References, where they may go, and what is taken out of what is written down: on a scripted screen.
#include "agent/redactor.h"
#include "agent/secret_platform.h"
#include "agent/session.h"
#include "base/hash.h"
#include "base/json.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/memory_sink.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using fakes::FakePlatform;
using fakes::solid_frame;
using nlohmann::json;

const std::string kCanary = "Zebra-47-\"Quote\"";
constexpr Size kScreen{400, 300};

std::string say(const std::string& call) { return "<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>"; }

WindowInfo window_of(const std::string& app, const std::string& title = "Login") {
    WindowInfo window;
    window.id = 7;
    window.title_utf8 = title;
    window.window_class = "Class";
    window.area = {0, 0, kScreen.width_px, kScreen.height_px};
    window.is_focused = true;
    window.app = app;
    window.url = "https://user@mail.example.org:8443/in";
    return window;
}

/// White, with a dark block where a text would stand.
Image frame_with_block(Rect block) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kScreen.area()) * 3, 255);
    for (int y = block.y; y < block.y + block.height_px; ++y) {
        for (int x = block.x * 3; x < (block.x + block.width_px) * 3; ++x) {
            pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(kScreen.width_px) * 3 + static_cast<std::size_t>(x)] = 10;
        }
    }
    return Image::from_pixels(kScreen, PixelFormat::Rgb, std::move(pixels)).value_or(Image());
}

constexpr Rect kText{100, 100, 60, 12};

class Secrets : public testing::Test {
protected:
    Secrets() {
        std::vector<fakes::Scene> scenes{{solid_frame(kScreen, 255, 255, 255), {}, {window_of("browser")}},
                                         {frame_with_block(kText), {}, {window_of("browser")}},
                                         {solid_frame(kScreen, 200, 255, 200), {}, {window_of("browser", "Inbox")}}};
        auto fake = std::make_unique<FakePlatform>(clock_, std::move(scenes));
        fake->on_text(0, kCanary, 1);
        fake->on_key(1, "Return", 2);
        fake_ = fake.get();
        inner_ = std::move(fake);
    }
    SecretPlatform& platform(SecretPlace place = {.apps = {"browser"}}, std::vector<std::string> granted = {"canary"}) {
        auto store = std::make_shared<SecretStore>();
        EXPECT_TRUE(store->add({"canary", kCanary, {std::move(place)}, false}));
        EXPECT_TRUE(store->add({"other", "other-value", {}, true}));
        store_ = store;
        grants_ = std::make_shared<SecretGrants>(store);
        EXPECT_TRUE(grants_->set(granted));
        platform_ = std::make_unique<SecretPlatform>(std::move(inner_), grants_);
        return *platform_;
    }
    /// The error of typing it; nothing may have been typed.
    Error refusal(SecretPlatform& platform, const std::string& text = "{{secret:canary}}") {
        const auto typed = platform.type_text(text, {});
        EXPECT_FALSE(typed);
        EXPECT_TRUE(fake_->texts().empty());
        return typed ? Error{} : typed.error();
    }
    std::uint8_t shade_at(const Image& image, Point at) {
        return image.row(at.y)[static_cast<std::size_t>(at.x) * static_cast<std::size_t>(bytes_per_pixel(image.format()))];
    }

    fakes::SimClock clock_;
    FakePlatform* fake_ = nullptr;
    std::unique_ptr<Platform> inner_;
    std::shared_ptr<const SecretStore> store_;
    std::shared_ptr<SecretGrants> grants_;
    std::unique_ptr<SecretPlatform> platform_;
};

TEST_F(Secrets, ArePutInWhereTheKeysArePressed) {
    const auto typed = platform().type_text("{{secret:canary}}", {});
    ASSERT_TRUE(typed) << typed.error().message;
    EXPECT_EQ(fake_->texts(), std::vector<std::string>{kCanary});
    EXPECT_EQ(typed->characters_sent, 0U) << "the length is the secret's, too";
}

TEST_F(Secrets, StandBetweenOtherWords) {
    ASSERT_TRUE(platform({.apps = {"browser"}}, {"canary", "other"}).type_text("a{{secret:other}}b{{secret:canary}}{", {}));
    EXPECT_EQ(fake_->texts().front(), "aother-valueb" + kCanary + "{");
}

TEST_F(Secrets, AnUnknownNameIsNamedAndNothingIsTyped) {
    const Error error = refusal(platform(), "x{{secret:nosuch}}");
    EXPECT_EQ(error.code, ErrorCode::NotFound);
    EXPECT_NE(error.message.find("\"nosuch\""), std::string::npos);
}

TEST_F(Secrets, AReferenceThatIsNoneIsRefused) {
    for (const std::string text : {"{{secret:canary", "{{secret:}}", "{{secret:can ary}}", "{{secret:{{secret:canary}}}}"}) {
        inner_ ? (void)platform() : (void)0;
        EXPECT_EQ(refusal(*platform_, text).code, ErrorCode::InvalidArgument) << text;
    }
}

TEST_F(Secrets, AreTypedOnlyIntoWindowsThatTheirOwnerNamed) {
    const Error error = refusal(platform({.apps = {"mail*"}}));
    EXPECT_EQ(error.code, ErrorCode::PermissionDenied);
    EXPECT_NE(error.message.find("canary"), std::string::npos);
    EXPECT_NE(error.message.find("browser"), std::string::npos);
}

TEST_F(Secrets, EveryConditionOfAPlaceMustFit) {
    EXPECT_EQ(refusal(platform({.apps = {"browser"}, .domains = {"*.example.com"}})).code, ErrorCode::PermissionDenied);
}

TEST_F(Secrets, ADomainIsTheHostOfThePage) { EXPECT_TRUE(platform({.domains = {"*.example.org"}}).type_text("{{secret:canary}}", {})); }

TEST_F(Secrets, AreOnlyForTasksThatMayUseThem) {
    const Error error = refusal(platform({.apps = {"browser"}}, {"other"}));
    EXPECT_EQ(error.code, ErrorCode::PermissionDenied);
    EXPECT_NE(error.message.find("\"canary\" is not for this task"), std::string::npos);
}

TEST_F(Secrets, AGrantOfAnUnknownNameChangesNothing) {
    platform();
    EXPECT_EQ(grants_->set({"other", "nosuch"}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(grants_->names(), std::vector<std::string>{"canary"});
}

TEST_F(Secrets, AFailureTellsNothingOfTheText) {
    SecretPlatform& screen = platform();
    fake_->set_text_result(TextResult{Certainty::Partial, "keymap", 3, "no key is free for U+005A 'Z'"});
    const auto partial = screen.type_text("{{secret:canary}}", {});
    ASSERT_TRUE(partial);
    EXPECT_EQ(partial->reason.find('Z'), std::string::npos) << partial->reason;
    fake_->fail_next(fakes::Call::TypeText, {ErrorCode::Unsupported, "no key for " + kCanary});
    const auto failed = screen.type_text("{{secret:canary}}", {});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message.find("Zebra"), std::string::npos);
    EXPECT_EQ(failed.error().code, ErrorCode::Unsupported);
}

TEST_F(Secrets, WhatAppearedWhileTypingIsCoveredInEveryPicture) {
    SecretPlatform& screen = platform();
    ASSERT_TRUE(screen.capture());
    ASSERT_TRUE(screen.type_text("{{secret:canary}}", {}));
    const auto shot = screen.capture();
    ASSERT_TRUE(shot);
    for (int x = kText.x; x < kText.x + kText.width_px; ++x) {
        EXPECT_EQ(shade_at(shot->image, {x, kText.y + 5}), 0x60);
    }
    EXPECT_EQ(shade_at(shot->image, {20, 20}), 255);
}

TEST_F(Secrets, LatePaintIsCoveredToo) {
    fake_->set_paint_delay(std::chrono::seconds(2)); // the wait after typing gives up before
    SecretPlatform& screen = platform();
    ASSERT_TRUE(screen.capture());
    ASSERT_TRUE(screen.type_text("{{secret:canary}}", {}));
    EXPECT_EQ(shade_at(screen.capture()->image, kText.center()), 255);
    clock_.advance(std::chrono::seconds(3));
    EXPECT_EQ(shade_at(screen.capture()->image, kText.center()), 0x60);
}

TEST_F(Secrets, TheCoverGoesWhenTheWindowShowsAnotherPage) {
    SecretPlatform& screen = platform();
    ASSERT_TRUE(screen.capture());
    ASSERT_TRUE(screen.type_text("{{secret:canary}}", {}));
    ASSERT_TRUE(screen.inject(Key{"Return", Edge::Press}));
    EXPECT_EQ(shade_at(screen.capture()->image, kText.center()), 200);
}

TEST_F(Secrets, TheSettlingAfterwardsStillTellsOfTheChange) {
    SecretPlatform& screen = platform();
    ASSERT_TRUE(screen.capture());
    ASSERT_TRUE(screen.type_text("{{secret:canary}}", {}));
    EXPECT_TRUE(screen.settle({}, {})->has_changed);
}

TEST_F(Secrets, AWholeTaskHoldsTheNameAloneInPromptEventsAndBlobs) {
    SecretPlatform& screen = platform();
    fakes::ScriptedModel model;
    model.add(say("type(content='{{secret:canary}}')"));
    model.add(say("type(content='{{secret:other}}')"));
    model.add(say("DONE()"));
    fakes::MemorySink sink;
    SessionOptions options{.session_id = "01TEST"};
    options.secrets = grants_;
    auto session = Session::create(options, screen, model, clock_, sink);
    ASSERT_TRUE(session);
    ASSERT_TRUE((*session)->run_task("Log in.", {}));
    ASSERT_EQ(fake_->texts(), std::vector<std::string>{kCanary}) << "the other one is not granted";
    std::string all;
    for (const SessionEvent& event : sink.events()) {
        all += event.data_json;
    }
    for (const auto& [name, blob] : sink.blobs()) {
        all.append(blob.bytes->begin(), blob.bytes->end());
    }
    EXPECT_EQ(all.find("Zebra"), std::string::npos);
    EXPECT_NE(all.find("{{secret:canary}}"), std::string::npos) << "the prompt names it";
    EXPECT_NE(all.find("not for this task"), std::string::npos);
}

class PasswordFields : public testing::Test {
protected:
    std::string all_that_is_written(const std::string& call, const std::string& before = "left_click(start_box='[250,250]', element_info='Password')") {
        fakes::SimClock clock;
        FakePlatform platform(clock, {{solid_frame(kScreen, 255, 255, 255), {{1, "password text", "Password", {0, 0, 200, 150}, true}}, {}}});
        fakes::ScriptedModel model;
        if (!before.empty()) {
            model.add(say(before));
        }
        model.add(say(call));
        model.add(say("DONE()"));
        fakes::MemorySink sink;
        auto session = Session::create({.session_id = "01TEST"}, platform, model, clock, sink);
        EXPECT_TRUE(session && (*session)->run_task("Log in.", {}));
        EXPECT_EQ(platform.texts(), std::vector<std::string>{"hunter2hunter"});
        std::string all;
        for (const SessionEvent& event : sink.events()) {
            all += event.data_json;
        }
        for (const auto& [name, blob] : sink.blobs()) {
            all.append(blob.bytes->begin(), blob.bytes->end());
        }
        return all;
    }
};

TEST_F(PasswordFields, WhatTheModelTypesThereIsInNoEvent) {
    const std::string all = all_that_is_written("type(content='hunter2hunter')");
    EXPECT_EQ(all.find("hunter2hunter"), std::string::npos);
    EXPECT_NE(all.find("typed into a password field"), std::string::npos);
}

TEST_F(PasswordFields, WithOneInSightNoTextIsToldThatMayGoThere) { // a dialog takes the focus by itself, a key moves it
    for (const char* before : {"", "key(keys='tab')", "left_click(start_box='[900,900]', element_info='Log in')"}) {
        EXPECT_EQ(all_that_is_written("type(content='hunter2hunter')", before).find("hunter2hunter"), std::string::npos) << before;
    }
}

class RedactorTest : public testing::Test {
protected:
    RedactorTest() {
        EXPECT_TRUE(store_.add({"canary", kCanary, {}, true}));
        EXPECT_TRUE(store_.add({"pin", "1234", {}, true}));
        EXPECT_TRUE(store_.add({"longer", "abcdefgh-more", {}, true}));
        EXPECT_TRUE(store_.add({"shorter", "abcdefgh", {}, true}));
    }
    SecretStore store_;
};

TEST_F(RedactorTest, PutsTheNameInThePlaceOfTheValue) {
    const Redactor redactor(store_);
    EXPECT_EQ(redactor.redacted("a " + kCanary + " b" + kCanary), "a {{secret:canary}} b{{secret:canary}}");
}

TEST_F(RedactorTest, FindsTheFormThatJsonWrites) {
    const Redactor redactor(store_);
    EXPECT_EQ(redactor.redacted(dump_json(json(kCanary))), "\"{{secret:canary}}\"");
}

TEST_F(RedactorTest, TakesTheLongestValueFirst) { EXPECT_EQ(Redactor(store_).redacted("abcdefgh-more"), "{{secret:longer}}"); }

TEST_F(RedactorTest, LeavesShortValuesInInnocentWords) { EXPECT_EQ(Redactor(store_).redacted("step 1234"), "step 1234"); }

TEST_F(RedactorTest, AChangedBlobHasItsNewNameInTheEvent) {
    const std::string text = "the answer: " + kCanary;
    SessionEvent event;
    event.type = "engine.finished";
    event.blobs.push_back({to_hex(sha256(text)), "text/plain", std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end())});
    event.data_json = dump_json(json{{"text", {{"sha256", event.blobs[0].sha256_hex}, {"bytes", text.size()}}}, {"n", 1}});
    const SessionEvent clean = Redactor(store_).redacted(event);
    const std::string stored(clean.blobs[0].bytes->begin(), clean.blobs[0].bytes->end());
    EXPECT_EQ(stored, "the answer: {{secret:canary}}");
    EXPECT_EQ(clean.blobs[0].sha256_hex, to_hex(sha256(stored)));
    const json data = json::parse(clean.data_json);
    EXPECT_EQ(data["text"]["sha256"], clean.blobs[0].sha256_hex);
    EXPECT_EQ(data["text"]["bytes"], stored.size());
}

TEST(SecretStore, RefusesWhatNoKeyTypesAndTellsNoValue) {
    SecretStore store;
    ASSERT_TRUE(store.add({"a", "value", {}, true}));
    const std::vector<Secret> wrong{{"", "hidden-value", {}, true},  {"b c", "hidden-value", {}, true}, {std::string(65, 'n'), "hidden-value", {}, true},
                                    {"b", "", {}, true},             {"b", "hidden\x1bvalue", {}, true}, {"b", std::string(4097, 'h'), {}, true},
                                    {"a", "hidden-value", {}, true}};
    for (const Secret& secret : wrong) {
        const auto added = store.add(secret);
        ASSERT_FALSE(added) << secret.name;
        EXPECT_EQ(added.error().code, ErrorCode::InvalidArgument);
        EXPECT_EQ(added.error().message.find("hidden"), std::string::npos);
    }
}

} // namespace
} // namespace handeye
