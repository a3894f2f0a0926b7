// SPDX-License-Identifier: Apache-2.0
// The session's own authority on a scripted screen: budgets on actions, the look right before a click, asking a person.
#include "agent/session.h"
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

using fakes::solid_frame;

constexpr Size kScreen{400, 300};

std::string click_at(int x, int y) {
    return "<answer><|begin_of_box|>left_click(start_box='[" + std::to_string(x) + "," + std::to_string(y) + "]', element_info='Save')<|end_of_box|></answer>";
}

class SessionAuthority : public testing::Test {
protected:
    TaskReport run() {
        auto session = Session::create(options_, platform_, model_, clock_, sink_);
        EXPECT_TRUE(session) << session.error().message;
        auto report = (*session)->run_task("Click.", stop_.get_token());
        EXPECT_TRUE(report) << report.error().message;
        EXPECT_TRUE(platform_.held().empty());
        return report.value_or(TaskReport{});
    }
    [[nodiscard]] long presses() const {
        return std::count_if(platform_.events().begin(), platform_.events().end(), [](const InputEvent& event) {
            const auto* button = std::get_if<PointerButton>(&event);
            return button != nullptr && button->edge == Edge::Press;
        });
    }
    std::string executed_reason() {
        const auto events = sink_.of_type("action.executed");
        return events.empty() ? "" : parse_json(events.front().data_json)->value("reason", "");
    }

    fakes::SimClock clock_;
    fakes::FakePlatform platform_{clock_, {{solid_frame(kScreen, 255, 255, 255)}, {solid_frame(kScreen, 0, 0, 0)}}};
    fakes::ScriptedModel model_;
    fakes::MemorySink sink_;
    SessionOptions options_{.session_id = "01TEST"};
    std::stop_source stop_;
};

TEST_F(SessionAuthority, ActionsPerMinuteTripAtTheirNumber) {
    options_.budget.actions_per_minute_max = 2;
    for (int i = 0; i < 3; ++i) {
        model_.add(click_at(100 + 100 * i, 500));
    }
    EXPECT_EQ(run().outcome, TaskOutcome::BudgetExceeded);
    EXPECT_EQ(presses(), 2);
    ASSERT_FALSE(sink_.of_type("budget.exceeded").empty());
    EXPECT_EQ(parse_json(sink_.of_type("budget.exceeded").front().data_json)->value("budget", ""), "actions_per_minute");
}

TEST_F(SessionAuthority, TheSameActionTripsAtItsNumber) {
    options_.budget.same_action_max = 2;
    model_.set_forever(click_at(500, 500));
    EXPECT_EQ(run().outcome, TaskOutcome::BudgetExceeded);
    EXPECT_EQ(presses(), 2);
}

TEST_F(SessionAuthority, NothingIsClickedWhereTheTargetChangedWhileTheModelAnswered) {
    model_.set_while_answering([&] { platform_.show(1); });
    model_.add(click_at(500, 500));
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    run();
    EXPECT_EQ(presses(), 0);
    EXPECT_NE(executed_reason().find("changed"), std::string::npos) << executed_reason();
}

TEST_F(SessionAuthority, NothingIsClickedWhereTheTargetChangedUnderThePointer) {
    platform_.set_before_inject([&](std::size_t sent) {
        if (sent == 0) {
            platform_.show(1); // after the first look, before the button
        }
    });
    model_.add(click_at(500, 500));
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    run();
    EXPECT_EQ(presses(), 0);
}

TEST_F(SessionAuthority, ACutShortLastActionIsNoSuccess) {
    model_.add("<answer><|begin_of_box|>type(content='a')<|end_of_box|></answer>");
    model_.add(click_at(500, 500));
    model_.add("<answer><|begin_of_box|>DONE()<|end_of_box|></answer>");
    platform_.set_before_inject([&](std::size_t) { platform_.show(1); }); // between the first look and the button
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::Unconfirmed);
    EXPECT_NE(report.message.find("only partly done"), std::string::npos) << report.message;
    EXPECT_EQ(presses(), 0);
}

TEST_F(SessionAuthority, WithoutTheLookTheClickWouldLand) {
    options_.checks_target = false;
    model_.set_while_answering([&] { platform_.show(1); });
    model_.add(click_at(500, 500));
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    run();
    EXPECT_EQ(presses(), 1);
}

