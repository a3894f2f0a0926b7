// SPDX-License-Identifier: Apache-2.0
// Methods that no other test is about: notes for tasks, names of sessions, exports, figures, the options of a subscription, long
// questions; and that every event of a log is one that the protocol file describes.
#include "base/json.h"
#include "server/picture.h"
#include "server/schema.h"
#include "tests/server/server_fixture.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <sys/resource.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

constexpr std::size_t kMiB = 1U << 20U;

std::string click(int x, int y) { return fmt::format("Action: left_click(start_box='[{},{}]', element_info='b')", x, y); }

class Methods : public ServerTest {
protected:
    json events(JsonRpcClient& client, const std::string& session) {
        return call(client, "recording.read", {{"session", session}, {"n", 4096}}).result.value("events", json::array());
    }
    /// The data of each event of this type, in order.
    std::vector<json> data_of(JsonRpcClient& client, const std::string& session, const std::string& type) {
        std::vector<json> out;
        for (const json& event : events(client, session)) {
            if (event["type"] == type) {
                out.push_back(event["data"]);
            }
        }
        return out;
    }
    std::string blob(JsonRpcClient& client, const std::string& session, const json& named) {
        const Reply reply = call(client, "recording.blob", {{"session", session}, {"hash", named.at("sha256")}});
        const auto bytes = from_base64(reply.result.value("base64", ""));
        EXPECT_TRUE(bytes) << reply.message;
        return bytes ? std::string(bytes->begin(), bytes->end()) : "";
    }
    /// Closed, and its recording with it.
    void close(JsonRpcClient& client, const std::string& session) {
        ASSERT_EQ(call(client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"types", {"session.closed"}}}).kind, "");
        ASSERT_EQ(call(client, "session.close", {{"session", session}}).kind, "");
        ASSERT_TRUE(event_of_type(client, "session.closed"));
        while (call(client, "session.get", {{"session", session}}).result.value("state", "closed") != "closed") {
        }
    }
    double metric(JsonRpcClient& client, const std::string& name) {
        return call(client, "metrics.snapshot").result.at("metrics").value(name, -1.0);
    }
    std::string long_task(JsonRpcClient& client, const std::string& session, int steps) {
        std::vector<std::string> answers;
        for (int i = 0; i < steps; ++i) {
            answers.push_back(click(100 + i * 37 % 800, 100 + i * 53 % 800));
        }
        model.set_answers(std::move(answers));
        const std::string task = run_task(client, session);
        (void)wait_task(client, task);
        return task;
    }
};
/// The server said 1009; or it hung up while the client still wrote, and the system dropped what it said.
bool is_too_big(const WebSocketClose& close) { return close.code == 1009 || close.code == 1006; }

class Openers : public Methods {};
class Notes : public Methods {};
class Labels : public Methods {};
class Exports : public Methods {};
class Figures : public Methods {};
class Subscriptions : public Methods {};
class LongQuestions : public Methods {};
class Doctor : public Methods {};
class Deadlines : public Methods {};

TEST_F(Openers, WhatAPlatformThrowsWhileItOpensIsATypedError) {
    prepare_platform = [](fakes::FakePlatform& /*made*/) { throw std::runtime_error("type must be string, but is number"); };
    start();
    const auto client = connect();
    const Reply refused = call(*client, "session.create", {{"platform", "fake"}});
    EXPECT_EQ(refused.kind, "internal") << refused.message;
    EXPECT_NE(refused.message.find("type must be string"), std::string::npos) << refused.message;
    prepare_platform = nullptr;
    EXPECT_EQ(call(*client, "session.create", {{"platform", "fake"}}).kind, "");
}

