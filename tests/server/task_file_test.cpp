// SPDX-License-Identifier: Apache-2.0
// Task files handed to the daemon over its sockets: what is refused, what is bounded, and how one runs there.
#include "agent/secrets.h"
#include "base/image_codec.h"
#include "server/picture.h"
#include "tests/server/server_fixture.h"

#include <fstream>
#include <set>

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

constexpr Rect kSave{40, 40, 80, 30};

Element button(const std::string& label, Rect box) {
    Element out;
    out.mark = 1;
    out.role = "push button";
    out.label_utf8 = label;
    out.box = box;
    return out;
}

/// Scene 0 has the button Save; a click on it shows scene 1, which says Saved.
class TaskFiles : public ServerTest {
protected:
    TaskFiles() {
        scenes = {{.frame = fakes::solid_frame({320, 240}, 255, 255, 255), .elements = {button("Save", kSave)}},
                  {.frame = fakes::solid_frame({320, 240}, 0, 0, 0), .elements = {button("Saved", {200, 200, 80, 30})}}};
        prepare_platform = [](fakes::FakePlatform& made) { made.on_click(0, kSave, 1); };
    }
    static std::string text(const std::string& steps, const std::string& head = "") { return fmt::format("version: 1\nname: test\n{}steps:\n{}", head, steps); }
    static json request(const std::string& session, const std::string& file, json more = json::object()) {
        more.update({{"session", session}, {"file", "task.yaml"}});
        more["files"]["task.yaml"] = file;
        return more;
    }
    std::string session_of(JsonRpcClient& client, const json& more = json::object()) {
        json params{{"platform", "fake"}};
        params.update(more);
        const Reply reply = call(client, "session.create", params);
        EXPECT_EQ(reply.kind, "") << reply.message;
        return reply.result.value("session", "");
    }
    /// Runs it to its end; the task.
    std::string run_to_end(JsonRpcClient& client, const json& params) {
        const Reply reply = call(client, "task.run_file", params);
        EXPECT_EQ(reply.kind, "") << reply.message;
        const std::string task = reply.result.value("task", "");
        ended = wait_task(client, task);
        return task;
    }
    static Reply wait_until_asked(JsonRpcClient& client, const std::string& session) {
        const auto event = event_of_type(client, "question.asked");
        EXPECT_TRUE(event);
        return call(client, "question.list", {{"session", session}});
    }

    json ended;
};

TEST_F(TaskFiles, RunWithoutAModelAndTellWhatBecameOfEachStep) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    const std::string task = run_to_end(*client, request(session, text("  - click: {role: button, label: Save}\n    until: {text: Saved}\n")));
    EXPECT_EQ(ended["outcome"], "done") << ended;
    EXPECT_EQ(ended["goal"], "test");
    EXPECT_EQ(platform->scene(), 1U);
    const Reply result = call(*client, "task.result", {{"task", task}});
    EXPECT_EQ(result.kind, "") << result.message;
    EXPECT_EQ(result.result["result"]["steps"][0]["found"]["rung"], "structure") << result.result;
    EXPECT_NE(result.result["junit"].get<std::string>().find("<testcase name=\"task.yaml:4: click Save\""), std::string::npos) << result.result;
}

TEST_F(TaskFiles, TheRecordingHoldsTheSameResult) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const std::string task = run_to_end(*client, request(session, text("  - set: {as: sum, expr: 1 + 1}\n")));
    const auto finished = event_of_type(*client, "taskfile.finished");
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->at("data").at("task_id"), task);
    const Reply blob = call(*client, "recording.blob", {{"session", session}, {"hash", finished->at("data").at("result").at("sha256")}});
    ASSERT_EQ(blob.kind, "") << blob.message;
    const auto bytes = from_base64(blob.result["base64"].get<std::string>());
    ASSERT_TRUE(bytes);
    EXPECT_EQ(json::parse(bytes->begin(), bytes->end()), call(*client, "task.result", {{"task", task}}).result["result"]);
    EXPECT_EQ(json::parse(bytes->begin(), bytes->end())["outputs"]["sum"], 2);
}

