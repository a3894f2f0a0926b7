// SPDX-License-Identifier: Apache-2.0
// task.*: goals handed to a session. A task lives in the daemon, whatever becomes of the connection that asked for it.
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"

#include <array>
#include <atomic>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::int64_t kWaitDefaultMs = 30'000;

json task_json(const TaskStatus& status) {
    json out{{"task", status.task},
             {"session", status.session},
             {"state", task_state_name(status.state)},
             {"goal", status.goal_utf8},
             {"finished", status.report.has_value()}};
    if (status.report) {
        out["outcome"] = task_outcome_name(status.report->outcome);
        out["exit_code"] = task_exit_code(status.report->outcome);
        out["message"] = status.report->message;
        out["answer"] = status.report->answer_utf8;
        out["steps"] = status.report->steps;
        out["tokens"] = status.report->tokens;
        out["wall_ms"] = std::chrono::duration<double, std::milli>(status.report->wall).count();
    }
    return out;
}

Budget budget_from(const json& params, Budget budget) {
    const json given = params.value("budget", json::object());
    budget.steps_max = given.value("max_steps", budget.steps_max);
    budget.tokens_max = given.value("max_tokens", budget.tokens_max);
    if (const auto seconds = given.find("max_seconds"); seconds != given.end()) {
        budget.wall_max = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds->get<double>()));
    }
    return budget;
}

// A request can narrow what the daemon allows, never widen it.
Policy policy_from(const json& params, Policy policy) {
    const json given = params.value("policy", json::object());
    const auto deny = given.value("deny_verbs", std::vector<std::string>());
    policy.deny_verbs.insert(policy.deny_verbs.end(), deny.begin(), deny.end());
    const auto allow = given.value("allow_verbs", std::vector<std::string>());
    if (policy.allow_verbs.empty()) {
        policy.allow_verbs = allow;
    } else if (!allow.empty()) {
        std::erase_if(policy.allow_verbs,
                      [&](const std::string& verb) { return std::find(allow.begin(), allow.end(), verb) == allow.end(); });
    }
    return policy;
}

Surface surface_from(const json& params, Surface fallback) {
    const std::string name = params.value("surface", std::string(surface_name(fallback)));
    for (const Surface surface : {Surface::Mobile, Surface::Desktop, Surface::Web}) {
        if (surface_name(surface) == name) {
            return surface;
        }
    }
    return fallback; // the schema let nothing else through
}

std::shared_ptr<LiveSession> find_or_fail(const Call& call, const std::string& task) {
    auto session = call.core.hub.find_task(task);
    if (!session) {
        call.reply.fail(RpcError{ErrorKind::NoSuchTask, fmt::format("there is no task \"{}\"", task), "task"});
    }
    return session;
}

void reply_with(const Reply& reply, const LiveSession& session, const std::string& task) {
    if (const auto status = session.task(task); status) {
        reply.ok(task_json(*status));
    } else {
        reply.fail(RpcError{ErrorKind::NoSuchTask, fmt::format("task \"{}\" is forgotten", task), "task"});
    }
}

} // namespace

void task_run(const Call& call) {
    const json& params = call.params;
    if (call.core.gate.status().state == ModelState::Missing) {
        call.reply.fail(RpcError{ErrorKind::EngineMissing, "no model is loaded: start the daemon with --model DIR", ""});
        return;
    }
    if (const auto model = call.core.gate.status(); model.state == ModelState::Failed) {
        call.reply.fail(RpcError{ErrorKind::EngineMissing, "the model could not be loaded: " + model.detail, ""});
        return;
    }
    const SessionOptions& defaults = call.core.services.session_defaults;
    json body = params;
    body.erase("request_key");
    TaskSpec spec{.goal_utf8 = params.at("goal").get<std::string>(),
                  .budget = budget_from(params, defaults.budget),
                  .policy = policy_from(params, defaults.policy),
                  .surface = surface_from(params, defaults.surface),
                  .request_key = params.value("request_key", ""),
                  .body = dump_json(body)}; // keys are sorted: one form for one meaning
    if (const auto fit = check_policy(spec.policy); !fit) {
        call.reply.fail(RpcError{ErrorKind::InvalidParams, fit.error().message, "policy"});
        return;
    }
    const auto started = call.core.hub.run_task(params.at("session").get<std::string>(), std::move(spec));
    if (const auto* const error = std::get_if<RpcError>(&started); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    const auto& status = std::get<TaskStatus>(started);
    call.reply.ok({{"task", status.task}, {"session", status.session}, {"state", task_state_name(status.state)}});
}

void task_get(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    if (const auto session = find_or_fail(call, task); session) {
        reply_with(call.reply, *session, task);
    }
}

void task_cancel(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    if (const auto session = find_or_fail(call, task); session) {
        session->cancel_task(task);
        reply_with(call.reply, *session, task);
    }
}

void task_wait(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    const auto session = find_or_fail(call, task);
    if (!session) {
        return;
    }
    const auto is_answered = std::make_shared<std::atomic<bool>>(false);
    const auto answer = [reply = call.reply, weak = std::weak_ptr(session), task, is_answered] {
        if (const auto alive = weak.lock(); alive && !is_answered->exchange(true)) {
            reply_with(reply, *alive, task);
        }
    };
    const std::uint64_t waiter = session->on_task_finished(task, answer);
    if (waiter != 0) {
        const auto timeout = std::chrono::milliseconds(call.params.value("timeout_ms", kWaitDefaultMs));
        call.core.loop.after(timeout, [weak = std::weak_ptr(session), waiter, answer] {
            if (const auto alive = weak.lock(); alive) {
                alive->forget_waiter(waiter);
            }
            answer();
        });
    }
}

} // namespace handeye