TEST_F(Notes, ReachTheModelFromTheNextStepOn) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    model.set_answers({click(100, 100)});
    model.hold();
    const std::string task = run_task(*client, session, "Fill the form.");
    ASSERT_TRUE(model.wait_for_calls(1));
    const Reply amended = call(*client, "task.amend", {{"task", task}, {"note", "The name is Ada."}});
    EXPECT_EQ(amended.kind, "") << amended.message;
    EXPECT_EQ(amended.result["task"], task);
    model.release();
    (void)wait_task(*client, task);
    const auto told = data_of(*client, session, "task.amended");
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0]["note"], "The name is Ada.");
    const auto prompts = data_of(*client, session, "prompt.built");
    ASSERT_GE(prompts.size(), 2U);
    EXPECT_EQ(blob(*client, session, prompts[0]["text"]).find("Ada"), std::string::npos);
    EXPECT_NE(blob(*client, session, prompts[1]["text"]).find("The name is Ada."), std::string::npos);
}

TEST_F(Notes, AreForTasksThatRun) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    (void)wait_task(*client, task);
    EXPECT_EQ(call(*client, "task.amend", {{"task", task}, {"note", "Late."}}).kind, "no_such_task");
    EXPECT_EQ(call(*client, "task.amend", {{"task", "none"}, {"note", "x"}}).kind, "no_such_task");
    EXPECT_EQ(call(*client, "task.amend", {{"task", task}, {"note", ""}}).field, "note");
    EXPECT_EQ(call(*client, "task.amend", {{"task", task}, {"note", std::string(4097, 'x')}}).field, "note");
    EXPECT_TRUE(data_of(*client, session, "task.amended").empty());
}

TEST_F(Labels, AreKeptAndOneLeavesTheOther) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    EXPECT_EQ(call(*client, "session.update", {{"session", session}, {"name", "Für Ada"}}).result["name"], "Für Ada");
    const Reply updated = call(*client, "session.update", {{"session", session}, {"notes", "second try"}});
    EXPECT_EQ(updated.result["name"], "Für Ada");
    EXPECT_EQ(call(*client, "session.list").result["sessions"][0]["notes"], "second try");
    const auto told = data_of(*client, session, "session.updated");
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[1], (json{{"name", "Für Ada"}, {"notes", "second try"}}));
    EXPECT_EQ(call(*client, "session.update", {{"session", session}, {"name", std::string(129, 'x')}}).field, "name");
    EXPECT_EQ(call(*client, "session.update", {{"session", "none"}, {"name", "x"}}).kind, "no_such_session");
}

TEST_F(Doctor, LooksAtEachPartAndNamesTheOneThatIsIll) {
    start(false);
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto failing = [&] {
        const json result = call(*client, "session.doctor", {{"session", session}}).result;
        std::set<std::string> names;
        for (const json& check : result.at("checks")) {
            if (!check["pass"].get<bool>()) {
                names.insert(check["name"]);
            }
        }
        EXPECT_EQ(result["pass"], names.empty());
        return names;
    };
    EXPECT_EQ(failing(), std::set<std::string>{"model"});
    server->set_model(model);
    EXPECT_EQ(failing(), std::set<std::string>{});
    platform->fail_next(fakes::Call::Windows, Error{ErrorCode::Unavailable, "the display went away"});
    EXPECT_EQ(failing(), std::set<std::string>{"windows"});
    EXPECT_EQ(call(*client, "session.doctor", {{"session", "none"}}).kind, "no_such_session");
}

TEST_F(Exports, AsLinesAreTheLogAndAsAPageAreHtml) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    (void)long_task(*client, session, 2);
    close(*client, session);
    const Reply lines = call(*client, "recording.export", {{"session", session}, {"format", "jsonl"}});
    EXPECT_EQ(lines.result["media_type"], "application/jsonl");
    json exported = json::array();
    std::istringstream text(lines.result.value("text", ""));
    for (std::string line; std::getline(text, line);) {
        exported.push_back(json::parse(line));
    }
    EXPECT_EQ(exported, events(*client, session));
    const Reply page = call(*client, "recording.export", {{"session", session}, {"format", "html"}});
    EXPECT_EQ(page.result["media_type"], "text/html");
    EXPECT_NE(page.result.value("text", "").find("Do it."), std::string::npos);
    EXPECT_EQ(call(*client, "recording.export", {{"session", session}, {"format", "pdf"}}).field, "format");
    EXPECT_EQ(call(*client, "recording.export", {{"session", "none"}, {"format", "html"}}).kind, "no_such_session");
}

