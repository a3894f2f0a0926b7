// SPDX-License-Identifier: Apache-2.0
// Two runs side by side: which steps belong together, and every kind of difference in words. And a demonstration's own words.
#include "agent/report.h"
#include "agent/report_align.h"
#include "agent/report_compare.h"
#include "agent/report_words.h"
#include "tests/agent/recorded_session.h"
#include "tests/agent/recording_samples.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using report::compare;
using report::Comparison;
using report::json;
using report::SessionRecord;
using report::StepRecord;

struct Made {
    std::string verb = "click";
    std::string label = "Save"; ///< of what lay there; empty: nothing did
    std::string result = "confirmed";
    double ms = 500;
    std::string text;
    std::string answer;
    std::string rung;
    double x = 100;
};

StepRecord make(int index, const Made& made) {
    StepRecord out;
    out.index = index;
    out.proposals.push_back({{"verb", made.verb}, {"summary", made.verb}, {"action", {{"verb", made.verb}, {"x", made.x}, {"y", 50}}}});
    if (!made.text.empty()) {
        out.proposals[0]["action"]["text"] = made.text;
    }
    if (!made.rung.empty()) {
        out.proposals[0]["found"] = {{"rung", made.rung}};
    }
    if (!made.answer.empty()) {
        out.answers.push_back({{"text", {{"sha256", made.answer}}}});
    }
    json element = made.label.empty() ? json() : json{{"role", "push button"}, {"label", made.label}};
    out.executed = {{"points", {{{"target", {{"x", made.x}, {"y", 50}, {"frame", {{"width", 1000}, {"height", 1000}}}}}, {"element", element}}}}};
    out.finished = {{"result", made.result}, {"timings_ms", {{"generate", made.ms}}}};
    return out;
}

SessionRecord session(const std::vector<Made>& steps) {
    SessionRecord out;
    out.tasks.push_back({.index = 1, .started = {{"goal", "Save it."}}, .finished = {{"outcome", "done"}}, .started_at = "", .steps = {}});
    for (const Made& made : steps) {
        out.tasks[0].steps.push_back(make(static_cast<int>(out.tasks[0].steps.size()) + 1, made));
    }
    return out;
}

std::vector<std::string> kinds(const std::vector<report::Difference>& differences) {
    std::vector<std::string> out;
    std::transform(differences.begin(), differences.end(), std::back_inserter(out), [](const report::Difference& one) { return one.kind; });
    return out;
}

// "1-1 2-_ 3-2": the numbers of this run's and the other's step.
std::string pairs(const Comparison& comparison) {
    std::string out;
    for (const report::StepPair& pair : comparison.tasks.at(0).steps) {
        out += fmt::format("{}{}-{}", out.empty() ? "" : " ", pair.mine == nullptr ? "_" : std::to_string(pair.mine->index), pair.other == nullptr ? "_" : std::to_string(pair.other->index));
    }
    return out;
}

TEST(CompareRuns, TheSameRunHasNoDifference) {
    const SessionRecord run = session({{.label = "Open"}, {.label = "Save"}, {.verb = "type", .text = "Ada"}});
    const Comparison found = compare(run, run);
    EXPECT_EQ(found.count(), 0U);
    EXPECT_EQ(report::to_json(found)["same"], true);
    EXPECT_EQ(pairs(found), "1-1 2-2 3-3");
}

struct OneDifference {
    const char* name;
    Made mine, other;
    std::string kind;
    std::string words;
};
class EachDifference : public testing::TestWithParam<OneDifference> {};

TEST_P(EachDifference, IsToldInWords) {
    const OneDifference& param = GetParam();
    const SessionRecord mine = session({param.mine});
    const SessionRecord other = session({param.other});
    const Comparison found = compare(mine, other);
    ASSERT_EQ(found.count(), 1U) << report::to_json(found).dump();
    const report::Difference& one = found.tasks.at(0).steps.at(0).differences.at(0);
    EXPECT_EQ(one.kind, param.kind);
    EXPECT_EQ(one.words, param.words);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachDifference,
                         testing::Values(OneDifference{"Action", {.verb = "double_click"}, {}, "action", "double click instead of click"},
                                         OneDifference{"Target", {.label = "Cancel"}, {}, "target", "another target: “Cancel” (push button) instead of “Save” (push button)"},
                                         OneDifference{"Place", {.label = "", .x = 900}, {.label = ""}, "target", "another target: 900, 50 instead of 100, 50"},
                                         OneDifference{"Input", {.verb = "type", .text = "Ada"}, {.verb = "type", .text = "Eve"}, "input", "other input: text “Ada” instead of text “Eve”"},
                                         OneDifference{"Answer", {.answer = "aa"}, {.answer = "bb"}, "answer", "the model answered in other words"},
                                         OneDifference{"Rung", {.rung = "text"}, {.rung = "structure"}, "rung", "found by text instead of structure"},
                                         OneDifference{"EffectGone", {.result = "suspected_noop"}, {}, "effect_gone", "the effect is gone: no visible effect instead of confirmed"},
                                         OneDifference{"EffectNew", {}, {.result = "suspected_noop"}, "effect_new", "an effect that the other run had not: confirmed instead of no visible effect"},
                                         OneDifference{"Result", {.result = "denied"}, {.result = "refused"}, "result", "denied instead of refused"},
                                         OneDifference{"Slower", {.ms = 4000}, {}, "slower", "slower: 4.00 s instead of 500 ms"}),
                         [](const auto& row) { return row.param.name; });

