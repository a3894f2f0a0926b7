// SPDX-License-Identifier: Apache-2.0
// The whole loop on a scripted screen, a scripted model and simulated time.
#include "agent/session.h"
#include "base/image_codec.h"
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
using fakes::MemorySink;
using fakes::ScriptedModel;
using fakes::SimClock;
using fakes::solid_frame;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr Size kScreen{400, 300};

std::string say(const std::string& call) {
    return "<think>A thought.</think><answer>Doing it.\n<|begin_of_box|>" + call + "<|end_of_box|>\nMemory:\n[]</answer>";
}
std::string click_at(int x, int y) {
    return say("left_click(start_box='[" + std::to_string(x) + "," + std::to_string(y) + "]', element_info='Save')");
}

json data_of(const SessionEvent& event) { return parse_json(event.data_json).value_or(json()); }

/// Scene 0 is white; a click in its middle shows scene 1, black. What each test does not care about is set here.
class SessionTest : public testing::Test {
protected:
    SessionTest() { platform_.on_click(0, {180, 130, 40, 40}, 1); }

    TaskReport run(const std::string& goal = "Click Save.") {
        auto session = Session::create(options_, platform_, model_, clock_, sink_);
        EXPECT_TRUE(session) << session.error().message;
        auto report = (*session)->run_task(goal, stop_.get_token());
        EXPECT_TRUE(report) << report.error().message;
        EXPECT_TRUE(platform_.held().empty());
        return report.value_or(TaskReport{});
    }
    /// The data of the only, or the last, event of a type.
    json last(const std::string& type) {
        const auto events = sink_.of_type(type);
        EXPECT_FALSE(events.empty()) << type;
        return events.empty() ? json() : data_of(events.back());
    }

    SimClock clock_;
    FakePlatform platform_{clock_, {{solid_frame(kScreen, 255, 255, 255)}, {solid_frame(kScreen, 0, 0, 0)}}};
    ScriptedModel model_;
    MemorySink sink_;
    SessionOptions options_{.session_id = "01TEST"};
    std::stop_source stop_;
};

TEST_F(SessionTest, ClicksAndIsDoneWhenTheModelSaysSo) {
    model_.add(click_at(500, 500));
    model_.add(say("DONE()"));
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::Done);
    EXPECT_EQ(report.steps, 2);
    EXPECT_EQ(report.tokens, 240);
    EXPECT_EQ(platform_.scene(), 1U);
    EXPECT_EQ(last("action.verified")["certainty"], "confirmed");
}

TEST_F(SessionTest, EmitsItsEventsInTheOrderOfTheLoop) {
    model_.add(click_at(500, 500));
    model_.add(say("DONE()"));
    run();
    const std::vector<std::string> want{
        "session.opened", "task.started",
        "task.step_started", "observation.captured", "prompt.built", "engine.finished", "action.proposed", "action.gated",
        "action.executed", "observation.captured", "action.verified", "task.step_finished",
        "task.step_started", "observation.captured", "prompt.built", "engine.finished", "action.proposed", "action.gated",
        "task.step_finished", "task.finished", "session.closed"};
    EXPECT_EQ(sink_.types(), want);
    EXPECT_EQ(sink_.of_type("task.step_finished")[0].durability, Durability::Synced);
}

TEST_F(SessionTest, RecordsTheWholeChainOfCoordinates) {
    model_.add(click_at(500, 500));
    model_.add(say("DONE()"));
    run();
    const json executed = last("action.executed");
    ASSERT_EQ(executed["points"].size(), 1U);
    EXPECT_EQ(executed["points"][0]["model"]["x"], 500);
    EXPECT_EQ(executed["points"][0]["image"]["x"], 200);
    EXPECT_EQ(executed["points"][0]["target"]["y"], 150);
    EXPECT_EQ(executed["points"][0]["target"]["frame"]["width"], 400);
    EXPECT_EQ(executed["landed"]["x"], 200);
}