TEST_F(TaskFiles, MistakesComeWithTheirPlacesBeforeAnythingIsDone) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    const Reply refused = call(*client, "task.run_file", request(session, text("  - clik: Save\n  - set: {as: x, expr: vars.nobody}\n")));
    EXPECT_EQ(refused.kind, "invalid_params");
    EXPECT_EQ(refused.field, "files");
    EXPECT_NE(refused.message.find("task.yaml:4:5: there is no key \"clik\""), std::string::npos) << refused.message;
    EXPECT_EQ(call(*client, "task.list", {{"session", session}}).result["tasks"].size(), 0U);
    EXPECT_TRUE(platform->events().empty());
}

TEST_F(TaskFiles, NamesOfPartsStayWithinTheBundle) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    for (const std::string name : {"../task.yaml", "/etc/passwd", "a/../b", "./a", "a//b", "", "a/", "a\nb"}) {
        const Reply refused = call(*client, "task.run_file", {{"session", session}, {"file", "task.yaml"}, {"files", {{"task.yaml", text("  - sleep: 1ms\n")}, {name, "x"}}}});
        EXPECT_EQ(refused.kind, "invalid_params") << name;
        EXPECT_EQ(refused.field, "files") << name;
    }
    const Reply absent = call(*client, "task.run_file", {{"session", session}, {"file", "other.yaml"}, {"files", {{"task.yaml", "x"}}}});
    EXPECT_EQ(absent.field, "file");
    for (const std::string named : {"/etc/hostname", "../../../etc/hostname", "not_handed_over.yaml"}) { // read from nobody's disk
        const Reply refused = call(*client, "task.run_file", request(session, text(fmt::format("  - run: {}\n", named))));
        EXPECT_NE(refused.message.find("there is no file"), std::string::npos) << named << refused.message;
    }
}

TEST_F(TaskFiles, TheNumberOfPartsIsBounded) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    json files{{"task.yaml", text("  - sleep: 1ms\n")}};
    for (int i = 1; i < 64; ++i) {
        files[fmt::format("f{}.yaml", i)] = "x";
    }
    EXPECT_EQ(call(*client, "task.run_file", {{"session", session}, {"file", "task.yaml"}, {"files", files}}).kind, "");
    files["one_more.yaml"] = "x";
    const Reply refused = call(*client, "task.run_file", {{"session", session}, {"file", "task.yaml"}, {"files", files}});
    EXPECT_NE(refused.message.find("65 parts, the limit is 64"), std::string::npos) << refused.message;
}

TEST_F(TaskFiles, FilesRunFilesThatWereHandedOver) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    json params = request(session, text("  - run: {file: parts/row.yaml, vars: {label: \"${vars.which}\"}}\n", "vars: {which: string}\n"));
    params["files"]["parts/row.yaml"] = "version: 1\nname: row\nvars: {label: string}\nsteps:\n  - click: {label: \"${vars.label}\"}\n";
    params["vars"] = {{"which", "Save"}};
    run_to_end(*client, params);
    EXPECT_EQ(ended["outcome"], "done") << ended;
    EXPECT_EQ(platform->scene(), 1U);
}

TEST_F(TaskFiles, PicturesAreHandedOverAndFound) {
    const Image mark = *Image::from_pixels({24, 24}, PixelFormat::Rgb, [] {
        std::vector<std::uint8_t> pixels;
        for (int i = 0; i < 24 * 24; ++i) {
            pixels.insert(pixels.end(), {static_cast<std::uint8_t>(i * 7), static_cast<std::uint8_t>(i * 13), static_cast<std::uint8_t>(i * 29)});
        }
        return pixels;
    }());
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    const auto png = encode_png(mark);
    ASSERT_TRUE(png);
    json params = request(session, text("  - assert: {not: {template: mark.png}, within: 10ms}\n"));
    params["pictures"]["mark.png"] = to_base64(*png);
    run_to_end(*client, params);
    EXPECT_EQ(ended["outcome"], "done") << ended;
    params["pictures"]["mark.png"] = to_base64(std::vector<std::uint8_t>{1, 2, 3});
    const Reply broken = call(*client, "task.run_file", params);
    EXPECT_EQ(broken.field, "pictures");
    params.erase("pictures");
    const Reply missing = call(*client, "task.run_file", params);
    EXPECT_NE(missing.message.find("task.yaml:4:30: there is no picture mark.png"), std::string::npos) << missing.message;
}