// Files and Mail stand side by side; a third window comes up over the mail while the file is on its way.
TEST_F(SessionAuthority, NothingIsDroppedIntoAWindowThatCameUpMeanwhile) {
    const Image frame = solid_frame(kScreen, 255, 255, 255);
    const WindowInfo files{.id = 1, .title_utf8 = "Files", .area = {0, 0, 200, 300}};
    const WindowInfo mail{.id = 2, .title_utf8 = "Mail", .area = {200, 0, 200, 300}};
    fakes::FakePlatform desk{clock_, {{frame, {}, {files, mail}}, {frame, {}, {files, mail, {.id = 3, .title_utf8 = "Terminal", .area = {250, 50, 150, 200}}}}}};
    desk.set_before_inject([&](std::size_t sent) { desk.show(sent < 5 ? 0 : 1); });
    model_.add("<answer><|begin_of_box|>left_drag(start_box='[100,500]', end_box='[800,500]')<|end_of_box|></answer>");
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    auto session = Session::create(options_, desk, model_, clock_, sink_);
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->run_task("Drag.", {}));
    EXPECT_NE(executed_reason().find("\"Terminal\""), std::string::npos) << executed_reason();
    const auto* back = std::get_if<PointerMove>(&desk.events().back()); // then everything is released
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(back->to, (Point{40, 150}));
    EXPECT_TRUE(desk.held().empty());
}

class SessionApproval : public SessionAuthority {
protected:
    /// One click, which `person` is asked about.
    void run_asking(const std::function<ApprovalAnswer(const ApprovalRequest&)>& person) {
        options_.policy.otherwise = Effect::Ask;
        options_.ask = [person](const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token&) {
            announce();
            return person(request);
        };
        model_.add(click_at(500, 500));
        model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
        run();
    }
    std::string expired_why() {
        const auto events = sink_.of_type("approval.expired");
        return events.empty() ? "" : parse_json(events.front().data_json)->value("why", "");
    }
};

TEST_F(SessionApproval, AnApprovedClickIsPerformed) {
    run_asking([](const ApprovalRequest&) { return ApprovalAnswer{ApprovalDecision::Approve, "a person", ""}; });
    EXPECT_EQ(presses(), 1);
}

TEST_F(SessionApproval, TheDigestCoversActionWindowPictureAndExpiry) {
    run_asking([](const ApprovalRequest& request) {
        EXPECT_EQ(request.action_digest, approval_digest(request));
        ApprovalRequest other = request;
        other.action_json += " ";
        EXPECT_NE(approval_digest(other), request.action_digest);
        other = request;
        other.window += 1;
        EXPECT_NE(approval_digest(other), request.action_digest);
        other = request;
        other.frame_sha256 = std::string(64, '0');
        EXPECT_NE(approval_digest(other), request.action_digest);
        other = request;
        other.expires_at += std::chrono::milliseconds(1);
        EXPECT_NE(approval_digest(other), request.action_digest);
        return ApprovalAnswer{ApprovalDecision::Deny, "a person", ""};
    });
    EXPECT_EQ(presses(), 0);
}

TEST_F(SessionApproval, AnotherWindowThatLooksTheSameVoidsTheApproval) {
    const Image frame = solid_frame(kScreen, 255, 255, 255);
    const Rect whole{0, 0, kScreen.width_px, kScreen.height_px};
    fakes::FakePlatform twins{clock_, {{frame, {}, {{.id = 1, .title_utf8 = "Mail", .area = whole}}}, {frame, {}, {{.id = 2, .title_utf8 = "Mail", .area = whole}}}}};
    options_.policy.otherwise = Effect::Ask;
    options_.ask = [&](const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token&) {
        EXPECT_EQ(request.window_title, "Mail");
        announce();
        twins.show(1);
        return ApprovalAnswer{ApprovalDecision::Approve, "a person", ""};
    };
    model_.add(click_at(500, 500));
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    auto session = Session::create(options_, twins, model_, clock_, sink_);
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->run_task("Click.", {}));
    EXPECT_TRUE(twins.events().empty());
    EXPECT_EQ(expired_why(), "target_changed");
}

TEST_F(SessionApproval, AChangedPictureVoidsTheApproval) {
    run_asking([this](const ApprovalRequest&) {
        platform_.show(1);
        return ApprovalAnswer{ApprovalDecision::Approve, "a person", ""};
    });
    EXPECT_EQ(presses(), 0);
    EXPECT_EQ(expired_why(), "target_changed");
}