TEST_F(SessionTest, StoresEachPictureOnceAndEveryTextItNames) {
    model_.add(click_at(500, 500));
    model_.add(say("DONE()"));
    run();
    int pictures = 0;
    for (const SessionEvent& event : sink_.events()) {
        for (const Blob& blob : event.blobs) {
            pictures += blob.media_type == "image/png" ? 1 : 0;
            EXPECT_NE(event.data_json.find(blob.sha256_hex), std::string::npos) << event.type;
        }
    }
    EXPECT_EQ(pictures, 2); // white before, black after; the second step sees the black one again
    const std::string prompt = last("prompt.built")["text"]["sha256"];
    const auto& bytes = *sink_.blobs().at(prompt).bytes;
    const std::string text(bytes.begin(), bytes.end());
    EXPECT_NE(text.find("Click Save."), std::string::npos);
    EXPECT_NE(text.find("<picture 400x300>"), std::string::npos);
}

TEST_F(SessionTest, TellsTheModelThatNothingChanged) {
    model_.add(click_at(100, 100));
    model_.add(say("DONE()"));
    run();
    EXPECT_EQ(last("action.verified")["certainty"], "suspected_noop");
    const std::string prompt = last("prompt.built")["text"]["sha256"];
    const auto& bytes = *sink_.blobs().at(prompt).bytes;
    EXPECT_NE(std::string(bytes.begin(), bytes.end()).find("did not change"), std::string::npos);
}

TEST_F(SessionTest, TakesABlinkingCaretForNoProof) {
    const Image white = solid_frame(kScreen, 255, 255, 255);
    std::vector<std::uint8_t> pixels(white.bytes().begin(), white.bytes().end());
    for (std::size_t y = 100; y < 118; ++y) {
        std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>((y * 400 + 50) * 3), 3, std::uint8_t{0});
    }
    FakePlatform platform(clock_, {{white}, {Image::from_pixels(kScreen, PixelFormat::Rgb, pixels).value()}});
    platform.on_click(0, {0, 0, 400, 300}, 1);
    model_.add(click_at(500, 500));
    model_.add(say("DONE()"));
    auto session = Session::create(options_, platform, model_, clock_, sink_);
    ASSERT_TRUE(session);
    ASSERT_TRUE((*session)->run_task("Click.", {}));
    EXPECT_EQ(last("action.verified")["certainty"], "unverifiable");
    EXPECT_EQ(last("action.verified")["changed"]["width"], 1);
}

TEST_F(SessionTest, AsksAgainOnceWithOtherSampling) {
    model_.add("I am not sure what to do.");
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    ASSERT_EQ(model_.requests().size(), 2U);
    EXPECT_EQ(model_.requests()[0].sampling.temperature, 0.0);
    EXPECT_EQ(model_.requests()[1].sampling.temperature, 0.8);
    EXPECT_EQ(last("engine.finished")["attempt"], 2);
}

TEST_F(SessionTest, TellsTheModelWhichActionsThereAre) {
    model_.add("Hm.");
    model_.add("Hm.");
    model_.add(say("DONE()"));
    EXPECT_EQ(run().steps, 2);
    const std::string observation = data_of(sink_.of_type("task.step_finished")[0])["observation"];
    EXPECT_NE(observation.find("left_click"), std::string::npos) << observation;
    EXPECT_EQ(data_of(sink_.of_type("task.step_finished")[0])["result"], "no_action");
}

TEST_F(SessionTest, NeverTakesAnUnparsableAnswerForSuccess) {
    model_.set_forever("[{\"Type\": \"Type\"}]");
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::ParseFailures);
    EXPECT_EQ(report.steps, 5);
    EXPECT_EQ(model_.requests().size(), 10U);
    EXPECT_TRUE(platform_.events().empty());
}

TEST_F(SessionTest, CountsParseFailuresInARowOnly) {
    options_.budget.parse_failures_max = 2;
    for (int i = 0; i < 3; ++i) {
        model_.add("Hm.");
        model_.add("Hm.");
        model_.add(click_at(500, 500 + i * 50));
    }
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
}

