// SPDX-License-Identifier: Apache-2.0
// Authority through the API: approvals, leases, pauses and policies, on a scripted screen and a scripted model.
#include "base/json.h"
#include "tests/server/server_fixture.h"

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

std::string click(int x, int y) {
    return fmt::format("Action: left_click(start_box='[{},{}]', element_info='OK')", x, y);
}

class Authority : public ServerTest {
protected:
    json open(JsonRpcClient& client, const json& more = json::object()) {
        json params{{"platform", "fake"}};
        params.update(more);
        const Reply reply = call(client, "session.create", params);
        EXPECT_EQ(reply.kind, "") << reply.message;
        session = reply.result.value("session", "");
        EXPECT_EQ(call(client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
        return reply.result;
    }
    std::string start_task(JsonRpcClient& client, const json& more = json::object()) {
        json params{{"session", session}, {"goal", "Do it."}};
        params.update(more);
        const Reply reply = call(client, "task.run", params);
        EXPECT_EQ(reply.kind, "") << reply.message;
        return reply.result.value("task", "");
    }
    /// The newest approval's id, once one is asked for.
    std::string asked(JsonRpcClient& client) {
        const auto event = event_of_type(client, "approval.requested");
        return event ? event->at("data").value("approval", "") : "";
    }
    /// The model's last word ends it, whether its claim can be confirmed or not.
    bool ends_by_itself(JsonRpcClient& client, const std::string& task) {
        const std::string outcome = wait_task(client, task).value("outcome", "");
        return outcome == "done" || outcome == "unconfirmed";
    }
    std::string state_of(JsonRpcClient& client, const std::string& task) {
        return call(client, "task.get", {{"task", task}}).result.value("state", "");
    }
    bool wait_for_state(JsonRpcClient& client, const std::string& task, const std::string& state) {
        while (std::chrono::steady_clock::now() < soon()) {
            if (state_of(client, task) == state) {
                return true;
            }
            const auto event = event_of_type(client, "task.state");
            if (!event) {
                return false;
            }
        }
        return false;
    }
    [[nodiscard]] std::size_t clicks() const {
        const auto& events = platform->events();
        return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [](const InputEvent& event) {
            const auto* button = std::get_if<PointerButton>(&event);
            return button != nullptr && button->edge == Edge::Press;
        }));
    }

    const json ask_for_clicks{{"policy", {{"rules", {{{"name", "clicks"}, {"effect", "ask"}, {"verbs", {"click"}}}}}}}};
    std::string session;
};

TEST_F(Authority, AnApprovedActionIsPerformedOnce) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, ask_for_clicks);
    const std::string task = start_task(*client);
    const std::string approval = asked(*client);
    ASSERT_TRUE(wait_for_state(*client, task, "waiting_for_approval"));
    const json shown = call(*client, "approval.get", {{"approval", approval}}).result;
    EXPECT_EQ(shown["state"], "pending");
    EXPECT_EQ(shown["action"]["action"]["verb"], "click");
    EXPECT_EQ(shown["action"]["target"][0]["x"], 160);
    EXPECT_EQ(shown["rule"], "rule 1: clicks");
    EXPECT_EQ(clicks(), 0U);
    const Reply decided = call(*client, "approval.decide", {{"approval", approval}, {"decision", "approve"}, {"action_digest", shown["action_digest"]}});
    EXPECT_EQ(decided.kind, "") << decided.message;
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 1U);
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", approval}, {"decision", "approve"}}).kind, "approval_stale"); // replayed
}

TEST_F(Authority, ADeniedActionIsNotPerformedAndTheModelIsTold) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, ask_for_clicks);
    const std::string task = start_task(*client);
    const Reply decided = call(*client, "approval.decide", {{"approval", asked(*client)}, {"decision", "deny"}, {"note", "not this one"}});
    EXPECT_EQ(decided.kind, "") << decided.message;
    const auto finished = event_of_type(*client, "task.step_finished");
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->at("data").at("result"), "denied");
    EXPECT_NE(finished->at("data").at("observation").get<std::string>().find("not this one"), std::string::npos);
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 0U);
}

