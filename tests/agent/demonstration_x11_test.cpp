// SPDX-License-Identifier: Apache-2.0
// A second client plays the person at a real GTK window; what it did is recorded, compiled into a task file, and done again on a
// fresh window with another place, font and order. What went into password fields is in no byte of it.
#include "base/image_codec.h"
#include "tests/agent/demonstration_fixture.h"

#include <fmt/format.h>

namespace handeye::x11 {
namespace {

using nlohmann::json;

const std::string kCanary = "ZEBRA47CANARY";
const std::string kFilled = "name=Ada L\u00f6we\npassword=" + kCanary + "\nagree=1\nclicked=Save\n";

TEST_F(Demonstration, IsDoneAgainOnAWindowWithAnotherPlaceFontAndOrder) {
    show_login("13", "40", "30", "straight");
    record();
    click_and_see("Name");
    type("Ada L\u00f6we");
    click_and_see("Agree");
    click_and_see("Password");
    type(kCanary);
    click_and_see("Save");
    end_recording();
    ASSERT_EQ(content(out()), kFilled);
    EXPECT_FALSE(is_in_a_file(kCanary));
    EXPECT_EQ(report_->secrets, std::vector<std::string>{"password_1"});
    EXPECT_TRUE(report_->left_out.empty());
    const std::vector<json> done = actions();
    ASSERT_EQ(done.size(), 6U);
    EXPECT_EQ(done[1]["text"], "Ada L\u00f6we");
    EXPECT_EQ(done[4]["text"], "{{secret:password_1}}");

    const CompiledTask task = compiled();
    EXPECT_NE(task.yaml.find("\"${vars.password_1}\""), std::string::npos) << task.yaml;
    show_login("22", "260", "200", "reversed");
    const TaskReport report = do_again(task, kCanary);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message << "\n" << task.yaml;
    EXPECT_EQ(content(out()), kFilled);
}

TEST_F(Demonstration, AHurriedPersonsPasswordIsInNoByte) {
    show_login("13", "40", "30", "straight");
    record();
    type("Ada\t" + kCanary + "\n"); // from field to field as fast as the display takes it
    ASSERT_TRUE(wait_for([&] { return content(out()).find(kCanary) != std::string::npos; }));
    end_recording();
    EXPECT_FALSE(is_in_a_file(kCanary));
    const std::vector<json> done = actions();
    ASSERT_EQ(done.size(), 4U);
    EXPECT_EQ(done[1]["keys"], "tab");
    EXPECT_TRUE(done[2]["text"].get<std::string>().starts_with("{{secret:"));
    EXPECT_EQ(done[3]["keys"], "return");
}

TEST_F(Demonstration, ThePictureBeforeIsTheOneThePersonSaw) {
    show_login("13", "40", "30", "straight");
    record();
    const Rect agree = box_of("Agree");
    const Image seen = hand_->capture()->image.cropped(agree);
    click_and_see("Agree");
    const Image ticked = hand_->capture()->image.cropped(agree);
    end_recording();
    const auto recording = Recording::open(file());
    const int step = events_of("action.proposed").back()["step"];
    int compared = 0;
    for (const json& captured : events_of("observation.captured")) {
        if (captured["step"] != step) {
            continue;
        }
        const auto frame = decode_image(*recording->blob(captured["frame"]["sha256"]));
        ASSERT_TRUE(frame) << frame.error().message;
        const Image mine = frame->cropped(agree);
        const Image want = captured["when"] == "before" ? seen : ticked;
        EXPECT_TRUE(*encode_png(mine, 1) == *encode_png(want, 1)) << captured["when"];
        ++compared;
    }
    EXPECT_EQ(compared, 2);
    EXPECT_FALSE(*encode_png(seen, 1) == *encode_png(ticked, 1));
    EXPECT_EQ(events_of("action.executed").back()["points"][0]["element"]["label"], "Agree");
}

// A program under load does not tell of its buttons in time: then its window is all that is known, and no target.
TEST_F(Demonstration, AWindowIsNotWhatWasPressedInIt) {
    show_login("13", "40", "30", "straight");
    const Rect window = wait_for_window(*hand_, "handeye login").area;
    record();
    click(*hand_, {window.x + 3, window.y + window.height_px - 3}); // its margin
    ASSERT_TRUE(wait_for([&] { return steps_ == 1; }));
    end_recording();
    ASSERT_EQ(events_of("action.executed").at(0)["points"][0]["element"]["role"], "frame") << "else the next lines prove nothing";
    const CompiledTask task = compiled();
    EXPECT_EQ(task.yaml.find("frame"), std::string::npos) << task.yaml;
    EXPECT_FALSE(task.pictures.empty());
}

TEST_F(Demonstration, EveryKindOfActionIsRecorded) {
    show_login("13", "40", "30", "straight");
    record();
    const Point name = box_of("Name").center();
    const auto button = [&](MouseButton which, Edge edge) { ASSERT_TRUE(hand_->inject(PointerButton{which, edge})); };
    const auto wait_for_step = [&](int before) { ASSERT_TRUE(wait_for([&] { return steps_ > before; })); };
    int before = steps_;
    click(*hand_, name);
    click(*hand_, name);
    wait_for_step(before);
    before = steps_;
    ASSERT_TRUE(hand_->inject(PointerMove{{700, 500}})); // the bare screen
    button(MouseButton::Middle, Edge::Press);
    button(MouseButton::Middle, Edge::Release);
    wait_for_step(before);
    before = steps_;
    ASSERT_TRUE(hand_->inject(PointerMove{{name.x - 40, name.y}}));
    button(MouseButton::Left, Edge::Press);
    ASSERT_TRUE(hand_->inject(PointerMove{{name.x + 40, name.y}}));
    button(MouseButton::Left, Edge::Release);
    wait_for_step(before);
    before = steps_;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(hand_->inject(Wheel{0, 1}));
    }
    wait_for_step(before);
    before = steps_;
    press_chord(*hand_, {"Control_L", "Shift_L", "s"});
    wait_for_step(before);
    end_recording();
    std::vector<std::string> verbs;
    for (const json& action : actions()) {
        verbs.push_back(action["verb"]);
    }
    EXPECT_EQ(verbs, (std::vector<std::string>{"double_click", "middle_click", "drag", "scroll", "key"}));
    EXPECT_EQ(actions().back()["keys"], "ctrl+shift+s");
    EXPECT_EQ(actions()[3]["amount"], 3);
}

TEST_F(Demonstration, WhatHappensInTheOwnTerminalIsLeftOut) {
    show_login("13", "40", "30", "straight");
    options_.is_own_window = [](const WindowInfo& window) { return window.title_utf8 == "handeye login"; };
    record();
    type("handeye record");
    click(*hand_, box_of("Agree").center());
    ASSERT_TRUE(wait_for([&] { return content(out()).find("agree=1") != std::string::npos; }));
    ASSERT_TRUE(hand_->inject(PointerMove{{700, 500}})); // the bare screen
    ASSERT_TRUE(hand_->inject(PointerButton{MouseButton::Middle, Edge::Press}));
    ASSERT_TRUE(hand_->inject(PointerButton{MouseButton::Middle, Edge::Release}));
    ASSERT_TRUE(wait_for([&] { return steps_ == 1; }));
    end_recording();
    ASSERT_EQ(actions().size(), 1U);
    EXPECT_EQ(actions()[0]["verb"], "middle_click");
}

TEST_F(Demonstration, TheTerminalThatRunsTheCommandIsKnownAndEndsIt) {
    start_app("xterm", {"-geometry", "60x8+0+0", "-title", "handeye terminal", "-e", "sh", "-c",
                        fmt::format("'{}/bin/handeye' record -o '{}' 2> '{}/told' > '{}/summary'", HANDEYE_BINARY_DIR, file().string(), folder().string(),
                                    folder().string())});
    start_app("login_app", {out().string(), "13", "300", "300", "straight"}, Accessible::Yes);
    hand_ = open();
    const Point terminal = wait_for_window(*hand_, "handeye terminal").area.center();
    ASSERT_TRUE(wait_for([&] { return content(folder() / "told").find("Ctrl-C here") != std::string::npos && !box_of("Agree").size().is_empty(); })) << content(folder() / "told");
    click(*hand_, terminal);
    type("hello");
    click(*hand_, box_of("Agree").center());
    ASSERT_TRUE(wait_for([&] { return content(folder() / "told").find("   1  left_click") != std::string::npos; })) << content(folder() / "told");
    click(*hand_, terminal);
    press_chord(*hand_, {"Control_L", "c"});
    ASSERT_TRUE(wait_for([&] { return content(folder() / "summary").find("1 step\n") != std::string::npos; })) << content(folder() / "told");
    EXPECT_TRUE(Recording::open(file())->is_sealed());
    ASSERT_EQ(actions().size(), 1U) << content(folder() / "told");
    EXPECT_EQ(events_of("action.executed")[0]["points"][0]["element"]["label"], "Agree");
}

TEST_F(Demonstration, ATerminalTellsNothingSoItsTextIsASecretUnlessAskedFor) {
    for (const auto unknown : {DemonstrationOptions::UnknownText::IsSecret, DemonstrationOptions::UnknownText::IsPlain}) {
        std::filesystem::remove(file());
        apps_.clear();
        start_app("xterm", {"-title", "handeye terminal", "-e", "cat"});
        hand_ = open();
        wait_for_window(*hand_, "handeye terminal");
        ASSERT_TRUE(wait_for([&] { return hand_->focused_window() && hand_->focused_window()->title_utf8 == "handeye terminal"; }));
        record(unknown);
        type(kCanary);
        end_recording();
        const bool is_secret = unknown == DemonstrationOptions::UnknownText::IsSecret;
        ASSERT_FALSE(actions().empty());
        EXPECT_EQ(actions().back()["text"], is_secret ? "{{secret:text_1}}" : kCanary);
        EXPECT_EQ(report_->secrets.size(), is_secret ? 1U : 0U);
    }
}

// A terminal that asks for a password opens over the form, and takes the keyboard in the middle of a name.
TEST_F(Demonstration, AWindowThatTakesTheKeyboardMeanwhileIsNoPartOfTheField) {
    show_login("13", "40", "30", "straight");
    record();
    type("user");
    ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(500)}, {})); // a person looks at what was typed before going on
    start_app("xterm", {"-title", "handeye terminal", "-geometry", "60x20+40+30", "-e", "cat"});
    ASSERT_TRUE(wait_for([&] { return hand_->focused_window() && hand_->focused_window()->title_utf8 == "handeye terminal"; }));
    type(kCanary);
    end_recording();
    EXPECT_FALSE(is_in_a_file(kCanary));
    const std::vector<json> done = actions();
    ASSERT_EQ(done.size(), 2U);
    EXPECT_EQ(done[0]["text"], "user");
    EXPECT_TRUE(done[1]["text"].get<std::string>().starts_with("{{secret:"));
}

} // namespace
} // namespace handeye::x11