TEST_F(SessionTest, StopsAtTheStepBudgetExactly) {
    options_.budget.steps_max = 7;
    for (int i = 0; i < 20; ++i) {
        model_.add(say("hover(start_box='[" + std::to_string(50 * i) + ",10]')"));
    }
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::BudgetExceeded);
    EXPECT_EQ(report.steps, 7);
    EXPECT_EQ(model_.requests().size(), 7U);
    EXPECT_EQ(last("budget.exceeded")["budget"], "steps");
}

TEST_F(SessionTest, DoesNothingOnABudgetOfNoSteps) {
    options_.budget.steps_max = 0;
    EXPECT_EQ(run().outcome, TaskOutcome::BudgetExceeded);
    EXPECT_EQ(platform_.captures(), 0U);
}

TEST_F(SessionTest, StopsAtTheTokenBudgetExactly) {
    options_.budget.tokens_max = 360; // three answers of 120
    for (int i = 0; i < 20; ++i) {
        model_.add(say("hover(start_box='[" + std::to_string(50 * i) + ",10]')"));
    }
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::BudgetExceeded);
    EXPECT_EQ(report.steps, 3);
    EXPECT_EQ(report.tokens, 360);
    EXPECT_EQ(model_.requests().back().max_new_tokens, 120); // never more than what is left
}

TEST_F(SessionTest, StopsAtTheWallTimeBudget) {
    options_.budget.wall_max = 10s;
    model_.set_time(clock_, 3s);
    for (int i = 0; i < 20; ++i) {
        model_.add(say("hover(start_box='[" + std::to_string(50 * i) + ",10]')"));
    }
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::BudgetExceeded);
    EXPECT_EQ(report.steps, 4); // the fourth answer comes after 12 s and is cut off
    EXPECT_EQ(last("engine.finished")["stop_reason"], "cancelled");
    EXPECT_EQ(last("budget.exceeded")["budget"], "wall_ms");
}

TEST_F(SessionTest, RefusesDeniedVerbsAndSaysSo) {
    options_.policy.deny_verbs = {"type"};
    model_.add(say("type(content='rm -rf')"));
    model_.add(click_at(500, 500));
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_TRUE(platform_.texts().empty());
    EXPECT_EQ(data_of(sink_.of_type("action.gated")[0])["gate"], "deny");
    const std::string observation = data_of(sink_.of_type("task.step_finished")[0])["observation"];
    EXPECT_NE(observation.find("not allowed"), std::string::npos) << observation;
}

TEST_F(SessionTest, EndsAsDeniedWhenTheModelInsists) {
    options_.policy.allow_verbs = {"scroll"};
    for (int i = 0; i < 9; ++i) {
        model_.add(click_at(100 * i, 500));
    }
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::Denied);
    EXPECT_EQ(report.steps, 3);
    EXPECT_TRUE(platform_.events().empty());
}

TEST_F(SessionTest, TellsTheModelThatAPointLiesOutside) {
    model_.add(click_at(1700, 20));
    model_.add(say("DONE()"));
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_TRUE(platform_.events().empty());
}

TEST_F(SessionTest, MapsTheModelsVerdictsToOutcomes) {
    model_.add(say("FAIL()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Infeasible);
}

TEST_F(SessionTest, EndsAsStuckOnTheSameActionWithoutEffect) {
    model_.set_forever(click_at(100, 100));
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::Stuck);
    EXPECT_EQ(report.steps, 4);
    const auto loops = sink_.of_type("loop.suspected");
    ASSERT_EQ(loops.size(), 2U); // told once, then stopped
    EXPECT_EQ(data_of(loops[0])["stops"], false);
    EXPECT_EQ(data_of(loops[1])["stops"], true);
}

TEST_F(SessionTest, CutsOffAnAnswerThatRepeatsItself) {
    std::string answer = "<think>";
    for (int i = 0; i < 200; ++i) {
        answer += "I should look at the screen again, because the button that I want is not there yet, and then click it. ";
    }
    model_.add(answer);
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_EQ(data_of(sink_.of_type("engine.finished")[0])["stop_reason"], "cancelled");
    EXPECT_EQ(last("loop.suspected")["rule"], "repetition");
}

TEST_F(SessionTest, StopsWhileTheModelAnswers) {
    model_.add(click_at(500, 500));
    int pieces = 0;
    model_.set_while_answering([&] {
        if (++pieces == 3) {
            stop_.request_stop();
        }
    });
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::Stopped);
    EXPECT_EQ(pieces, 3);
    EXPECT_TRUE(platform_.events().empty());
}