TEST_F(Authority, AnApprovalForAnotherActionIsStale) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, ask_for_clicks);
    const std::string task = start_task(*client);
    const std::string approval = asked(*client);
    const Reply wrong = call(*client, "approval.decide", {{"approval", approval}, {"decision", "approve"}, {"action_digest", std::string(64, '0')}});
    EXPECT_EQ(wrong.kind, "approval_stale");
    EXPECT_EQ(wrong.field, "action_digest");
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", "01NONE"}, {"decision", "approve"}}).kind, "no_such_approval");
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", approval}, {"decision", "deny"}}).kind, "");
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 0U);
}

TEST_F(Authority, AChangedTargetVoidsTheApproval) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, ask_for_clicks);
    const std::string task = start_task(*client);
    const std::string approval = asked(*client);
    ASSERT_TRUE(wait_for_state(*client, task, "waiting_for_approval"));
    platform->show(1); // the session's thread waits for the decision
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", approval}, {"decision", "approve"}}).kind, "");
    const auto expired = event_of_type(*client, "approval.expired");
    ASSERT_TRUE(expired);
    EXPECT_EQ(expired->at("data").at("why"), "target_changed");
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 0U);
}

TEST_F(Authority, WithoutAnApproverAnActionWaitsAndIsThenDenied) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    json more = ask_for_clicks;
    more["control"] = {{"approval_ttl_ms", 50}};
    open(*client, more);
    const std::string task = start_task(*client);
    const std::string approval = asked(*client);
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 0U);
    EXPECT_EQ(call(*client, "approval.get", {{"approval", approval}}).result["state"], "expired");
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", approval}, {"decision", "approve"}}).kind, "approval_stale");
}

TEST_F(Authority, DecidingNeedsTheScopeApprove) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, ask_for_clicks);
    const std::string task = start_task(*client);
    const std::string approval = asked(*client);
    JsonRpcClient agent(connect_raw(unix_endpoint()));
    const auto identified = agent.request("connection.identify", R"({"protocol":1,"client":"an agent","scopes":["observe","control"]})", soon());
    ASSERT_TRUE(identified && !identified->failure);
    EXPECT_EQ(call(agent, "approval.decide", {{"approval", approval}, {"decision", "approve"}}).kind, "scope_denied");
    EXPECT_EQ(call(agent, "policy.set", {{"session", session}, {"policy", json::object()}}).kind, "scope_denied");
    EXPECT_EQ(call(*client, "task.cancel", {{"task", task}}).kind, "");
    EXPECT_EQ(wait_task(*client, task)["outcome"], "stopped");
    EXPECT_EQ(clicks(), 0U);
}

TEST_F(Authority, TakingOverHoldsTheAgentUntilTheLeaseIsGivenBack) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, ask_for_clicks);
    const std::string task = start_task(*client);
    const Reply taken = call(*client, "approval.decide", {{"approval", asked(*client)}, {"decision", "take_over"}});
    ASSERT_EQ(taken.kind, "") << taken.message;
    ASSERT_TRUE(wait_for_state(*client, task, "human"));
    EXPECT_EQ(call(*client, "control.status", {{"session", session}}).result["holder"], "human");
    const std::size_t captures = platform->captures();
    EXPECT_EQ(state_of(*client, task), "human");
    EXPECT_EQ(platform->captures(), captures); // the agent sees nothing meanwhile
    EXPECT_EQ(call(*client, "control.release", {{"session", session}, {"lease", taken.result["lease"]}}).kind, "");
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_GT(platform->captures(), captures); // it looked again
    EXPECT_EQ(clicks(), 0U);
}

