// SPDX-License-Identifier: Apache-2.0
// A task file on a screen that is not the one it was made on: what has moved, what has no effect any more, what is called otherwise.
#include "agent/target_facts.h"
#include "agent/target_words.h"
#include "agent/task_file.h"
#include "agent/taskfile/load.h"
#include "agent/taskrun/healed_files.h"
#include "tests/agent/taskrun_fixture.h"

namespace handeye {
namespace {

using taskrun::unified_diff;
using taskrun::with_target;
using namespace taskrun_tests; // NOLINT(google-build-using-namespace): the tests of one class

TEST_F(TaskRun, TellsHowFarATargetHasMoved) {
    EXPECT_EQ(run("steps:\n  - click: {label: Save, was: [140, 30, 80, 30]}\n").outcome, TaskOutcome::Done);
    EXPECT_EQ(result_["steps"][0]["drift"]["right"], -100);
    EXPECT_EQ(result_["steps"][0]["drift"]["down"], 10);
    EXPECT_EQ(result_["steps"][0]["drift"]["text"], "100 px left and 10 px down");
    const json proposed = json::parse(sink_.of_type("action.proposed").front().data_json);
    EXPECT_EQ(proposed["found"]["drift"]["right"], -100);
}

TEST_F(TaskRun, AnEffectThatIsWantedIsWaitedFor) {
    platform_.set_paint_delay(std::chrono::seconds(2)); // settling is over long before
    platform_.set_never_quiet(false);
    const TaskReport report = run("steps:\n  - click: Save\n    effect: seen\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.scene(), 1U);
    EXPECT_FALSE(result_["steps"][0].contains("note"));
}

TEST_F(TaskRun, AnEffectThatDoesNotComeFailsTheStep) {
    platform_.show(2); // nothing happens on a click here
    const std::string step = "steps:\n  - click: {label: Accept}\n";
    EXPECT_EQ(run(step).outcome, TaskOutcome::Done);
    EXPECT_EQ(result_["steps"][0]["note"], "the screen did not change");
    const TaskReport report = run(step + "    effect: seen\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_EQ(result_["steps"][0]["failure"]["kind"], "no_effect");
}

TEST_F(TaskRun, WhatCannotBeUndoneIsNotDoneOnAnythingLess) {
    // "Save" is asked for, "Saved" is there: as the beginning of a word it is good enough to press, and not for good.
    platform_.show(1);
    EXPECT_EQ(run("steps:\n  - click: {label: Save, within: 1s}\n").outcome, TaskOutcome::Done);
    EXPECT_EQ(result_["steps"][0]["found"]["score"], 0.7);
    EXPECT_EQ(run("steps:\n  - click: {label: Save, within: 1s}\n    irreversible: true\n").outcome, TaskOutcome::Denied);
    EXPECT_NE(result_["message"].get<std::string>().find("not sure enough"), std::string::npos) << result_;
}

/// As a recording of a click into the field at `at` names it.
std::string recorded_target(const std::vector<Element>& elements, Point at) {
    const auto reader = Locator::create({});
    TargetWriter writer(*reader, [](const std::string& text) { return task_file_text(text); });
    SeenTarget seen = seen_target({{"x", at.x}, {"y", at.y}}, describe_element_at(elements, at));
    seen.picture = [] { return Result<Image>(solid_frame(kScreen, 4, 4, 4)); };
    const auto words = writer.write(seen, "picture.png");
    EXPECT_TRUE(words) << words.error().message;
    EXPECT_TRUE(writer.pictures().empty()) << "one empty field looks like another";
    return words.value_or("");
}

TEST_F(TaskRun, AFieldWithoutALabelIsTheOneBesideItsWords) {
    const std::string target = recorded_target(form({"Name:", "City"}), {200, 50});
    EXPECT_EQ(target, "{role: \"entry\", label: \"Name\", exact: true, was: [100, 40, 200, 20]}");
    const std::string file = "steps:\n  - type: {text: Ada, verify: none, into: " + target.substr(0, target.size() - 1) + ", within: 1s}}\n";
    platform_.show(8); // the rows changed their places
    ASSERT_EQ(run(file).outcome, TaskOutcome::Done) << result_;
    EXPECT_EQ(result_["steps"][0]["found"]["rung"], "structure");
    EXPECT_EQ(result_["steps"][0]["drift"]["down"], 40);
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"Ada"});
    for (const std::size_t renamed_or_gone : {9U, 10U}) {
        platform_.show(renamed_or_gone);
        const TaskReport report = run(file);
        EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
        EXPECT_NE(report.message.find("entry \"Name\" was not found"), std::string::npos) << report.message;
        EXPECT_EQ(platform_.texts().size(), 1U) << "typed into another field";
    }
}

TEST_F(TaskRun, AFieldOfSeveralThatNothingTellsApartIsNotTaken) {
    platform_.show(7);
    const TaskReport report = run("steps:\n  - type: {text: Ada, verify: none, into: {role: entry, within: 1s}}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_NE(report.message.find("is not one but 2"), std::string::npos) << report.message;
    EXPECT_TRUE(platform_.texts().empty());
    const auto reader = Locator::create({});
    TargetWriter writer(*reader, [](const std::string& text) { return task_file_text(text); });
    const std::vector<Element> bare{entry("", {100, 40, 200, 20}), entry("", {100, 80, 200, 20})};
    SeenTarget seen = seen_target({{"x", 200}, {"y", 90}}, describe_element_at(bare, {200, 90}));
    seen.picture = [] { return Result<Image>(solid_frame(kScreen, 4, 4, 4)); };
    EXPECT_FALSE(writer.write(seen, "picture.png")) << "its number would fit any form";
}

class Healing : public TaskRun {
protected:
    Healing() { heal_max_ = 1; }
    static constexpr const char* kRenamed = "steps:\n  - click: {role: push button, label: Store, exact: true, within: 1s, was: [40, 40, 80, 30]} # the old name\n";
    static constexpr const char* kAtSave = "left_click(start_box='[200,183]', element_info='Save')";
    static constexpr const char* kAtName = "left_click(start_box='[350,383]', element_info='Name')";
};

TEST_F(Healing, ARenamedButtonIsFoundByTheModelAndTheChangeCanBeReviewed) {
    model_.add(say(kAtSave));
    const TaskReport report = run(kRenamed);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_NE(report.message.find("1 of them healed"), std::string::npos) << report.message;
    EXPECT_EQ(platform_.scene(), 1U);
    EXPECT_EQ(result_["steps"][0]["found"]["rung"], "model");
    ASSERT_EQ(sink_.of_type("taskfile.healed").size(), 1U);
    EXPECT_NE(heal_diff_.find("-  - click: {role: push button, label: Store, exact: true, within: 1s, was: [40, 40, 80, 30]} # the old name\n"
                              "+  - click: {role: \"push button\", label: \"Save\", exact: true, was: [40, 40, 80, 30], within: 1s} # the old name\n"),
              std::string::npos)
        << heal_diff_;
    platform_.show(0);
    model_ = ScriptedModel();
    heal_max_ = 0;
    const std::string healed = read_file(folder_ / "task.yaml", 1 << 16).value_or("");
    EXPECT_EQ(run(healed.substr(healed.find("steps:"))).outcome, TaskOutcome::Done) << "what was healed runs without a model";
}

TEST_F(Healing, NothingIsHealedThatTheModelDoesNotFind) {
    const char* const contradicts = "left_click(start_box='[200,183]', element_info='Store')"; // and "Save" is what lies there
    const char* const nowhere = "left_click(start_box='[900,900]', element_info='Store')";
    for (const char* const answer : {kAtName, contradicts, nowhere, "WAIT()", "no action at all"}) {
        model_.add(say(answer));
        const TaskReport report = run(kRenamed);
        EXPECT_EQ(report.outcome, TaskOutcome::FellShort) << answer;
        EXPECT_NE(report.message.find("healing: the model"), std::string::npos) << report.message;
        EXPECT_TRUE(has_only_moved()) << answer;
        EXPECT_TRUE(heal_diff_.empty());
    }
}

TEST_F(Healing, WhatIsSwitchedOffIsNotTheTarget) {
    platform_.show(3);
    model_.add(say(kAtSave));
    EXPECT_EQ(run(kRenamed).outcome, TaskOutcome::FellShort);
    EXPECT_TRUE(has_only_moved());
}

TEST_F(Healing, WhatMayNotBeUndoneIsNotGuessed) {
    platform_.show(6); // "Delete" is where Save was
    model_.add(say(kAtSave));
    const TaskReport report = run(kRenamed);
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_NE(report.message.find("may not be undone"), std::string::npos) << report.message;
    EXPECT_TRUE(has_only_moved());
}

TEST_F(Healing, APasswordGoesIntoNoOtherField) {
    model_.set_forever(say(kAtName));
    const TaskReport report = run("steps:\n  - type: {text: geheim, into: {label: Password, within: 1s}, verify: masked}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_NE(report.message.find("no field for this text"), std::string::npos) << report.message;
    model_.set_forever(say(kAtSave));
    EXPECT_EQ(run("steps:\n  - type: {text: x, into: {label: Password, within: 1s}, verify: none}\n").outcome, TaskOutcome::FellShort);
    EXPECT_TRUE(platform_.texts().empty());
    EXPECT_TRUE(has_only_moved());
}

TEST_F(Healing, AnIrreversibleStepIsNeverHealed) {
    model_.add(say(kAtSave));
    EXPECT_EQ(run(std::string(kRenamed) + "    irreversible: true\n").outcome, TaskOutcome::FellShort);
    EXPECT_TRUE(model_.requests().empty());
    EXPECT_TRUE(has_only_moved());
}

TEST_F(Healing, OnlySoManyStepsAreHealed) {
    platform_.show(2);
    model_.set_forever(say("left_click(start_box='[200,183]', element_info='Accept')"));
    const TaskReport report = run("steps:\n  - click: {label: Okay, within: 1s}\n  - click: {label: Fine, within: 1s}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_EQ(model_.requests().size(), 1U);
    EXPECT_NE(heal_diff_.find("+  - click: {role: \"push button\", label: \"Accept\""), std::string::npos) << heal_diff_;
}

TEST_F(Healing, ThePolicyHoldsForWhatTheModelFound) {
    model_.add(say(kAtSave));
    EXPECT_EQ(run("policy:\n  deny:\n    - {name: no saving, text_matches: Save}\n" + std::string(kRenamed)).outcome, TaskOutcome::Denied);
    EXPECT_TRUE(has_only_moved());
}

/// A goal with a path that was kept.
class KeptPath : public TaskRun {
protected:
    std::string keep(const std::string& goal, const std::string& path, const std::string& after = "") {
        const std::string file = "steps:\n  - goal: \"" + goal + "\"\n    compile: on_success\n" + after;
        const auto loaded = taskfile::load(write("task.yaml", "version: 1\nname: test\n" + file));
        const auto& root = loaded.files.at(loaded.order.front());
        const auto kept = folder_ / taskfile::goal_path(root.tree.find("steps")->items.front(), root);
        std::filesystem::create_directories(kept.parent_path());
        std::ofstream(kept) << "version: 1\nname: path\n" << path;
        return file;
    }
};

TEST_F(KeptPath, IsTakenWithoutTheModel) {
    const std::string file = keep("Save it.", "steps:\n  - click: {label: Save}\n", "    done_when: {text: Saved}\n");
    const TaskReport report = run(file);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_TRUE(model_.requests().empty());
    EXPECT_EQ(report.tokens, 0);
    EXPECT_EQ(result_["steps"][0]["note"], "by its kept path, without the model");
    EXPECT_EQ(result_["steps"][0]["steps"][0]["found"]["rung"], "structure");
}

TEST_F(KeptPath, TheModelIsAskedWhereItLeadsNoMore) {
    model_.add(say("left_click(start_box='[200,183]', element_info='Save')"));
    const std::string file = keep("Save it.", "steps:\n  - click: {label: Store, within: 1s}\n", "    done_when: {text: Saved}\n");
    const TaskReport report = run(file);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(model_.requests().size(), 1U);
    EXPECT_NE(result_["steps"][0]["note"].get<std::string>().find("leads there no more"), std::string::npos) << result_;
    EXPECT_NE(junit_.find("failures=\"0\""), std::string::npos) << junit_;
    platform_.show(0); // of an irreversible goal the path may have done a part already
    EXPECT_EQ(run(file + "    irreversible: true\n").outcome, TaskOutcome::FellShort);
    EXPECT_EQ(model_.requests().size(), 1U);
}

TEST_F(KeptPath, ABrokenOneIsNamedAndTheModelDoesIt) {
    model_.add(say("left_click(start_box='[200,183]', element_info='Save')"));
    const std::string file = keep("Save it.", "steps:\n  - click: {label: Save, nonsense: 1}\n  - run: gone.yaml\n", "    done_when: {text: Saved}\n");
    const TaskReport report = run(file);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(model_.requests().size(), 1U);
    const std::string note = result_["steps"][0].value("note", "");
    EXPECT_NE(note.find("/task.yaml:4:26: warning: this kept path of a goal is not taken: "), std::string::npos) << note;
    EXPECT_NE(note.find("nonsense"), std::string::npos) << note;
    const TaskFileCheck checked = check_task_file(folder_ / "task.yaml", Lint::No);
    EXPECT_TRUE(checked.is_valid());
    ASSERT_EQ(checked.findings.size(), 1U);
    EXPECT_EQ(checked.findings[0].rule, "kept-path");
}

TEST_F(KeptPath, WhatItDidForGoodIsNotDoneAgainByTheModel) {
    model_.set_forever(say(std::string("left_click(start_box='[200,183]', element_info='Save')")));
    const TaskReport report = run(keep("Save it.", "steps:\n  - click: {label: Save}\n    irreversible: true\n  - click: {label: Nope, within: 1s}\n"));
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_TRUE(model_.requests().empty());
}

TEST_F(KeptPath, ItsOwnRulesAndTheGoalsLimitsHold) {
    EXPECT_EQ(run(keep("Save it.", "policy:\n  deny:\n    - {name: no, text_matches: Save}\nsteps:\n  - click: {label: Save}\n    irreversible: true\n")).outcome, TaskOutcome::Denied);
    EXPECT_TRUE(platform_.events().empty());
    const TaskReport report = run(keep("Save all.", "steps:\n  - click: {label: Save}\n  - key: a\n  - key: b\n", "    budget: {steps: 1}\n"));
    EXPECT_EQ(report.outcome, TaskOutcome::BudgetExceeded) << report.message;
}

TEST_F(KeptPath, WithOtherValuesItNeedsAProof) {
    const std::string vars = "vars:\n  who: string\n";
    const std::string path = "vars:\n  who: {type: string, default: Ada}\nsteps:\n  - type: {text: \"${vars.who}\", into: {label: Name}, verify: none}\n";
    std::string file = keep("Fill in ${vars.who}.", path);
    model_.set_forever(say("DONE()"));
    EXPECT_EQ(run(vars + file, {{"who", "Ada"}}).outcome, TaskOutcome::Done);
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"Ada"});
    EXPECT_TRUE(model_.requests().empty());
    run(vars + file, {{"who", "Bob"}});
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"Ada"}) << "nothing would prove that Bob was filled in";
    EXPECT_EQ(model_.requests().size(), 1U);
    file += "    done_when: {text: Save}\n";
    EXPECT_EQ(run(vars + file, {{"who", "Bob"}}).outcome, TaskOutcome::Done);
    EXPECT_EQ(platform_.texts(), (std::vector<std::string>{"Ada", "Bob"}));
}

TEST(TargetWords, KnowWhatMayNotBeUndone) {
    for (const char* const label : {"Delete", "delete_all", "Jetzt \xC3\xBC""berweisen", "\xC3\x9C""BERWEISEN", "Bestellung absenden", "Confirm payment", "Empty Trash", "Pay $5 now"}) {
        EXPECT_TRUE(says_irreversible(label)) << label;
    }
    for (const char* const label : {"Save", "Undelete", "Payload", "Sender", "Borders", ""}) {
        EXPECT_FALSE(says_irreversible(label)) << label;
    }
}

TEST(HealedFiles, ReplacesATargetHoweverItIsWritten) {
    const std::string head = "version: 1\nname: t\nsteps:\n";
    const struct {
        std::string step;
        int column;
        std::string want;
    } cases[] = {
        {"  - click: Save\n", 12, "  - click: {label: X}\n"},
        {"  - click: Save and go # why\n", 12, "  - click: {label: X} # why\n"},
        {"  - click: \"Sa\\\"ve\"\n", 12, "  - click: {label: X}\n"},
        {"  - click: 'it''s'\n", 12, "  - click: {label: X}\n"},
        {"  - {click: Save, id: s}\n", 13, "  - {click: {label: X}, id: s}\n"},
        {"  - {click: {text: \"}\", near: {text: a}}, id: s}\n", 13, "  - {click: {label: X}, id: s}\n"},
        {"  - {id: s, label: \"äöü\", click: Save}\n", 34, "  - {id: s, label: \"äöü\", click: {label: X}}\n"},
    };
    for (const auto& row : cases) {
        const auto out = with_target(head + row.step, {4, row.column}, "{label: X}");
        ASSERT_TRUE(out) << row.step << out.error().message;
        EXPECT_EQ(*out, head + row.want);
    }
    EXPECT_FALSE(with_target(head + "  - click:\n      label: Save\n      role: button\n", {5, 7}, "{label: X}"));
    EXPECT_FALSE(with_target(head + "  - click: Save\n", {9, 1}, "{label: X}"));
}

TEST(HealedFiles, TakeTwoChangesOfALineAndFilesOfOneName) {
    namespace fs = std::filesystem;
    const fs::path folder = fs::path(testing::TempDir()) / ("healed_" + std::to_string(::getpid()));
    fs::remove_all(folder);
    fs::create_directories(folder / "parts");
    fs::create_directories(folder / "out");
    const std::string head = "version: 1\nname: t\nsteps:\n";
    std::ofstream(folder / "task.yaml") << head << "  - drag: {from: {label: Old}, to: {label: Older}}\n";
    std::ofstream(folder / "parts" / "task.yaml") << head << "  - click: {label: Old}\n";
    const std::vector<taskrun::Healed> all{{folder / "task.yaml", {4, 18}, "t:4", "", "", "{label: \"A much longer one\"}"},
                                           {folder / "task.yaml", {4, 36}, "t:4", "", "", "{label: B, template: p.png}"},
                                           {folder / "parts" / "task.yaml", {4, 12}, "p:4", "", "", "{label: C}"},
                                           {folder / "parts" / "task.yaml", {4, 12}, "p:4", "", "", "{label: D}"}};
    const auto diff = taskrun::write_healed(all, {{"p.png", {1, 2, 3}}}, folder / "task.yaml", folder / "out");
    ASSERT_TRUE(diff) << diff.error().message;
    const auto text = [&](const fs::path& path) { return read_file(path, 1 << 16).value_or("none"); };
    EXPECT_EQ(text(folder / "out" / "task.yaml"), head + "  - drag: {from: {label: \"A much longer one\"}, to: {label: B, template: p.png}}\n");
    EXPECT_EQ(text(folder / "out" / "parts" / "task.yaml"), head + "  - click: {label: D}\n");
    EXPECT_TRUE(fs::exists(folder / "out" / "p.png"));
    const std::string patch = text(*diff);
    EXPECT_NE(patch.find("--- a/parts/task.yaml\n"), std::string::npos) << patch;
    EXPECT_NE(patch.find("--- a/task.yaml\n"), std::string::npos) << patch;
    EXPECT_EQ(patch.find("by hand"), std::string::npos) << patch;
    fs::create_directories(folder / "outside"); // of a file in another folder than the task's own
    const auto above = taskrun::write_healed(all, {}, folder / "parts" / "task.yaml", folder / "outside");
    ASSERT_TRUE(above) << above.error().message;
    EXPECT_TRUE(text(*above).starts_with("# its paths are those from " + folder.string() + "\n")) << text(*above);
    fs::remove_all(folder);
}

TEST(HealedFiles, MakesADiffThatPatchTakes) {
    const std::string before = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n", after = "a\nB\nc\nd\nE\nf\ng\nh\ni\nj\nk\nL\n";
    const std::string diff = unified_diff("t.yaml", before, after);
    EXPECT_EQ(diff, "--- a/t.yaml\n+++ b/t.yaml\n@@ -1,8 +1,8 @@\n a\n-b\n+B\n c\n d\n-e\n+E\n f\n g\n h\n@@ -9,4 +9,4 @@\n i\n j\n k\n-l\n+L\n");
    EXPECT_TRUE(unified_diff("t.yaml", before, before).empty());
    EXPECT_TRUE(unified_diff("n\n+++ b/\"q\".yaml", "a\n", "b\n").starts_with("--- \"a/n\\012+++ b/\\042q\\042.yaml\"\n+++ \"b/n\\012+++ b/\\042q\\042.yaml\"\n@@ ")) << "a name is one line";
}

} // namespace
} // namespace handeye
