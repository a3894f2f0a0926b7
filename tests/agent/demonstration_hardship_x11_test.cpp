// SPDX-License-Identifier: Apache-2.0
// What may happen to `handeye record` while a person shows something: another keyboard in the middle of a word, a clipboard with a
// password, a flood, the end of the display, of the program, of the disk, and of the person's patience.
#include "base/json.h"
#include "tests/agent/demonstration_fixture.h"
#include "tests/agent/failing_disk.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

namespace handeye::x11 {
namespace {

using nlohmann::json;

class DemonstrationHardship : public Demonstration {
protected:
    /// The command itself, with what it says in the files told, summary and code.
    void start_command(const std::string& options) {
        start_app("sh", {"-c", fmt::format("sh -c 'echo $$ > {3}/pid; exec {0}/bin/handeye {1} -o {2} 2> {3}/told > {3}/summary'; echo $? > {3}/code", HANDEYE_BINARY_DIR, options, file().string(),
                                           folder().string())},
                  Accessible::Yes);
        ASSERT_TRUE(wait_for([&] { return content(folder() / "told").find("stop with") != std::string::npos; })) << content(folder() / "told");
    }
    std::string said(const std::string& name) { return content(folder() / name); }
    std::string code() {
        EXPECT_TRUE(wait_for([&] { return std::filesystem::exists(folder() / "code") && said("code").ends_with("\n"); }, 60)) << said("told");
        return said("code");
    }
    void click_and_see_told(const std::string& label, int step) {
        person().click(box_of(label).center());
        ASSERT_TRUE(wait_for([&] { return said("told").find(fmt::format("{:>4}  left_click", step)) != std::string::npos; })) << said("told");
    }
    std::vector<std::string> files() {
        std::vector<std::string> out;
        for (const auto& entry : std::filesystem::directory_iterator(folder())) {
            if (entry.path().filename().string().starts_with("shown")) {
                out.push_back(entry.path().filename().string());
            }
        }
        return out;
    }
    std::string typed() {
        std::string all;
        for (const json& action : actions()) {
            all += action["verb"] == "type" ? action["text"].get<std::string>() : "";
        }
        return all;
    }
    std::string name_in_the_window() {
        const std::string text = content(out());
        return text.substr(0, text.find('\n'));
    }
};

TEST_F(DemonstrationHardship, AnotherKeyboardInTheMiddleOfAWordIsFollowed) {
    show_login("13", "40", "30", "straight");
    record();
    person().click(box_of("Name").center());
    ASSERT_TRUE(wait_for([&] { return steps_ == 1; }));
    std::string all;
    for (const auto& [layout, text] : {std::pair{"us", "yz;'"}, std::pair{"de", "yz\u00f6\u00e4\u00df"}, std::pair{"fr", "aqw&"}, std::pair{"us", "qz"}}) {
        person().use_layout(layout);
        person().type(text);
        all += text;
        // The program reads a key by the keyboard that there is when it comes to it: only then the next one.
        ASSERT_TRUE(wait_for([&] { return name_in_the_window() == "name=" + all; })) << name_in_the_window();
    }
    end_recording();
    EXPECT_EQ(typed(), all);
}

TEST_F(DemonstrationHardship, WhatTheClipboardHeldIsNotRecordedAndThatIsSaid) {
    show_login("13", "40", "30", "straight");
    ASSERT_EQ(std::system("printf ZEBRA47CANARY | xclip -selection clipboard -i >/dev/null 2>&1"), 0);
    start_command("record");
    click_and_see_told("Password", 1);
    person().chord({"Control_L", "v"});
    ASSERT_TRUE(wait_for([&] { return content(out()).find("password=ZEBRA47CANARY") != std::string::npos; })) << content(out());
    person().chord({"Control_L", "Alt_L", "Escape"});
    EXPECT_EQ(code(), "0\n");
    EXPECT_EQ(actions().back()["keys"], "ctrl+v");
    EXPECT_NE(said("summary").find("mind: step 2 pastes"), std::string::npos) << said("summary");
    EXPECT_FALSE(is_in_a_file("ZEBRA47CANARY"));
}

TEST_F(DemonstrationHardship, TenThousandEventsAreAllThere) {
    show_login("13", "40", "30", "straight");
    record();
    person().click(box_of("Name").center());
    ASSERT_TRUE(wait_for([&] { return steps_ == 1; }));
    std::string text;
    for (int i = 0; i < 3000; ++i) { // each a press and a release, with other programs' events between them
        text += static_cast<char>('a' + i * 7 % 26);
    }
    person().type(text);
    const Point bare{700, 550};
    person().move(bare);
    for (int i = 0; i < 1000; ++i) {
        person().press(5);
        person().release(5);
    }
    for (int i = 0; i < 2000; ++i) {
        person().move({bare.x - i % 3, bare.y});
    }
    ASSERT_TRUE(wait_for([&] { return name_in_the_window() == "name=" + text; }, 60)) << name_in_the_window().size();
    end_recording();
    EXPECT_EQ(typed(), text);
    double notches = 0;
    for (const json& action : actions()) {
        notches += action["verb"] == "scroll" ? action["amount"].get<double>() : 0;
    }
    // What the server forgets of the wheel while it cannot get rid of it (InputMerge) has no place on the screen any more, and is told.
    double told_lost = 0;
    for (const std::string& line : report_->left_out) {
        EXPECT_NE(line.find("presses and releases of the mouse"), std::string::npos) << line;
        told_lost += std::atof(line.c_str());
    }
    EXPECT_EQ(notches + told_lost, 1000);
    EXPECT_LT(told_lost, 100);
}

TEST_F(DemonstrationHardship, ADisplayThatDiesCutsItShortAndLeavesWhatWasDone) {
    show_login("13", "40", "30", "straight");
    start_command("record");
    click_and_see_told("Agree", 1);
    hand_.reset();
    ASSERT_EQ(::kill(display_->server_pid(), SIGKILL), 0);
    EXPECT_EQ(code(), "5\n") << said("told");
    EXPECT_NE(said("told").find("the recording was cut short"), std::string::npos) << said("told");
    EXPECT_NE(said("summary").find("1 step\n"), std::string::npos) << said("summary");
    EXPECT_EQ(said("summary").find("do it again"), std::string::npos) << "half of it is no task";
    EXPECT_EQ(actions().size(), 1U);
    EXPECT_EQ(events_of("task.finished").at(0)["outcome"], "failed");
    const auto recording = Recording::open(file());
    EXPECT_TRUE(recording->is_sealed());
    EXPECT_TRUE(recording->verify_chain());
}

TEST_F(DemonstrationHardship, AKilledRecorderLeavesEachStepThatItTold) {
    show_login("13", "40", "30", "straight");
    start_command("record");
    click_and_see_told("Agree", 1);
    click_and_see_told("Save", 2);
    person().click(box_of("Password").center());
    person().type("ZEBRA47CANARY"); // and in the middle of it
    const int pid = std::atoi(said("pid").c_str());
    ASSERT_GT(pid, 1);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    EXPECT_EQ(code(), "137\n");
    EXPECT_GE(actions().size(), 2U);
    EXPECT_TRUE(Recording::open(file())->verify_chain());
    EXPECT_FALSE(is_in_a_file("ZEBRA47CANARY"));
}

TEST_F(DemonstrationHardship, AFullDiskCutsItShortAndIsNamed) {
    show_login("13", "40", "30", "straight");
    record();
    click_and_see("Agree");
    {
        const tests::FailingDisk full(ENOSPC, [](tests::DiskCall call, std::uint64_t) { return call == tests::DiskCall::Write; });
        click(*hand_, box_of("Save").center());
        recording_.join();
        EXPECT_GT(tests::FailingDisk::failures(), 0U);
    }
    ASSERT_TRUE(report_) << report_.error().message;
    ASSERT_TRUE(report_->cut_short);
    EXPECT_EQ(report_->cut_short->code, ErrorCode::IoFailed);
    EXPECT_NE(report_->cut_short->message.find("full"), std::string::npos) << report_->cut_short->message;
    EXPECT_EQ(report_->steps, 1) << "the one that was refused does not count";
    recorder_.reset();
    EXPECT_EQ(events_of("task.step_finished").size(), 1U);
    EXPECT_TRUE(Recording::open(file())->verify_chain());
}

TEST_F(DemonstrationHardship, AKeyOfOnesOwnStopsItInTheMiddleOfAWord) {
    show_login("13", "40", "30", "straight");
    start_command("--json record --hot-key f9");
    click_and_see_told("Name", 1);
    person().type("Ada");
    person().chord({"F9"});
    EXPECT_EQ(code(), "0\n") << said("told");
    EXPECT_EQ(typed(), "Ada");
    for (const json& action : actions()) {
        EXPECT_NE(action["verb"], "key");
    }
    EXPECT_EQ(json::parse(said("summary"))["steps"], 2);
    EXPECT_EQ(json::parse(said("summary"))["is_whole"], true);
}

TEST_F(DemonstrationHardship, OfNothingThereIsNoFile) {
    show_login("13", "40", "30", "straight");
    for (const std::string option : {"", "--json "}) {
        std::filesystem::remove(folder() / "code");
        start_command(option + "record");
        EXPECT_FALSE(files().empty()) << "while it runs there is one";
        person().chord({"Control_L", "Alt_L", "Escape"});
        EXPECT_EQ(code(), "1\n") << said("told");
        EXPECT_TRUE(files().empty()) << files().front();
        if (option.empty()) {
            EXPECT_EQ(said("summary"), "nothing was recorded, and no file is left\n");
        } else {
            EXPECT_EQ(json::parse(said("summary"))["path"], nullptr);
        }
        std::filesystem::remove(folder() / "told");
    }
}

} // namespace
} // namespace handeye::x11