TEST_F(Exports, AnOpenRecordingIsNotDeletedAndAClosedOneIsGone) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto file = options.sessions_dir / (session + ".handeye");
    EXPECT_EQ(call(*client, "recording.delete", {{"session", session}}).kind, "task_running");
    EXPECT_TRUE(std::filesystem::exists(file));
    close(*client, session);
    EXPECT_EQ(call(*client, "recording.delete", {{"session", session}}).kind, "");
    for (const char* const ending : {"", "-wal", "-shm"}) {
        EXPECT_FALSE(std::filesystem::exists(file.string() + ending)) << ending;
    }
    EXPECT_EQ(call(*client, "recording.get", {{"session", session}}).kind, "no_such_session");
    EXPECT_EQ(call(*client, "recording.delete", {{"session", session}}).kind, "no_such_session");
    EXPECT_EQ(call(*client, "recording.delete", {{"session", "../" + session}}).kind, "no_such_session");
}

TEST_F(Figures, TheSelfTestComparesTwoAnswers) {
    start(false);
    const auto client = connect();
    EXPECT_EQ(call(*client, "engine.selftest").kind, "engine_missing");
    server->set_model_loading("half");
    EXPECT_EQ(call(*client, "engine.selftest").kind, "backend_unavailable");
    server->set_model(model);
    model.set_answers({"yes", "yes", "yes", "no"});
    EXPECT_EQ(call(*client, "engine.selftest").result["is_repeatable"], true);
    EXPECT_EQ(call(*client, "engine.selftest").result["is_repeatable"], false);
}

TEST_F(Figures, TheSnapshotCountsWhatHappened) {
    start();
    const auto client = connect();
    const double calls = metric(*client, "handeye_calls_total");
    EXPECT_EQ(metric(*client, "handeye_calls_total"), calls + 1);
    EXPECT_EQ(metric(*client, "handeye_connections"), 1);
    EXPECT_EQ(metric(*client, "handeye_sessions_open"), 0);
    const std::string session = create_session(*client);
    EXPECT_EQ(metric(*client, "handeye_sessions_open"), 1);
    (void)call(*client, "engine.infer", {{"messages", {{{"role", "user"}, {"content", "x"}}}}});
    EXPECT_EQ(metric(*client, "handeye_inferences_total"), 1);
    EXPECT_EQ(metric(*client, "handeye_inference_prompt_tokens_total"), 10);
    model.set_answers({click(100, 100)});
    model.hold();
    (void)run_task(*client, session, "Fill the form.");
    ASSERT_TRUE(model.wait_for_calls(2));
    EXPECT_EQ(metric(*client, "handeye_inferences_total"), 2); // a task's step counts as well
    (void)call(*client, "control.stop_all");
    EXPECT_EQ(metric(*client, "handeye_stop_latched"), 1);
}

TEST_F(Subscriptions, AMisspeltEventIsNamed) {
    start();
    const auto client = connect();
    for (const char* const field : {"types", "coalesce"}) {
        const Reply refused = call(*client, "events.subscribe", {{field, {"task.started", "task.finishd"}}});
        EXPECT_EQ(refused.kind, "invalid_params") << field;
        EXPECT_EQ(refused.field, field);
        EXPECT_NE(refused.message.find("there is no event \"task.finishd\"; did you mean \"task.finished\"?"), std::string::npos) << refused.message;
    }
    EXPECT_EQ(call(*client, "events.subscribe", {{"types", {"task.started", "question.asked"}}}).kind, "");
}