TEST_F(SessionApproval, WordsForAChangedPictureAreNotTyped) {
    model_.add("<answer><|begin_of_box|>type(content='hello')<|end_of_box|></answer>");
    run_asking([this](const ApprovalRequest& request) {
        platform_.show(1);
        return ApprovalAnswer{request.step == 1 ? ApprovalDecision::Approve : ApprovalDecision::Deny, "a person", ""};
    });
    EXPECT_TRUE(platform_.texts().empty());
    EXPECT_EQ(expired_why(), "target_changed");
}

// The click of the approved action lets another window come up and take the focus: its words are not for that one.
TEST_F(SessionApproval, ApprovedWordsAreNotTypedIntoAWindowThatTookTheFocus) {
    const Image frame = solid_frame(kScreen, 255, 255, 255);
    const WindowInfo mail{.id = 1, .title_utf8 = "Mail", .area = {0, 0, 400, 200}, .is_focused = true};
    const WindowInfo mail_behind{.id = 1, .title_utf8 = "Mail", .area = {0, 0, 400, 200}};
    const WindowInfo terminal{.id = 2, .title_utf8 = "Terminal", .area = {0, 200, 400, 100}, .is_focused = true};
    fakes::FakePlatform desk{clock_, {{frame, {}, {mail}}, {frame, {}, {mail_behind, terminal}}}};
    desk.set_before_inject([&](std::size_t sent) { desk.show(sent == 2 ? 1 : desk.scene()); }); // as the button comes up
    options_.policy.rules = {{.name = "letters", .effect = Effect::Ask, .titles = {"Mail"}}}; // in the other window it were allowed
    int asked = 0;
    options_.ask = [&](const ApprovalRequest&, const std::function<void()>& announce, const std::stop_token&) {
        announce();
        return ApprovalAnswer{++asked == 1 ? ApprovalDecision::Approve : ApprovalDecision::Deny, "a person", ""};
    };
    model_.add("<answer><|begin_of_box|>type(start_box='[500,300]', content='hello')<|end_of_box|></answer>");
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    auto session = Session::create(options_, desk, model_, clock_, sink_);
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE((*session)->run_task("Write.", {}));
    EXPECT_EQ(desk.events().size(), 3U); // the click
    EXPECT_TRUE(desk.texts().empty());
    EXPECT_NE(executed_reason().find("focus is in \"Terminal\""), std::string::npos) << executed_reason();
}

TEST_F(SessionApproval, AnApprovalThatComesTooLateIsNone) {
    run_asking([this](const ApprovalRequest&) {
        clock_.advance(options_.approval_ttl);
        return ApprovalAnswer{ApprovalDecision::Approve, "a person", ""};
    });
    EXPECT_EQ(presses(), 0);
    EXPECT_EQ(expired_why(), "expired");
}

TEST_F(SessionApproval, WhatWasStoppedWhileAPersonWasAskedIsNoSuccess) {
    run_asking([this](const ApprovalRequest&) {
        stop_.request_stop();
        return ApprovalAnswer{ApprovalDecision::Dropped, "", ""};
    });
    EXPECT_EQ(presses(), 0);
    const auto finished = sink_.of_type("task.step_finished");
    ASSERT_EQ(finished.size(), 1U);
    EXPECT_EQ(parse_json(finished.front().data_json)->value("result", ""), "refused");
    EXPECT_EQ(parse_json(finished.front().data_json)->value("observation", ""), "Not done: it was not begun");
}

TEST_F(SessionApproval, EachActionNeedsAnApprovalOfItsOwn) {
    int asked = 0;
    model_.add(click_at(500, 500));
    model_.add(click_at(500, 500));
    run_asking([&](const ApprovalRequest&) {
        return ApprovalAnswer{++asked == 1 ? ApprovalDecision::Approve : ApprovalDecision::Deny, "a person", ""};
    });
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(presses(), 1);
}

TEST_F(SessionAuthority, WhereNobodyCanBeAskedAskMeansDeny) {
    options_.policy.otherwise = Effect::Ask;
    model_.add(click_at(500, 500));
    model_.add("<answer><|begin_of_box|>FAIL()<|end_of_box|></answer>");
    run();
    EXPECT_EQ(presses(), 0);
    EXPECT_TRUE(sink_.of_type("approval.requested").empty());
}

} // namespace
} // namespace handeye