TEST_F(TaskFiles, NothingOfThisMachineIsReadWithoutAnAllowedFolder) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    const auto says = [&](const std::string& file) {
        const Reply refused = call(*client, "task.run_file", request(session, file));
        EXPECT_EQ(refused.kind, "invalid_params") << file;
        return refused.message;
    };
    EXPECT_NE(says(text("  - assert: {file: /etc/hostname}\n")).find("task.yaml:4:20: "), std::string::npos);
    EXPECT_NE(says(text("  - extract: {as: x, file: /etc/hostname}\n")).find("the file \"/etc/hostname\" of this machine"), std::string::npos);
    EXPECT_NE(says(text("  - sleep: 1ms\n", "vars: {p: {type: secret, from: env:HOME}}\n")).find("task.yaml:3:32: "), std::string::npos);
    EXPECT_NE(says(text("  - sleep: 1ms\n", "vars: {p: {type: secret, from: \"file:/etc/hostname\"}}\n")).find("the secret \"p\""), std::string::npos);
    EXPECT_NE(says(text("  - sleep: 1ms\n", "model: /srv/other\n")).find("a model of its own"), std::string::npos);
}

TEST_F(TaskFiles, BelowTheAllowedFolderFilesAreReadAndNowhereElse) {
    const auto root = folder.path() / "allowed";
    std::filesystem::create_directories(root);
    std::ofstream(root / "in.txt") << "seven";
    std::filesystem::last_write_time(root / "in.txt", std::filesystem::file_time_type::clock::now() - std::chrono::minutes(1));
    std::ofstream(folder.path() / "out.txt") << "secret";
    std::filesystem::create_symlink(folder.path() / "out.txt", root / "link.txt");
    std::filesystem::create_symlink("in.txt", root / "fine.txt");
    task_files_root = root;
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    const auto read = [&](const std::string& name) {
        const std::string task = run_to_end(*client, request(session, text(fmt::format("  - extract: {{as: x, file: \"{}\"}}\n", name))));
        return call(*client, "task.result", {{"task", task}}).result["result"]["outputs"].value("x", "");
    };
    EXPECT_EQ(read("in.txt"), "seven");
    EXPECT_EQ(read("fine.txt"), "seven");
    for (const std::string name : {"../out.txt", "link.txt", "/etc/hostname", "~/x"}) {
        EXPECT_EQ(read(name), "") << name;
        EXPECT_EQ(ended["outcome"], name == "~/x" ? "failed" : "denied") << name << ended;
    }
    run_to_end(*client, request(session, text("  - assert: {file: in.txt, contains: sev, newer_than: task, within: 1ms}\n")));
    EXPECT_EQ(ended["outcome"], "fell_short") << ended;
    run_to_end(*client, request(session, text("  - assert: {file: in.txt, contains: sev}\n")));
    EXPECT_EQ(ended["outcome"], "done") << ended;
}