TEST_F(Authority, APersonPreEmptsTheAgentAtOnceAndItsAnswerIsDropped) {
    start();
    model.set_answers({click(500, 500)});
    model.hold();
    const auto client = connect();
    open(*client);
    const std::string task = start_task(*client);
    ASSERT_TRUE(model.wait_for_calls(1));
    const Reply lease = call(*client, "control.acquire", {{"session", session}, {"mode", "human"}});
    ASSERT_EQ(lease.kind, "") << lease.message; // and the answer ends, although the model is held
    ASSERT_TRUE(wait_for_state(*client, task, "human"));
    model.release();
    EXPECT_EQ(call(*client, "control.acquire", {{"session", session}, {"mode", "script"}}).kind, "lease_held");
    EXPECT_EQ(call(*client, "control.release", {{"session", session}, {"lease", "another"}}).kind, "lease_held");
    EXPECT_EQ(call(*client, "control.release", {{"session", session}, {"lease", lease.result["lease"]}}).kind, "");
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 0U); // the click was for a screen that was no longer the agent's
}

// Both call themselves the same: the first is told all the same that the target is no longer its own.
TEST_F(Authority, APersonWhomAnotherPreEmptsIsTold) {
    start();
    const auto client = connect();
    const auto other = connect();
    open(*client);
    const std::string first = call(*client, "control.acquire", {{"session", session}, {"mode", "human"}}).result.value("lease", "");
    ASSERT_FALSE(first.empty());
    const auto holder = [&] {
        const auto event = event_of_type(*client, "control.lease");
        return event ? event->at("data").value("holder", "") : "no event";
    };
    ASSERT_EQ(holder(), "human");
    EXPECT_EQ(call(*other, "control.release", {{"session", session}, {"lease", ""}}).kind, "invalid_params");
    EXPECT_EQ(call(*other, "control.release", {{"session", session}, {"lease", "a guess"}}).kind, "lease_held");
    EXPECT_EQ(call(*client, "control.status", {{"session", session}}).result["holder"], "human");
    const std::string second = call(*other, "control.acquire", {{"session", session}, {"mode", "human"}}).result.value("lease", "");
    ASSERT_FALSE(second.empty());
    EXPECT_EQ(holder(), "human"); // another one's
    EXPECT_EQ(call(*client, "input.key", {{"session", session}, {"keys", "a"}, {"lease", first}}).kind, "lease_held");
    EXPECT_EQ(call(*client, "control.release", {{"session", session}, {"lease", first}}).kind, "lease_held");
    EXPECT_EQ(call(*other, "control.release", {{"session", session}, {"lease", second}}).kind, "");
    EXPECT_EQ(holder(), "none");
}

TEST_F(Authority, ALeaseEndsAtItsTime) {
    start();
    const auto client = connect();
    open(*client);
    ASSERT_EQ(call(*client, "control.acquire", {{"session", session}, {"ttl_ms", 30}}).kind, "");
    const std::string task = start_task(*client);
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(call(*client, "control.status", {{"session", session}}).result["holder"], "none");
}

TEST_F(Authority, APausedTaskGoesOnWhereItIsToldTo) {
    start();
    model.set_answers({click(500, 500), click(500, 500), click(500, 500)});
    model.hold();
    const auto client = connect();
    open(*client);
    const std::string task = start_task(*client);
    ASSERT_TRUE(model.wait_for_calls(1));
    EXPECT_EQ(call(*client, "task.pause", {{"task", task}}).kind, "");
    ASSERT_TRUE(wait_for_state(*client, task, "paused"));
    EXPECT_EQ(clicks(), 0U);
    model.release();
    EXPECT_EQ(call(*client, "task.step", {{"task", task}}).kind, "");
    ASSERT_TRUE(event_of_type(*client, "action.verified"));
    ASSERT_TRUE(wait_for_state(*client, task, "paused"));
    EXPECT_EQ(clicks(), 1U); // one step, then it holds again
    EXPECT_EQ(call(*client, "task.resume", {{"task", task}}).kind, "");
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 2U);
}