TEST_F(Deadlines, AMisspeltBudgetIsNamed) {
    start();
    const auto client = connect();
    const Reply refused = call(*client, "task.run", {{"session", create_session(*client)}, {"goal", "g"}, {"budget", {{"max_step", 3}}}});
    EXPECT_EQ(refused.kind, "invalid_params");
    EXPECT_EQ(refused.field, "budget.max_step");
    EXPECT_NE(refused.message.find("did you mean \"max_steps\"?"), std::string::npos) << refused.message;
}

TEST_F(Subscriptions, AWindowHoldsBackWhatIsNotAcknowledged) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    (void)long_task(*client, session, 3);
    const Reply made = call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"window", 2}});
    const json ack{{"subscription", made.result["subscription"]}, {"session", session}};
    const auto last = call(*client, "session.get", {{"session", session}}).result["last_seq"].get<std::uint64_t>();
    for (std::uint64_t seq = 1; seq <= last; ++seq) {
        const auto event = next_event(*client);
        ASSERT_TRUE(event);
        ASSERT_EQ(event->at("seq"), seq);
        if (seq % 2 == 0 && seq != last) { // both are out: no third one until they are acknowledged
            ASSERT_EQ(call(*client, "connection.ping").kind, "");
            EXPECT_FALSE(client->next_notification(std::chrono::steady_clock::now()));
            json used = ack;
            used["seq"] = seq;
            ASSERT_EQ(call(*client, "events.ack", used).kind, "");
        }
    }
}

// A window counts what is sent: what the client did not ask for it cannot acknowledge.
TEST_F(Subscriptions, AWindowOfFewTypesDoesNotFillWithTheOthers) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    (void)long_task(*client, session, 3);
    const Reply made = call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"window", 1}, {"types", {"task.started", "task.finished"}}});
    const auto first = next_event(*client);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->at("type"), "task.started");
    ASSERT_EQ(call(*client, "events.ack", {{"subscription", made.result["subscription"]}, {"session", session}, {"seq", first->at("seq")}}).kind, "");
    EXPECT_EQ(next_event(*client)->at("type"), "task.finished");
}

TEST_F(Subscriptions, AnAcknowledgementNamesASubscriptionThatFollowsTheSession) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string other = create_session(*client);
    const Reply made = call(*client, "events.subscribe", {{"sessions", {session}}, {"window", 1}});
    EXPECT_EQ(call(*client, "events.ack", {{"subscription", "sub-99"}, {"session", session}, {"seq", 1}}).kind, "no_such_subscription");
    EXPECT_EQ(call(*client, "events.ack", {{"subscription", made.result["subscription"]}, {"session", other}, {"seq", 1}}).kind, "no_such_subscription");
    EXPECT_EQ(call(*client, "events.subscribe", {{"window", 0}}).field, "window");
    EXPECT_EQ(call(*client, "events.subscribe", {{"max_rate", 0}}).field, "max_rate");
}

TEST_F(Subscriptions, ARateSpacesEventsOutAndLosesNone) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    (void)long_task(*client, session, 1);
    const auto last = call(*client, "session.get", {{"session", session}}).result["last_seq"].get<std::uint64_t>();
    constexpr double kRate = 50;
    const TimePoint begin = std::chrono::steady_clock::now();
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"max_rate", kRate}}).kind, "");
    for (std::uint64_t seq = 1; seq <= last; ++seq) {
        const auto event = next_event(*client);
        ASSERT_TRUE(event);
        ASSERT_EQ(event->at("seq"), seq);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took.count(), static_cast<double>(last - 1) / kRate * 0.99);
}