TEST_F(TaskFiles, ThePolicyOfTheSessionIsNarrowedAndNeverWidened) {
    start(false);
    const auto client = connect();
    const std::string strict = session_of(*client, {{"policy", {{"deny_verbs", {"click"}}}}});
    run_to_end(*client, request(strict, text("  - click: Save\n", "policy: {verbs: [click]}\n")));
    EXPECT_EQ(ended["outcome"], "denied") << ended;
    const std::string free = session_of(*client);
    run_to_end(*client, request(free, text("  - click: Save\n", "policy: {verbs: [type]}\n")));
    EXPECT_EQ(ended["outcome"], "denied") << ended;
    json asked = request(free, text("  - click: Save\n"));
    asked["policy"] = {{"deny_verbs", {"click"}}};
    run_to_end(*client, asked);
    EXPECT_EQ(ended["outcome"], "denied") << ended;
    run_to_end(*client, request(free, text("  - click: Save\n")));
    EXPECT_EQ(ended["outcome"], "done") << ended;
}

TEST_F(TaskFiles, BudgetsAreTheSmallerOnes) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    const std::string twice = "  - hover: Save\n  - hover: Save\n";
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    json asked = request(session, text(twice, "policy: {budget: {steps: 1}}\n"));
    asked["budget"] = {{"max_steps", 100}};
    run_to_end(*client, asked);
    ASSERT_EQ(ended["outcome"], "budget_exceeded") << ended;
    const auto exceeded = event_of_type(*client, "budget.exceeded");
    ASSERT_TRUE(exceeded);
    EXPECT_EQ(exceeded->at("data").at("limit"), 1);
    asked = request(session, text(twice, "policy: {budget: {steps: 100}}\n"));
    asked["budget"] = {{"max_steps", 1}};
    run_to_end(*client, asked);
    EXPECT_EQ(ended["outcome"], "budget_exceeded") << ended;
    run_to_end(*client, request(session, text(twice)));
    EXPECT_EQ(ended["outcome"], "done") << ended;
}

TEST_F(TaskFiles, SecretsAreThoseOfTheSession) {
    auto store = std::make_shared<SecretStore>();
    ASSERT_TRUE(store->add({.name = "mail", .value_utf8 = "correct-horse", .is_anywhere = true}));
    ASSERT_TRUE(store->add({.name = "bank", .value_utf8 = "battery-staple", .is_anywhere = true}));
    secrets = store;
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client, {{"secrets", {"mail"}}});
    const auto file = [](const std::string& name) { return text("  - type: {text: \"${vars.p}\", verify: none}\n", fmt::format("vars: {{p: {{type: secret, from: \"store:{}\"}}}}\n", name)); };
    const Reply refused = call(*client, "task.run_file", request(session, file("bank")));
    EXPECT_EQ(refused.field, "secrets") << refused.message;
    const std::string task = run_to_end(*client, request(session, file("mail")));
    EXPECT_EQ(ended["outcome"], "done") << ended;
    EXPECT_EQ(platform->texts(), std::vector<std::string>{"correct-horse"});
    EXPECT_EQ(call(*client, "task.result", {{"task", task}}).result.dump().find("correct-horse"), std::string::npos);
}