TEST_F(SessionTest, StopsWithinOneEventAndReleasesWhatIsPressed) {
    model_.add(say("left_drag(start_box='[100,100]', end_box='[900,900]')"));
    platform_.set_before_inject([&](std::size_t events) {
        if (events == 5) {
            stop_.request_stop();
        }
    });
    EXPECT_EQ(run().outcome, TaskOutcome::Stopped);
    EXPECT_LE(platform_.events().size(), 8U); // the one in flight, and what lets go
    EXPECT_GE(platform_.releases(), 1U);
}

TEST_F(SessionTest, FailsWithTheReasonWhenTheScreenGoesAway) {
    platform_.fail_next(fakes::Call::Capture, {ErrorCode::Unavailable, "the display :7 went away"});
    const TaskReport report = run();
    EXPECT_EQ(report.outcome, TaskOutcome::Failed);
    EXPECT_NE(report.message.find(":7"), std::string::npos);
    EXPECT_EQ(last("task.finished")["outcome"], "failed");
}

TEST_F(SessionTest, FailsWithTheReasonWhenTheEngineIsLost) {
    const TaskReport report = run(); // no answers
    EXPECT_EQ(report.outcome, TaskOutcome::Failed);
    EXPECT_EQ(last("engine.finished")["error"]["code"], "engine_lost");
}

TEST_F(SessionTest, AsksOnceMoreWhenTheEngineIsLostAndRecordsBoth) {
    model_.fail_next({ErrorCode::EngineLost, "killed by signal 11"});
    model_.add("Action: DONE()");
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_EQ(model_.requests().size(), 2U);
    EXPECT_EQ(sink_.of_type("engine.finished").size(), 2U);
}

