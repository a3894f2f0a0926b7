// SPDX-License-Identifier: Apache-2.0
// policy.*: what a session may do. A running task's policy is fixed; changing a session's needs the scope admin, so that whoever
// only controls an agent cannot widen what it may do.
#include "agent/policy_gate.h"
#include "agent/window_facts.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json policy_json(const Policy& policy) {
    json within = json::array();
    for (const Policy& outer : policy.outer) {
        within.push_back(json::parse(policy_to_json(outer), nullptr, false));
    }
    return {{"policy", json::parse(policy_to_json(policy), nullptr, false)}, {"within", std::move(within)}};
}

/// What the gate would say now, and why. Nothing is counted or sent.
Result<json> explain(LiveSession& session, Platform& platform, const std::string& action_json, Clock& clock) {
    const Action action = TRY(action_from_json(action_json));
    const DisplayInfo display = TRY(platform.display());
    const std::vector<Element> elements = TRY(platform.elements());
    const Plan plan = TRY(resolve(action, {display.size, display.size, elements}));
    const PolicyGate gate = TRY(PolicyGate::create(session.policy()));
    ActionFacts facts = facts_of(action, plan, elements, clock.wall_now());
    if (gate.needs_windows()) {
        add_windows(facts, platform);
    }
    const GateDecision decision = gate.explain(facts);
    json points = json::array();
    for (const Point point : facts.points) {
        points.push_back({{"x", point.x}, {"y", point.y}});
    }
    json windows = json::array();
    for (const WindowInfo& window : facts.windows.value_or(std::vector<WindowInfo>())) {
        windows.push_back({{"title", window.title_utf8}, {"class", window.window_class}, {"app", window.app}});
    }
    return json{{"gate", gate_name(decision.gate)}, {"rule", decision.rule}, {"reason", decision.reason},
                {"risk", risk_of(action)},          {"points", points},      {"windows", windows}};
}

} // namespace

void policy_get(const Call& call) {
    if (const auto session = find_session_or_fail(call); session) {
        call.reply.ok(policy_json(session->policy()));
    }
}

void policy_set(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    auto policy = policy_from_json(dump_json(call.params.at("policy")));
    if (!policy) {
        call.reply.fail(RpcError{ErrorKind::InvalidParams, policy.error().message, "policy"});
        return;
    }
    policy->origin = "policy.set";
    const Policy within = narrowed(call.core.services.session_defaults.policy, *policy);
    if (const auto refused = session->set_policy(within); refused) {
        call.reply.fail(*refused);
        return;
    }
    (void)call.core.stopper.submit([session, within] { session->note("policy.changed", dump_json(policy_json(within))); });
    call.reply.ok(policy_json(within));
}

void policy_explain(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    const auto platform = session->platform();
    if (!platform) {
        call.reply.fail(RpcError{ErrorKind::SessionClosed, fmt::format("session {} is not open", session->id()), "session"});
        return;
    }
    const auto look = [session, platform, action = dump_json(call.params.at("action")), reply = call.reply, clock = call.core.services.clock] {
        if (const Result<json> said = explain(*session, *platform, action, *clock); said) {
            reply.ok(*said);
        } else {
            reply.fail(said.error());
        }
    };
    if (!call.core.hands_of(session->id()).submit(look)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many requests wait for this session's target", ""});
    }
}

} // namespace handeye