TEST_F(Authority, AStopEndsATaskThatIsHeld) {
    start();
    model.hold();
    const auto client = connect();
    open(*client);
    const std::string task = start_task(*client);
    ASSERT_TRUE(model.wait_for_calls(1));
    ASSERT_EQ(call(*client, "control.acquire", {{"session", session}}).kind, "");
    ASSERT_TRUE(wait_for_state(*client, task, "human"));
    EXPECT_EQ(call(*client, "control.stop_all").kind, "");
    EXPECT_EQ(wait_task(*client, task)["outcome"], "stopped");
}

TEST_F(Authority, AWrongPolicyIsRefusedNamingRuleAndField) {
    start();
    const auto client = connect();
    const auto create = [&](const json& rule) {
        return call(*client, "session.create", {{"platform", "fake"}, {"policy", {{"rules", {rule}}}}});
    };
    const Reply typo = create({{"name", "mail"}, {"effect", "deny"}, {"window_class", {"x"}}});
    EXPECT_EQ(typo.kind, "invalid_params");
    EXPECT_NE(typo.message.find("rule 1 (\"mail\")"), std::string::npos) << typo.message;
    EXPECT_NE(typo.message.find("window_class"), std::string::npos) << typo.message;
    const Reply key = create({{"name", "keys"}, {"effect", "deny"}, {"keys", {"ctrl+nokey"}}});
    EXPECT_NE(key.message.find("rule 1 (\"keys\").keys"), std::string::npos) << key.message;
}

TEST_F(Authority, ATaskCanOnlyNarrowWhatItsSessionAllows) {
    start();
    model.set_answers({click(500, 500)});
    const auto client = connect();
    open(*client, {{"policy", {{"deny_verbs", {"click"}}}}});
    const std::string task = start_task(*client, {{"policy", {{"rules", {{{"name", "all"}, {"effect", "allow"}}}}, {"otherwise", "allow"}}}});
    EXPECT_TRUE(ends_by_itself(*client, task));
    EXPECT_EQ(clicks(), 0U);
}

TEST_F(Authority, ExplainSaysWhichRuleDecidesAndSendsNothing) {
    start();
    const auto client = connect();
    open(*client, {{"policy", {{"rules", {{{"name", "left half"}, {"effect", "allow"}, {"region", {{"x", 0}, {"y", 0}, {"width", 160}, {"height", 240}}}}}},
                               {"otherwise", "deny"}}}});
    const auto explain = [&](int x) {
        return call(*client, "policy.explain", {{"session", session}, {"action", {{"verb", "click"}, {"x", x}, {"y", 10}, {"units", "pixels"}}}}).result;
    };
    EXPECT_EQ(explain(100).value("gate", ""), "allow");
    EXPECT_EQ(explain(100).value("rule", ""), "rule 1: left half");
    EXPECT_EQ(explain(200).value("gate", ""), "deny");
    EXPECT_EQ(explain(200).value("rule", ""), "otherwise");
    EXPECT_TRUE(platform->events().empty());
    ASSERT_EQ(call(*client, "policy.set", {{"session", session}, {"policy", json::object()}}).kind, "");
    EXPECT_EQ(explain(200).value("gate", ""), "allow");
}

// A person could not hold it with their own hands, nor stop it with the hot key.
TEST_F(Authority, ASessionThatCannotHearAPersonDoesNotOpen) {
    prepare_platform = [](fakes::FakePlatform& made) { made.fail_next(fakes::Call::WatchPerson, Error{ErrorCode::IoFailed, "too many open files"}); };
    start();
    const auto client = connect();
    const Reply deaf = call(*client, "session.create", {{"platform", "fake"}});
    EXPECT_EQ(deaf.kind, "io_failed");
    EXPECT_NE(deaf.message.find("watching a person's input: too many open files"), std::string::npos) << deaf.message;
    prepare_platform = [](fakes::FakePlatform& made) { made.fail_next(fakes::Call::WatchPerson, Error{ErrorCode::Unsupported, "nobody sits here"}); };
    open(*client);
}

} // namespace
} // namespace handeye::testing