TEST_F(SessionTest, RefusesGoalsWithoutMeasure) {
    EXPECT_EQ(run("").outcome, TaskOutcome::Failed);
    const TaskReport report = run(std::string(100'000, 'x'));
    EXPECT_EQ(report.outcome, TaskOutcome::Failed);
    EXPECT_NE(report.message.find("100000"), std::string::npos) << report.message;
}

TEST_F(SessionTest, DoesNothingMoreWhenTheSinkFails) {
    model_.set_forever(click_at(500, 500));
    sink_.fail_at(8); // action.gated of the first step: before anything was sent
    auto session = Session::create(options_, platform_, model_, clock_, sink_);
    ASSERT_TRUE(session);
    const auto report = (*session)->run_task("Click Save.", {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::IoFailed);
    EXPECT_TRUE(platform_.events().empty());
}

TEST_F(SessionTest, RefusesAPolicyWithUnknownVerbs) {
    options_.policy.deny_verbs = {"teleport"};
    const auto session = Session::create(options_, platform_, model_, clock_, sink_);
    ASSERT_FALSE(session);
    EXPECT_NE(session.error().message.find("teleport"), std::string::npos);
}

TEST_F(SessionTest, PaintsOverPasswordFieldsBeforeAnythingIsStored) {
    Image secret = solid_frame(kScreen, 255, 255, 255);
    Element field;
    field.role = "password text";
    field.box = {100, 100, 80, 20};
    field.is_secret = true;
    FakePlatform platform(clock_, {{secret, {field}}});
    model_.add(say("DONE()"));
    auto session = Session::create(options_, platform, model_, clock_, sink_);
    ASSERT_TRUE(session);
    ASSERT_TRUE((*session)->run_task("Look.", {}));
    const json captured = last("observation.captured");
    EXPECT_EQ(captured["masks"], 1);
    const Blob& blob = sink_.blobs().at(captured["frame"]["sha256"]);
    const Image stored = decode_image(*blob.bytes).value_or(Image());
    ASSERT_EQ(stored.size(), kScreen);
    const auto inside = stored.cropped(field.box);
    const std::uint8_t shade = inside.bytes()[0];
    EXPECT_NE(shade, 255);
    EXPECT_TRUE(std::ranges::all_of(inside.bytes(), [shade](std::uint8_t byte) { return byte == shade; }));
    EXPECT_EQ(stored.row(0)[0], 255);
}

TEST_F(SessionTest, StoresNoPictureWhenItCannotKnowTheSecrets) {
    platform_.fail_next(fakes::Call::Elements, {ErrorCode::Unavailable, "the accessibility bus is gone"});
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_TRUE(last("observation.captured")["frame"].is_null());
    EXPECT_NE(std::string(last("observation.captured")["withheld"]).find("bus is gone"), std::string::npos);
}

TEST_F(SessionTest, WhatIsTypedWhereNobodyKnowsOfPasswordsIsHidden) {
    const auto is_written_down = [&](const std::string& words) {
        return std::ranges::any_of(sink_.events(), [&](const SessionEvent& event) { return event.data_json.find(words) != std::string::npos; });
    };
    platform_.fail_next(fakes::Call::Elements, {ErrorCode::DeadlineExceeded, "the screen moves on"});
    model_.add(say("type(content='hunter22')"));
    model_.add(say("type(content='good morning')")); // the screen rests: there is no password field
    model_.add(say("DONE()"));
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    ASSERT_EQ(platform_.texts(), (std::vector<std::string>{"hunter22", "good morning"}));
    EXPECT_FALSE(is_written_down("hunter22"));
    EXPECT_TRUE(is_written_down("good morning"));
}

// R21: what step 50 asks must cost what step 5 asks.
TEST_F(SessionTest, KeepsThePromptBounded) {
    options_.budget.steps_max = 120;
    for (int i = 0; i < 120; ++i) {
        model_.add("<think>" + std::string(3000, 'x') + "</think><answer>" + std::string(1500, 'y') + " number " + std::to_string(i) +
                   "\n<|begin_of_box|>hover(start_box='[" + std::to_string(i * 37 % 1000) + "," + std::to_string(i * 91 % 1000) +
                   "]')<|end_of_box|>\nMemory:\n[]</answer>");
    }
    EXPECT_EQ(run().outcome, TaskOutcome::BudgetExceeded);
    const auto size_of = [&](std::size_t step) {
        std::size_t bytes = 0;
        std::size_t pictures = 0;
        for (const Part& part : model_.requests()[step - 1].messages.back().parts) {
            if (const auto* text = std::get_if<TextPart>(&part)) {
                bytes += text->text_utf8.size();
            } else {
                ++pictures;
            }
        }
        EXPECT_LE(pictures, 5U);
        return bytes;
    };
    EXPECT_LT(size_of(50), size_of(12) + 50U * 260U);
    EXPECT_LT(size_of(120), size_of(12) + 110U * 260U);
}

TEST_F(SessionTest, RunsSeveralTasksInOneSession) {
    model_.add(say("DONE()"));
    model_.add(say("FAIL()"));
    {
        auto session = Session::create(options_, platform_, model_, clock_, sink_);
        ASSERT_TRUE(session);
        EXPECT_EQ((*session)->run_task("One.", {}).value_or(TaskReport{}).outcome, TaskOutcome::Done);
        EXPECT_EQ((*session)->run_task("Two.", {}).value_or(TaskReport{}).outcome, TaskOutcome::Infeasible);
    }
    EXPECT_EQ(sink_.of_type("session.opened").size(), 1U);
    EXPECT_EQ(last("session.closed")["tasks"], 2);
    EXPECT_EQ(last("task.finished")["task"], 2);
}

} // namespace
} // namespace handeye