TEST_F(TaskFiles, AQuestionWaitsForAPersonOfAnyConnection) {
    start(false);
    auto client = connect();
    const std::string session = session_of(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const Reply started = call(*client, "task.run_file", request(session, text("  - ask: {question: \"Which one?\", choices: [red, blue], as: colour}\n")));
    ASSERT_EQ(started.kind, "") << started.message;
    const Reply asked = wait_until_asked(*client, session);
    ASSERT_EQ(asked.result["questions"].size(), 1U);
    const std::string question = asked.result["questions"][0]["question"];
    EXPECT_EQ(asked.result["questions"][0]["text"], "Which one?");
    EXPECT_EQ(call(*client, "task.get", {{"task", started.result["task"]}}).result["state"], "waiting_for_answer");
    client.reset(); // who asked has gone; the task has not
    client = connect();
    EXPECT_EQ(call(*client, "question.answer", {{"question", question}, {"answer", "green"}}).field, "answer");
    EXPECT_EQ(call(*client, "question.answer", {{"question", "none"}, {"answer", "red"}}).kind, "no_such_question");
    EXPECT_EQ(call(*client, "question.answer", {{"question", question}, {"answer", "blue"}}).result["state"], "answered");
    EXPECT_EQ(wait_task(*client, started.result["task"])["outcome"], "done");
    EXPECT_EQ(call(*client, "task.result", {{"task", started.result["task"]}}).result["result"]["outputs"]["colour"], "blue");
    EXPECT_EQ(call(*client, "question.answer", {{"question", question}, {"answer", "red"}}).kind, "no_such_question"); // once only
}

TEST_F(TaskFiles, AQuestionAndItsAnswersTellNoSecretAndStayShort) {
    auto store = std::make_shared<SecretStore>();
    ASSERT_TRUE(store->add({.name = "mail", .value_utf8 = "correct-horse", .is_anywhere = true}));
    secrets = store;
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    std::string umlauts;
    for (int i = 0; i < 3000; ++i) {
        umlauts += "ä";
    }
    std::string choices = "correct-horse, x" + umlauts + ", x" + umlauts + "y";
    for (int i = 0; i < 70; ++i) {
        choices += fmt::format(", c{}", i);
    }
    const std::string steps = fmt::format("  - ask: {{question: \"{} correct-horse?\", choices: [{}], as: word}}\n  - assert: {{expr: outputs.word == 'correct-horse'}}\n", umlauts, choices);
    const Reply started = call(*client, "task.run_file", request(session, text(steps)));
    ASSERT_EQ(started.kind, "") << started.message;
    const auto event = event_of_type(*client, "question.asked");
    ASSERT_TRUE(event);
    const Reply asked = call(*client, "question.list", {{"session", session}});
    const json question = asked.result["questions"][0];
    EXPECT_EQ(asked.result.dump().find("correct-horse"), std::string::npos);
    EXPECT_EQ(event->at("data").at("choices"), question["choices"]);
    EXPECT_LT(question["text"].get<std::string>().size(), 4200U);
    ASSERT_EQ(question["choices"].size(), 64U);
    EXPECT_EQ(question["choices"][0], "{{secret:mail}}");
    EXPECT_EQ(question["choices"][1].get<std::string>().size(), 255U + 3U); // no half of a character
    EXPECT_NE(question["choices"][1], question["choices"][2]);
    EXPECT_EQ(call(*client, "question.answer", {{"question", question["question"]}, {"answer", question["choices"][0]}}).kind, "");
    EXPECT_EQ(wait_task(*client, started.result["task"])["outcome"], "done") << "the task gets the choice itself";
}

TEST_F(TaskFiles, WhereNobodyAnswersThePersonIsMissing) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client, {{"control", {{"approval_ttl_ms", 1000}}}});
    run_to_end(*client, request(session, text("  - ask: {question: \"Anybody?\"}\n")));
    EXPECT_EQ(ended["outcome"], "needs_person") << ended;
    EXPECT_EQ(ended["exit_code"], 4);
    run_to_end(*client, request(session, text("  - click: Save\n", "policy: {confirm: [{verb: click}], on_no_approver: hold}\n")));
    EXPECT_EQ(ended["exit_code"], 4) << ended;
    run_to_end(*client, request(session, text("  - click: Save\n", "policy: {confirm: [{verb: click}], on_no_approver: deny}\n")));
    EXPECT_EQ(ended["exit_code"], 3) << ended;
    EXPECT_EQ(platform->scene(), 0U);
}

TEST_F(TaskFiles, AnApprovalLetsTheStepBeDone) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const Reply started = call(*client, "task.run_file", request(session, text("  - click: Save\n", "policy: {confirm: [{verb: click}]}\n")));
    const auto asked = event_of_type(*client, "approval.requested");
    ASSERT_TRUE(asked);
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", asked->at("data").at("approval")}, {"decision", "approve"}}).kind, "");
    EXPECT_EQ(wait_task(*client, started.result["task"])["outcome"], "done");
    EXPECT_EQ(platform->scene(), 1U);
}