TEST_F(Subscriptions, OfACoalescedTypeTheNewestComesAndTheOthersAreNamed) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    (void)long_task(*client, session, 3);
    std::vector<std::uint64_t> captured;
    for (const json& event : events(*client, session)) {
        if (event["type"] == "observation.captured") {
            captured.push_back(event["seq"]);
        }
    }
    ASSERT_GE(captured.size(), 3U);
    const auto last = call(*client, "session.get", {{"session", session}}).result["last_seq"].get<std::uint64_t>();
    ASSERT_LE(last, 64U); // one page: what waits together
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"coalesce", {"observation.captured"}}}).kind, "");
    std::vector<std::uint64_t> named, sent;
    for (std::uint64_t seq = 1; seq <= last; ++seq) {
        const auto note = client->next_notification(soon());
        ASSERT_TRUE(note);
        const json params = json::parse(note->params_json);
        if (note->method == "events.gap") {
            EXPECT_EQ(params["from"], params["to"]);
            EXPECT_EQ(params["reason"], "coalesced");
            named.push_back(params["from"]);
        } else if (params["type"] == "observation.captured") {
            sent.push_back(params["seq"]);
        }
    }
    EXPECT_EQ(sent, std::vector<std::uint64_t>{captured.back()});
    captured.pop_back();
    EXPECT_EQ(named, captured);
}

TEST_F(LongQuestions, PassOneMebibyteAndOtherMessagesDoNot) {
    start();
    const auto client = connect();
    model.set_answers({"short", "long"});
    for (const std::size_t size : {kMiB / 2, 20 * kMiB}) {
        const json question{{"messages", {{{"role", "user"}, {"content", std::string(size, 'x')}}}}};
        const Reply reply = call(*client, "engine.infer", question);
        EXPECT_EQ(reply.kind, "") << reply.message;
        EXPECT_EQ(reply.result["text"], size > kMiB ? "long" : "short");
    }
    EXPECT_EQ(call(*client, "connection.ping", {{"payload", std::string(2 * kMiB, 'x')}}).kind, "connection");
    EXPECT_EQ(client->socket().close_reason().code, 1009);
}

TEST_F(LongQuestions, PastTwentyFourMebibytesCloseAndTakeNobodyElseWithThem) {
    start();
    const auto client = connect();
    const auto other = connect();
    EXPECT_EQ(call(*client, "engine.infer", {{"messages", {{{"role", "user"}, {"content", std::string(25 * kMiB, 'x')}}}}}).kind, "connection");
    EXPECT_TRUE(is_too_big(client->socket().close_reason()));
    EXPECT_EQ(call(*other, "connection.ping").kind, "");
}

TEST_F(LongQuestions, NeedTheScopeThatTakesThem) {
    start();
    JsonRpcClient client(connect_raw(unix_endpoint()));
    ASSERT_TRUE(client.next_notification(soon()));
    ASSERT_EQ(call(client, "connection.identify", {{"protocol", 1}, {"client", "x"}, {"scopes", {"observe"}}}).kind, "");
    EXPECT_EQ(call(client, "engine.infer", {{"messages", {{{"role", "user"}, {"content", std::string(2 * kMiB, 'x')}}}}}).kind, "connection");
    EXPECT_TRUE(is_too_big(client.socket().close_reason()));
}

/// What is wrong with one event, by the protocol file.
std::string fault_of(const json& event) {
    const json& schema = protocol_schema();
    if (const auto fault = check_value(schema["notifications"]["event"]["params"], event, "event"); fault) {
        return fault->message;
    }
    const auto type = event["type"].get<std::string>();
    const auto known = schema["events"].find(type);
    if (known == schema["events"].end()) {
        return fmt::format("{} is not described", type);
    }
    for (const auto& [name, value] : event["data"].items()) {
        const json& names = known->at("data");
        if (std::find(names.begin(), names.end(), name) == names.end()) {
            return fmt::format("{} has no \"{}\"", type, name);
        }
    }
    return "";
}