TEST(CompareRuns, AMovedTargetAndALittleMoreTimeAreNone) {
    EXPECT_EQ(compare(session({{.ms = 1400, .x = 700}}), session({{}})).count(), 0U); // the button moved; it is known by its label
    EXPECT_EQ(compare(session({{.label = "", .x = 120}}), session({{.label = ""}})).count(), 0U);
    EXPECT_EQ(compare(session({{.ms = 500}}), session({{.ms = 4000}})).count(), 0U); // faster
}

TEST(CompareRuns, AStepMoreShiftsNothing) {
    const SessionRecord other = session({{.label = "Open"}, {.label = "Save"}, {.label = "Close"}});
    const SessionRecord mine = session({{.label = "Open"}, {.verb = "scroll", .label = "List"}, {.label = "Save"}, {.label = "Close"}});
    const Comparison more = compare(mine, other);
    EXPECT_EQ(pairs(more), "1-1 2-_ 3-2 4-3");
    EXPECT_EQ(kinds(more.tasks[0].steps[1].differences), std::vector<std::string>{"step_added"});
    EXPECT_EQ(more.count(), 1U);
    const Comparison less = compare(other, mine);
    EXPECT_EQ(pairs(less), "1-1 _-2 2-3 3-4");
    EXPECT_EQ(kinds(less.tasks[0].steps[1].differences), std::vector<std::string>{"step_missing"});
}

TEST(CompareRuns, AnotherTargetInTheMiddleStaysAPair) {
    const SessionRecord other = session({{.label = "Open"}, {.label = "Save"}, {.label = "Close"}});
    const SessionRecord mine = session({{.label = "Open"}, {.label = "Delete"}, {.label = "Close"}});
    EXPECT_EQ(pairs(compare(mine, other)), "1-1 2-2 3-3");
}

TEST(CompareRuns, TellsOfTheTaskAndOfDamage) {
    SessionRecord mine = session({{}});
    SessionRecord other = session({{}});
    mine.tasks[0].finished["outcome"] = "stuck";
    mine.tasks[0].started["goal"] = "Save all.";
    mine.damage = "event 9 is missing";
    other.tasks.push_back(other.tasks[0]);
    const Comparison found = compare(mine, other);
    EXPECT_EQ(kinds(found.differences), (std::vector<std::string>{"damage", "tasks"}));
    EXPECT_EQ(kinds(found.tasks[0].differences), (std::vector<std::string>{"goal", "outcome"}));
    EXPECT_EQ(compare({}, {}).count(), 0U);
    EXPECT_EQ(kinds(compare({}, session({})).differences), std::vector<std::string>{"tasks"});
}

TEST(CompareRuns, TooManyDifferingStepsGoByNumberAndItIsSaid) {
    std::vector<Made> a, b;
    for (int i = 0; i < 4200; ++i) {
        a.push_back({.label = fmt::format("a{}", i)});
        b.push_back({.label = fmt::format("b{}", i)});
    }
    const SessionRecord mine = session(a), other = session(b); // a comparison points into both
    const Comparison found = compare(mine, other);
    EXPECT_TRUE(found.tasks.at(0).is_by_number);
    EXPECT_EQ(found.tasks[0].steps.size(), 4200U);
    EXPECT_EQ(report::to_json(found)["tasks"][0]["paired_by_number"], true);
}

TEST(CompareRuns, ThePageHoldsBothAndWhatDiffers) {
    const tests::TempDir dir;
    tests::record_session(dir.path() / "a.handeye", {.steps = 5, .size = {640, 400}});
    tests::record_session(dir.path() / "b.handeye", {.steps = 5, .size = {640, 400}, .odd_step = 3, .goal = "<b>Go</b> through the list."});
    const auto a = Recording::open(dir.path() / "a.handeye");
    const auto b = Recording::open(dir.path() / "b.handeye");
    const auto found = compare_recordings(*a, *b);
    ASSERT_TRUE(found);
    EXPECT_GT(found->differences, 0U);
    EXPECT_NE(found->html.find("another target: line 3 instead of Delete all"), std::string::npos);
    EXPECT_NE(found->html.find("this run"), std::string::npos);
    EXPECT_EQ(found->html.find("<b>Go"), std::string::npos);
    EXPECT_TRUE(is_report_page(found->html));
    EXPECT_EQ(compare_recordings(*a, *a)->differences, 0U);
}

SessionRecord shown(const StepRecord& step) {
    SessionRecord out;
    out.opened = {{"model", {{"name", "person"}}}};
    out.tasks.push_back({.index = 1, .started = {}, .finished = {}, .started_at = "", .steps = {step}});
    return out;
}

TEST(DemonstrationReport, SaysWhatThePersonDidAndToWhat) {
    const auto title = [](const Made& made) { return step_title(make(1, made), report::chooser_of(shown(make(1, made)))); };
    EXPECT_EQ(title({}), "Clicked “Save” (push button)");
    EXPECT_EQ(title({.verb = "double_click", .label = ""}), "Double-clicked at 100, 50");
    EXPECT_EQ(title({.verb = "type", .text = "Ada"}), "Typed “Ada”");
    StepRecord key = make(1, {.verb = "key"});
    key.proposals[0]["action"]["keys"] = "ctrl+s";
    EXPECT_EQ(step_title(key, report::Chooser::Person), "Pressed ctrl+s");
    EXPECT_EQ(step_title(make(1, {}), report::Chooser::Model), "click"); // as the model said it
}

} // namespace
} // namespace handeye