TEST_F(TaskFiles, PauseHoldsAWaitAndItsTime) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const Reply started = call(*client, "task.run_file", request(session, text("  - wait_until: {text: Saved, within: 30s}\n")));
    const std::string task = started.result["task"];
    ASSERT_TRUE(event_of_type(*client, "taskfile.step_started"));
    EXPECT_EQ(call(*client, "task.pause", {{"task", task}}).kind, "");
    const auto paused = event_of_type(*client, "task.state");
    ASSERT_TRUE(paused);
    EXPECT_EQ(paused->at("data").at("state"), "paused");
    const auto lease = call(*client, "control.acquire", {{"session", session}}); // a person does by hand what was waited for
    ASSERT_EQ(lease.kind, "") << lease.message;
    EXPECT_EQ(call(*client, "input.act", {{"session", session}, {"lease", lease.result["lease"]}, {"action", {{"verb", "click"}, {"x", 60}, {"y", 50}}}}).kind, "");
    EXPECT_EQ(call(*client, "control.release", {{"session", session}, {"lease", lease.result["lease"]}}).kind, "");
    EXPECT_EQ(call(*client, "task.get", {{"task", task}}).result["state"], "paused");
    EXPECT_EQ(call(*client, "task.resume", {{"task", task}}).kind, "");
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
}

TEST_F(TaskFiles, AStopEndsAWait) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const Reply started = call(*client, "task.run_file", request(session, text("  - wait_until: {text: Never, within: 2h}\n")));
    ASSERT_TRUE(event_of_type(*client, "taskfile.step_started"));
    EXPECT_EQ(call(*client, "task.result", {{"task", started.result["task"]}}).kind, "task_running");
    EXPECT_EQ(call(*client, "task.cancel", {{"task", started.result["task"]}}).kind, "");
    EXPECT_EQ(wait_task(*client, started.result["task"])["outcome"], "stopped");
}

TEST_F(TaskFiles, ARequestKeyRunsTheFileOnce) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    json params = request(session, text("  - sleep: 1ms\n"));
    params["request_key"] = "k";
    const std::string task = run_to_end(*client, params);
    EXPECT_EQ(call(*client, "task.run_file", params).result["task"], task);
    params["vars"] = {{"x", 1}};
    EXPECT_EQ(call(*client, "task.run_file", params).kind, "request_key_reused");
    EXPECT_EQ(call(*client, "task.list", {{"session", session}}).result["tasks"].size(), 1U);
}

TEST_F(TaskFiles, WhatAsksTheModelNeedsOneAndAGoalAfterwardsHasIt) {
    start(false);
    const auto client = connect();
    const std::string session = session_of(*client);
    EXPECT_EQ(call(*client, "task.run_file", request(session, text("  - goal: Save it.\n"))).kind, "engine_missing");
    run_to_end(*client, request(session, text("  - click: Save\n")));
    EXPECT_EQ(ended["outcome"], "done") << ended;
    server->set_model(model);
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done"); // with the model's own prompt
    run_to_end(*client, request(session, text("  - goal: Save it.\n")));
    EXPECT_EQ(ended["outcome"], "done") << ended;
}

TEST_F(TaskFiles, APlatformThatIsNotTheSessionsIsRefused) {
    start(false);
    const auto client = connect();
    const Reply refused = call(*client, "task.run_file", request(session_of(*client), text("  - sleep: 1ms\n", "platform: web\n")));
    EXPECT_NE(refused.message.find("for the platform web, the session is on fake"), std::string::npos) << refused.message;
}

TEST_F(TaskFiles, OfAGoalThereIsNoResult) {
    start();
    const auto client = connect();
    const std::string task = run_task(*client, session_of(*client));
    EXPECT_EQ(wait_task(*client, task)["finished"], true);
    EXPECT_EQ(call(*client, "task.result", {{"task", task}}).kind, "invalid_params");
    EXPECT_EQ(call(*client, "task.result", {{"task", "none"}}).kind, "no_such_task");
}

} // namespace
} // namespace handeye::testing