TEST_F(Methods, EveryEventOfALogIsDescribed) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "policy.set", {{"session", session}, {"policy", {{"rules", {{{"name", "ask"}, {"effect", "ask"}, {"verbs", {"type"}}}}}}}}).kind, "");
    model.set_answers({click(100, 100), "Action: type(content='x')", "nonsense", click(300, 300)});
    const std::string task = run_task(*client, session);
    json waiting;
    while (waiting.empty()) {
        waiting = call(*client, "approval.list", {{"session", session}}).result["approvals"];
    }
    (void)call(*client, "task.amend", {{"task", task}, {"note", "Go on."}});
    ASSERT_EQ(call(*client, "approval.decide", {{"approval", waiting[0]["approval"]}, {"decision", "approve"}}).kind, "");
    (void)wait_task(*client, task);
    const Reply lease = call(*client, "control.acquire", {{"session", session}});
    (void)call(*client, "input.act", {{"session", session}, {"lease", lease.result["lease"]}, {"action", {{"verb", "click"}, {"x", 5}, {"y", 6}}}});
    (void)call(*client, "input.release_all", {{"session", session}});
    (void)call(*client, "control.release", {{"session", session}, {"lease", lease.result["lease"]}});
    (void)call(*client, "session.update", {{"session", session}, {"name", "n"}});
    model.hold();
    (void)run_task(*client, session);
    (void)call(*client, "control.stop_all");
    model.release();
    close(*client, session);
    std::set<std::string> seen;
    const json log = events(*client, session);
    JsonRpcClient follower(connect_raw(unix_endpoint()));
    ASSERT_TRUE(follower.identify("follower", "", soon()));
    ASSERT_EQ(call(follower, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    for (const json& event : log) {
        EXPECT_EQ(fault_of(event), "");
        EXPECT_EQ(next_event(follower), event); // read or followed, it is the same
        seen.insert(event["type"]);
    }
    for (const char* const type : {"session.opened", "policy.changed", "task.started", "task.amended", "approval.requested", "approval.decided", "action.executed",
                                   "control.lease", "input.released", "session.updated", "control.stop", "task.finished", "session.closed"}) {
        EXPECT_TRUE(seen.contains(type)) << type;
    }
    EXPECT_NE(fault_of({{"session", "s"}, {"seq", 1}, {"t_wall", ""}, {"t_mono_ns", 1}, {"type", "moon.landed"}, {"data", json::object()}}), "");
    EXPECT_NE(fault_of({{"session", "s"}, {"seq", 1}, {"t_wall", ""}, {"t_mono_ns", 1}, {"type", "task.started"}, {"data", {{"moon", 1}}}}), "");
}

TEST_F(Deadlines, EndAQuestionWithTheirOwnKindAndFreeTheModel) {
    start();
    const auto client = connect();
    model.hold();
    const json question{{"messages", {{{"role", "user"}, {"content", "x"}}}}, {"deadline_ms", 50}};
    EXPECT_EQ(call(*client, "engine.infer", question).kind, "deadline_exceeded");
    EXPECT_EQ(call(*client, "engine.status").result["waiting"], 0);
    model.release();
    json patient = question;
    patient["deadline_ms"] = 60'000;
    EXPECT_EQ(call(*client, "engine.infer", patient).kind, "");
}

TEST_F(Deadlines, StopInputBetweenTwoEvents) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const json wait{{"verb", "wait"}, {"seconds", 30}};
    const json click_5{{"verb", "click"}, {"x", 5}, {"y", 5}};
    const Reply reply = call(*client, "input.act_many", {{"session", session}, {"actions", {wait, click_5}}, {"deadline_ms", 50}});
    EXPECT_EQ(reply.kind, "deadline_exceeded") << reply.message;
    EXPECT_TRUE(platform->events().empty());
    EXPECT_TRUE(platform->held().empty());
}

