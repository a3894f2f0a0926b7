// SPDX-License-Identifier: Apache-2.0
// Task files at work on a scripted screen that tells of its elements, in simulated time.
#include "tests/agent/taskrun_fixture.h"

#include <algorithm>
#include <cstdlib>

namespace handeye {
namespace {

using namespace taskrun_tests; // NOLINT(google-build-using-namespace): the tests of one class

TEST_F(TaskRun, ClicksWhatIsNamedAndWaitsForWhatFollows) {
    const TaskReport report = run("steps:\n  - click: {role: button, label: Save}\n    until: {text: Saved}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.scene(), 1U);
    EXPECT_EQ(report.steps, 1);
    EXPECT_EQ(report.tokens, 0);
    EXPECT_EQ(result_["steps"][0]["found"]["rung"], "structure");
    EXPECT_EQ(result_["steps"][0]["point"]["x"], kSave.center().x);
}

TEST_F(TaskRun, GoesTheWayOfTheModelsSteps) {
    run("steps:\n  - click: Save\n");
    const std::vector<std::string> want{"session.opened", "task.started", "taskfile.step_started", "task.step_started", "observation.captured", "action.proposed", "action.gated",
                                        "action.executed", "observation.captured", "action.verified", "task.step_finished", "taskfile.step_finished", "taskfile.finished", "task.finished", "session.closed"};
    EXPECT_EQ(sink_.types(), want);
    const json proposed = json::parse(sink_.of_type("action.proposed").front().data_json);
    EXPECT_EQ(proposed["found"]["rung"], "structure");
    EXPECT_EQ(proposed["found"]["box"]["width"], kSave.width_px);
}

TEST_F(TaskRun, AMissingTargetSaysWhatWasLookedFor) {
    const TaskReport report = run("steps:\n  - click: {role: button, label: Send, within: 2s}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_NE(report.message.find("Send"), std::string::npos) << report.message;
    EXPECT_EQ(result_["steps"][0]["failure"]["kind"], "target_not_found");
    EXPECT_TRUE(has_only_moved());
}

TEST_F(TaskRun, WhatIsSwitchedOffIsNotClicked) {
    platform_.show(3);
    const TaskReport report = run("steps:\n  - click: {label: Save, within: 1s}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_NE(report.message.find("switched off"), std::string::npos) << report.message;
    EXPECT_TRUE(has_only_moved());
}

TEST_F(TaskRun, OfTwoThatFitNoneIsClickedUnlessSomethingTellsThemApart) {
    platform_.show(4);
    EXPECT_EQ(run("steps:\n  - click: {label: Save, within: 1s}\n").outcome, TaskOutcome::FellShort);
    EXPECT_TRUE(has_only_moved());
    EXPECT_EQ(run("steps:\n  - click: {label: Save, near: {text: Monday, side: below}}\n").outcome, TaskOutcome::Done);
    EXPECT_EQ(result_["steps"][0]["point"]["x"], 240);
    EXPECT_EQ(run("steps:\n  - click: {label: Save, index: 1}\n").outcome, TaskOutcome::Done);
    EXPECT_EQ(result_["steps"][0]["point"]["x"], kSave.center().x);
}

TEST_F(TaskRun, TypesVariablesIntoTheFieldThatIsNamed) {
    const TaskReport report = run("vars:\n  who: {type: string, required: true}\nsteps:\n  - type: {text: \"${vars.who} L\", into: {label: Name}}\n", {{"who", "Ada"}});
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"Ada L"});
    EXPECT_EQ(result_["steps"][0]["note"], "what the field holds cannot be read here");
}

TEST_F(TaskRun, VariablesAreCheckedBeforeAnythingIsDone) {
    const std::string body = "vars:\n  n: {type: number, min: 1, max: 9}\n  s: {type: string, choices: [north, south], required: true}\nsteps:\n  - key: escape\n";
    const auto file = folder_ / "vars.yaml";
    EXPECT_NE(loading(body, file, {}).find("\"s\" is needed"), std::string::npos);
    EXPECT_NE(loading(body, file, {{"s", "nort"}}).find("did you mean \"north\"?"), std::string::npos);
    EXPECT_NE(loading(body, file, {{"s", "north"}, {"n", "ten"}}).find("is a number"), std::string::npos);
    EXPECT_NE(loading(body, file, {{"s", "north"}, {"n", "10"}}).find("the most is 9"), std::string::npos);
    EXPECT_NE(loading(body, file, {{"s", "north"}, {"m", "1"}}).find("no variable \"m\""), std::string::npos);
    EXPECT_EQ(loading(body, file, {{"s", "north"}, {"n", "9"}}), "");
}

TEST_F(TaskRun, ASecretIsTypedByItsNameAlone) {
    const TaskReport report = run("vars:\n  password: {type: secret, from: \"env:NOWHERE\"}\nsteps:\n  - type: {text: \"${vars.password}\", into: {label: Name}}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"{{secret:password}}"}); // for SecretPlatform to put in
}

TEST_F(TaskRun, APasswordIsNotTypedWhereItWouldBeSeen) {
    const std::string vars = "vars:\n  password: {type: secret, from: \"env:NOWHERE\"}\n";
    const TaskReport seen = run(vars + "steps:\n  - type: {text: \"${vars.password}\", into: {label: Name, within: 0s}, verify: masked}\n");
    EXPECT_EQ(seen.outcome, TaskOutcome::FellShort);
    EXPECT_NE(seen.message.find("entry \"Name\" is no password field"), std::string::npos) << seen.message;
    const TaskReport unknown = run(vars + "steps:\n  - type: {text: \"${vars.password}\", verify: masked}\n");
    EXPECT_EQ(unknown.outcome, TaskOutcome::FellShort);
    EXPECT_TRUE(platform_.texts().empty());
}

TEST_F(TaskRun, AValueCannotNameASecret) {
    for (const char* const evil : {"{{secret:password}}", "{secret:password}}"}) {
        const std::string text = std::string(evil).starts_with("{{") ? "${vars.who}" : "{${vars.who}";
        const TaskReport report = run("vars:\n  who: string\nsteps:\n  - type: \"" + text + "\"\n", {{"who", evil}});
        EXPECT_EQ(report.outcome, TaskOutcome::Denied) << evil;
        EXPECT_TRUE(platform_.texts().empty());
    }
}

TEST_F(TaskRun, AssertionsAreLookedAtAgainUntilTheirTime) {
    EXPECT_EQ(run("steps:\n  - assert: {text: Saved, within: 3s, message: nothing was saved}\n").outcome, TaskOutcome::FellShort);
    EXPECT_EQ(result_["steps"][0]["failure"]["kind"], "assert_failed");
    EXPECT_NE(result_["message"].get<std::string>().find("task.yaml:4: nothing was saved"), std::string::npos) << result_["message"];
    platform_.show(1);
    EXPECT_EQ(run("steps:\n  - assert: {text: Saved}\n").outcome, TaskOutcome::Done);
}

TEST_F(TaskRun, WhenAndOptionalAndStepsByTheirNames) {
    const TaskReport report = run("steps:\n"
                                  "  - id: first\n    optional: true\n    click: {label: Gone, within: 250ms}\n"
                                  "  - id: second\n    when: steps.first.ok\n    click: Save\n"
                                  "  - when: not steps.first.ok and steps.second.skipped\n    key: escape\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(result_["steps"][0]["status"], "failed");
    EXPECT_EQ(result_["steps"][1]["status"], "skipped");
    EXPECT_EQ(result_["steps"][2]["status"], "passed");
    EXPECT_EQ(platform_.scene(), 0U);
}

TEST_F(TaskRun, LoopsGoThroughListsAndEnd) {
    const TaskReport report = run("vars:\n  rows: {type: list, default: [north, south]}\nsteps:\n"
                                  "  - for_each: {in: \"${vars.rows}\", as: row}\n    steps:\n      - type: \"${row}\"\n"
                                  "  - set: {as: n, expr: \"0\"}\n"
                                  "  - repeat: {max: 10, while: \"outputs.n < 3\"}\n    steps:\n      - set: {as: n, expr: \"outputs.n + 1\"}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.texts(), (std::vector<std::string>{"north", "south"}));
    EXPECT_EQ(result_["outputs"]["n"], 3);
    EXPECT_EQ(result_["steps"][0]["steps"].size(), 2U);
}

TEST_F(TaskRun, AFailedStepIsTriedAgainButNeverAnIrreversibleOne) {
    run("steps:\n  - click: {label: Gone, within: 250ms}\n    retry: {max: 2, backoff: 1s}\n");
    EXPECT_EQ(result_["steps"][0]["attempts"], 3);
    run("retry: {max: 2}\nsteps:\n  - click: {label: Gone, within: 250ms}\n    irreversible: true\n");
    EXPECT_FALSE(result_["steps"][0].contains("attempts"));
    run("steps:\n  - click: {label: Gone, within: 250ms}\n    irreversible: true\n    idempotent: true\n    retry: {max: 1}\n");
    EXPECT_EQ(result_["steps"][0]["attempts"], 2);
    run("steps:\n  - click: {label: Gone, within: 250ms}\n    retry: {max: 2, on: timeout}\n");
    EXPECT_FALSE(result_["steps"][0].contains("attempts"));
}

TEST_F(TaskRun, WhatIsFinallyDoneIsDoneHoweverItEnded) {
    const TaskReport report = run("steps:\n  - assert: {expr: \"1 > 2\", within: 0s}\n  - type: never\nfinally:\n  - key: escape\n  - type: always\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"always"});
}

TEST_F(TaskRun, ThePolicyOfTheFileHoldsForItsOwnSteps) {
    const TaskReport report = run("policy:\n  deny:\n    - {name: no saving, verb: click}\nsteps:\n  - click: Save\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Denied);
    EXPECT_EQ(result_["steps"][0]["failure"]["kind"], "refused");
    EXPECT_TRUE(platform_.events().empty());
}

TEST_F(TaskRun, WhatAPersonMustConfirmIsNotDoneWhereNobodyIs) {
    EXPECT_EQ(run("policy:\n  confirm:\n    - {name: ask, verb: click}\nsteps:\n  - click: Save\n").outcome, TaskOutcome::Denied);
    EXPECT_TRUE(platform_.events().empty());
    options_.ask = [](const ApprovalRequest&, const std::function<void()>& announce, const std::stop_token&) {
        announce();
        return ApprovalAnswer{ApprovalDecision::Approve, "a test", ""};
    };
    EXPECT_EQ(run("policy:\n  confirm:\n    - {name: ask, verb: click}\nsteps:\n  - click: Save\n").outcome, TaskOutcome::Done);
    EXPECT_EQ(platform_.scene(), 1U);
}

TEST_F(TaskRun, TheBudgetOfTheFileIsItsEnd) {
    const TaskReport report = run("policy:\n  budget: {steps: 3}\nsteps:\n  - repeat: {max: 10}\n    steps:\n      - key: tab\n");
    EXPECT_EQ(report.outcome, TaskOutcome::BudgetExceeded) << report.message;
    EXPECT_EQ(report.steps, 3);
}

TEST_F(TaskRun, AFileRunsAnotherWithinItsPolicy) {
    write("inner.yaml", "version: 1\nname: inner\nvars:\n  who: {type: string, required: true}\npolicy:\n  deny:\n    - {name: inner rule, verb: key}\nsteps:\n  - type: \"${vars.who}\"\n  - key: escape\n");
    const TaskReport report = run("steps:\n  - run: {file: inner.yaml, vars: {who: Ada}}\n    optional: true\n  - key: escape\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"Ada"});
    EXPECT_EQ(result_["steps"][0]["failure"]["kind"], "refused"); // inside: its own rule
    EXPECT_EQ(result_["steps"][1]["status"], "passed");           // outside: that rule is gone
    EXPECT_EQ(result_["steps"][0]["steps"].size(), 2U);
}

TEST_F(TaskRun, PopUpsAreClosedBeforeAStep) {
    platform_.show(2);
    platform_.on_click(2, kSave, 0);
    const TaskReport report = run("on_interstitial:\n  - {when: {text: Cookies}, do: {click: Accept}}\nsteps:\n  - click: Save\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(platform_.scene(), 1U);
    EXPECT_EQ(result_["steps"].size(), 1U);
}

TEST_F(TaskRun, ScrollsUntilSomethingIsInSight) {
    const TaskReport report = run("steps:\n  - scroll: {direction: down, amount: 2, until: {text: Nowhere}, max: 3}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::FellShort);
    EXPECT_EQ(std::count_if(platform_.events().begin(), platform_.events().end(), [](const InputEvent& event) { return std::holds_alternative<Wheel>(event); }), 6);
}

TEST_F(TaskRun, ReadsWhatAFieldHolds) {
    const TaskReport report = run("steps:\n  - extract: {as: label, target: {role: button, label: Save}}\n  - assert: outputs.label == 'Save'\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
}

TEST_F(TaskRun, FilesAreReadAndLookedAt) {
    const std::string out = write("out.txt", "total: 41\n").string();
    const TaskReport report = run("steps:\n  - extract: {as: total, file: \"" + out + "\", pattern: \"total: (\\\\d+)\", type: number}\n  - assert: {file: \"" + out + "\", contains: \"^total\"}\n"
                                  "  - assert: outputs.total + 1 == 42\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(run("steps:\n  - extract: {as: total, file: \"" + out + "\", type: number}\n").outcome, TaskOutcome::FellShort);
}

TEST_F(TaskRun, WhatAReferenceStandsForIsLookedForAsItIs) {
    const std::string file = write("out.txt", "sum: axb, 3 (EUR)").string();
    const std::string vars = "vars:\n  dotted: {type: string, default: \"a.b\"}\n  sum: {type: string, default: \"3 (EUR)\"}\n";
    EXPECT_EQ(run(vars + "steps:\n  - assert: {file: \"" + file + "\", contains: \"^sum: .*${vars.sum}$\", within: 0s}\n").outcome, TaskOutcome::Done);
    EXPECT_EQ(run(vars + "steps:\n  - assert: {file: \"" + file + "\", contains: \"${vars.dotted}\", within: 0s}\n").outcome, TaskOutcome::FellShort); // "a.b" is not "axb"
}

TEST_F(TaskRun, AGoalIsTheModelsAndItsProofIsNot) {
    model_.add(say("left_click(start_box='[200,180]', element_info='Save')"));
    model_.add(say("DONE()"));
    const std::string goal = "steps:\n  - goal: Save it.\n    done_when: {text: Saved}\n";
    const TaskReport report = run(goal);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(model_.requests().size(), 1U); // seen to be reached before the model could say so
    model_.set_forever(say("DONE()"));
    platform_.show(4);
    EXPECT_EQ(run("steps:\n  - goal: Save it.\n    done_when: {text: Saved}\n    budget: {steps: 3}\n").outcome, TaskOutcome::FellShort);
}

TEST_F(TaskRun, TheModelIsAskedWhatOnlyItCanSee) {
    for (const char* const answer : {"<think>x</think><answer>yes</answer>", "<think>x</think><answer>No.</answer>", "<think>x</think><answer>yes</answer>"}) {
        model_.add(answer);
    }
    const TaskReport report = run("steps:\n  - assert: {model: A button is visible, votes: 3, min: 2, within: 0s}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(model_.requests().size(), 3U);
    EXPECT_GT(report.tokens, 0);
    model_.add("<answer>perhaps</answer>");
    EXPECT_EQ(run("steps:\n  - assert: {model: A button is visible, within: 0s}\n").outcome, TaskOutcome::Failed); // neither yes nor no is no yes
}

TEST_F(TaskRun, NobodyToAnswerAQuestionIsSaid) {
    EXPECT_EQ(run("steps:\n  - ask: {question: \"Which month?\", as: month}\n").outcome, TaskOutcome::NeedsPerson);
    options_.ask_text = [](const std::string&, const std::vector<std::string>&, const std::stop_token&) { return std::optional<std::string>("May"); };
    EXPECT_EQ(run("steps:\n  - ask: {question: \"Which month?\", as: month}\n  - type: \"${outputs.month}\"\n").outcome, TaskOutcome::Done) << result_.dump();
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"May"});
}

TEST_F(TaskRun, AStopEndsItBetweenTwoEvents) {
    platform_.set_before_inject([this](std::size_t events) {
        if (events == 1) {
            stop_.request_stop();
        }
    });
    const TaskReport report = run("steps:\n  - click: Save\n  - type: never\nfinally:\n  - type: not even this\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Stopped);
    EXPECT_TRUE(platform_.texts().empty());
}

TEST_F(TaskRun, ABrokenRecordEndsEverything) {
    auto program = TaskProgram::load(write("task.yaml", "version: 1\nname: test\nsteps:\n  - click: Save\n  - type: never\n"), {});
    ASSERT_TRUE(program);
    sink_.fail_at(5);
    auto session = Session::create(options_, platform_, model_, clock_, sink_);
    ASSERT_TRUE(session);
    EXPECT_FALSE((*session)->run_program("test", **program, {}));
    EXPECT_TRUE(platform_.texts().empty());
}

TEST_F(TaskRun, KeepsPicturesByName) {
    const TaskReport report = run("steps:\n  - capture: end\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    ASSERT_EQ(sink_.of_type("taskfile.captured").size(), 1U);
    EXPECT_EQ(sink_.of_type("taskfile.captured").front().blobs.size(), 1U);
}

TEST_F(TaskRun, AFailedAssertionShowsWhatItsReferencesStandForAndWhereItStands) {
    const TaskReport report = run("vars: {who: string}\nsteps:\n  - assert: {text: \"${vars.who} is here\", within: 1s}\n", {{"who", "Ada"}});
    EXPECT_NE(report.message.find("task.yaml:5: text \"Ada is here\" was not so"), std::string::npos) << report.message;
    EXPECT_TRUE(result_["steps"][0]["failure"]["place"].get<std::string>().ends_with("task.yaml:5")) << result_;
}

TEST_F(TaskRun, AFailedExpressionShowsItsNames) {
    const TaskReport report = run("steps:\n  - set: {as: total, expr: 2 - 2}\n  - assert: {expr: outputs.total > 0 or outputs.total == 7, within: 1s, message: empty}\n");
    EXPECT_NE(report.message.find("task.yaml:5: empty (expr \"outputs.total > 0 or outputs.total == 7\" (outputs.total = 0"), std::string::npos) << report.message;
    EXPECT_EQ(report.message.find("outputs.total = 0", report.message.find("outputs.total = 0") + 1), std::string::npos) << report.message; // said once
}

TEST_F(TaskRun, StepsOfLoopsAreNumbered) {
    run("steps:\n  - for_each: {in: [a, b], as: row}\n    steps:\n      - repeat: 2\n        steps:\n          - group: inner\n            steps:\n              - sleep: 1ms\n      - hover: Save\n  - hover: Save\n");
    for (const std::string name : {"sleep [1.1]", "sleep [1.2]", "sleep [2.1]", "sleep [2.2]", "hover Save [1]", "hover Save [2]", "task.yaml:12: hover Save\""}) {
        EXPECT_NE(junit_.find(name), std::string::npos) << name << junit_;
    }
    EXPECT_EQ(result_["steps"][0]["steps"][2]["round"], 2) << result_;
}

TEST_F(TaskRun, ReadsTheElementOfTheRoleAndNotThePaneAroundIt) {
    platform_.show(5);
    run("steps:\n  - extract: {as: text, target: {role: text}}\n  - assert: {expr: \"outputs.text == 'what stands there'\", within: 1s}\n");
    EXPECT_EQ(result_["outputs"]["text"], "what stands there") << result_;
}

TEST_F(TaskRun, ClicksThreeTimes) {
    const TaskReport report = run("steps:\n  - triple_click: {label: Name}\n");
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message;
    EXPECT_EQ(json::parse(sink_.of_type("action.proposed").front().data_json)["verb"], "triple_click");
    EXPECT_EQ(std::count_if(platform_.events().begin(), platform_.events().end(), [](const InputEvent& event) { return std::holds_alternative<PointerButton>(event); }), 6);
}

TEST_F(TaskRun, TheRecordNamesThePromptOfAQuestionAndAFolderOverridesIt) {
    options_.render.override_dir = folder_;
    std::filesystem::create_directories(folder_ / "questions");
    std::ofstream(folder_ / "questions" / "whether.md") << "{{image:current}}\nSag ja oder nein: {{goal}}\n";
    model_.add("yes");
    run("steps:\n  - assert: {model: all is well}\n");
    const SessionEvent asked = sink_.of_type("model.asked").front();
    EXPECT_EQ(json::parse(asked.data_json)["prompt"], "questions/whether");
    const auto& bytes = *asked.blobs.front().bytes;
    EXPECT_NE(std::string(bytes.begin(), bytes.end()).find("Sag ja oder nein: all is well"), std::string::npos);
}

TEST_F(TaskRun, TellsBuildServersByJUnit) {
    run("steps:\n  - click: Save\n  - optional: true\n    click: {label: \"A <b> & c\", within: 0s}\n  - assert: {expr: \"false\", within: 0s}\n");
    EXPECT_NE(junit_.find("tests=\"3\" failures=\"1\" skipped=\"1\""), std::string::npos) << junit_;
    EXPECT_NE(junit_.find("A &lt;b&gt; &amp; c"), std::string::npos) << junit_;
    EXPECT_NE(junit_.find("<property name=\"outcome\" value=\"fell_short\"/>"), std::string::npos) << junit_;
}

} // namespace
} // namespace handeye