TEST_F(Deadlines, EndWhatAnswersLaterAndAreCheckedAsAnyParameter) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    model.hold();
    const std::string task = run_task(*client, session);
    EXPECT_EQ(call(*client, "task.wait", {{"task", task}, {"timeout_ms", 60'000}, {"deadline_ms", 20}}).kind, "deadline_exceeded");
    EXPECT_EQ(call(*client, "task.get", {{"task", task}}).result["finished"], false); // the task itself goes on
    model.release();
    for (const json& bad : {json(0), json(-1), json(3'600'001), json(1.5), json("1"), json(nullptr)}) {
        EXPECT_EQ(call(*client, "connection.ping", {{"deadline_ms", bad}}).field, "deadline_ms") << bad;
    }
}

TEST_F(Deadlines, AreNoPartOfWhatARequestKeyStandsFor) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    json params{{"session", session}, {"keys", "a"}, {"request_key", "k"}, {"deadline_ms", 30'000}};
    const Reply first = call(*client, "input.key", params);
    params["deadline_ms"] = 20'000;
    EXPECT_EQ(call(*client, "input.key", params).result, first.result);
}

// A picture may come between a call and its answer.
TEST_F(Methods, AClientOfCallsPassesOverPictures) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "screen.stream_start", {{"session", session}, {"max_fps", 30}}).kind, "");
    while (metric(*client, "handeye_frames_sent_total") == 0) {
    }
    EXPECT_EQ(call(*client, "connection.ping").kind, "");
}

TEST_F(Methods, AStreamWhoseWindowIsFullHearsThatItsSessionClosed) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const Reply stream = call(*client, "screen.stream_start", {{"session", session}, {"max_in_flight", 1}});
    while (metric(*client, "handeye_frames_sent_total") == 0) {
    }
    ASSERT_EQ(call(*client, "session.close", {{"session", session}}).kind, "");
    for (;;) { // no acknowledgement is sent
        const auto note = client->next_notification(soon());
        ASSERT_TRUE(note) << note.error().message;
        if (note->method == "screen.stream_ended") {
            EXPECT_EQ(json::parse(note->params_json)["stream"], stream.result["stream"]);
            break;
        }
    }
}

// A list that broke off half-way has acted: under the same key it is not done again.
TEST_F(Methods, AListThatFailsHalfWayIsNotDoneAgain) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const json params{{"session", session}, {"actions", {{{"verb", "click"}, {"x", 5}, {"y", 5}}, "no action at all"}}, {"request_key", "half"}};
    const Reply first = call(*client, "input.act_many", params);
    EXPECT_NE(first.kind, "");
    const std::size_t sent = platform->events().size();
    EXPECT_GT(sent, 0U);
    const Reply again = call(*client, "input.act_many", params);
    EXPECT_EQ(again.kind, first.kind);
    EXPECT_EQ(platform->events().size(), sent);
}

TEST_F(Methods, APageOfEventsEndsOnceItIsLong) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    for (int i = 0; i < 24; ++i) {
        ASSERT_EQ(call(*client, "input.type", {{"session", session}, {"text", std::string(60'000, 'a')}}).kind, "");
    }
    std::uint64_t next = 1;
    int pages = 0;
    for (bool is_end = false; !is_end; ++pages) {
        const json page = call(*client, "events.replay", {{"session", session}, {"from_seq", next}, {"n", 4096}}).result;
        ASSERT_TRUE(page.contains("events"));
        EXPECT_LT(page["events"].dump().size(), kMiB + 130'000); // one event more than the limit
        for (const json& event : page["events"]) {
            EXPECT_EQ(event["seq"], next++);
        }
        EXPECT_EQ(page["next_seq"], next);
        is_end = page["is_end"].get<bool>();
    }
    EXPECT_GT(pages, 1);
    EXPECT_EQ(call(*client, "session.get", {{"session", session}}).result["last_seq"], next - 1);
    EXPECT_EQ(call(*client, "events.replay", {{"session", session}, {"from_seq", 2}, {"n", 3}}).result["next_seq"], 5);
}

TEST_F(Methods, WithoutDescriptorsRecordingsAreUnavailableAndNotMissing) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const Reply list = call(*client, "recording.list");
    const Reply page = call(*client, "events.replay", {{"session", session}});
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(list.kind, "backend_unavailable") << list.result;
    EXPECT_EQ(page.kind, "backend_unavailable") << page.message;
    EXPECT_EQ(call(*client, "recording.list").result["recordings"].size(), 1U);
    EXPECT_EQ(call(*client, "events.replay", {{"session", session}}).kind, "");
}

} // namespace
} // namespace handeye::testing
