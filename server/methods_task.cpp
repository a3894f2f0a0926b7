// SPDX-License-Identifier: Apache-2.0
// task.*: goals handed to a session. A task lives in the daemon, whatever becomes of the connection that asked for it.
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/task_request.h"

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

std::optional<Surface> surface_from(const json& params, std::optional<Surface> fallback) {
    const auto named = params.find("surface");
    return named == params.end() ? fallback : find_surface(named->get<std::string>()); // the schema let nothing else through
}

std::shared_ptr<LiveSession> find_task_or_fail(const Call& call, const std::string& task) {
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

Budget budget_from(const json& params, Budget budget, Widen widen) {
    const json given = params.value("budget", json::object());
    const auto take = [&](const char* key, auto& value) {
        const auto wanted = given.value(key, value);
        value = widen == Widen::Yes || (value == 0 && wanted > 0) ? wanted : std::min(value, wanted); // 0: no limit, of those that have none
    };
    take("max_steps", budget.steps_max);
    take("max_tokens", budget.tokens_max);
    take("max_actions_per_minute", budget.actions_per_minute_max);
    take("max_same_action", budget.same_action_max);
    if (const auto seconds = given.find("max_seconds"); seconds != given.end()) {
        const auto wanted = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds->get<double>()));
        budget.wall_max = widen == Widen::Yes ? wanted : std::min(budget.wall_max, wanted);
    }
    return budget;
}

std::optional<RpcError> missing_model(const Core& core) {
    const ModelGate::Status model = core.gate.status();
    switch (model.state) {
    case ModelState::Missing: return RpcError{ErrorKind::EngineMissing, "no model is loaded: start the daemon with --model DIR", ""};
    case ModelState::Failed: return RpcError{ErrorKind::EngineMissing, "the model could not be loaded: " + model.detail, ""};
    case ModelState::Loading:
    case ModelState::Ready: break;
    }
    return std::nullopt;
}

RpcResult<TaskSpec> spec_from(const Call& call, std::string_view method) {
    const json& params = call.params;
    json body = params;
    body.erase("request_key");
    // A request can narrow what the session allows, never widen it: the session puts its own policy around this one.
    auto policy = policy_from_json(dump_json(params.value("policy", json::object())));
    if (!policy) {
        return RpcError{ErrorKind::InvalidParams, policy.error().message, "policy"};
    }
    policy->origin = method;
    TaskSpec spec{.policy = *std::move(policy),
                  .surface = surface_from(params, call.core.services.session_defaults.surface),
                  .request_key = call.peer.own_key(params.value("request_key", "")),
                  .body = fmt::format("{}\n{}", method, dump_json(body))}; // keys are sorted: one form for one meaning
    if (const auto secrets = params.find("secrets"); secrets != params.end()) {
        spec.secrets = secrets->get<std::vector<std::string>>();
    }
    return spec;
}

void task_run(const Call& call) {
    const json& params = call.params;
    if (const auto missing = missing_model(call.core); missing) {
        call.reply.fail(*missing);
        return;
    }
    const SessionOptions& defaults = call.core.services.session_defaults;
    const auto goal = params.at("goal").get<std::string>();
    if (goal.size() > defaults.render.goal_bytes_max) { // the schema counts characters, a prompt has room for bytes
        call.reply.fail(RpcError{ErrorKind::InvalidParams, fmt::format("goal has {} bytes, the limit is {}", goal.size(), defaults.render.goal_bytes_max), "goal"});
        return;
    }
    auto asked = spec_from(call, "task.run");
    if (const auto* const wrong = std::get_if<RpcError>(&asked); wrong != nullptr) {
        call.reply.fail(*wrong);
        return;
    }
    TaskSpec spec = std::get<TaskSpec>(std::move(asked));
    spec.goal_utf8 = goal;
    spec.budget = budget_from(params, defaults.budget, Widen::Yes);
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
    if (const auto session = find_task_or_fail(call, task); session) {
        reply_with(call.reply, *session, task);
    }
}

void task_cancel(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    if (const auto session = find_task_or_fail(call, task); session) {
        session->cancel_task(task);
        reply_with(call.reply, *session, task);
    }
}

namespace {

void change_pace(const Call& call, RpcResult<TaskStatus> (LiveSession::*change)(const std::string&)) {
    const auto task = call.params.at("task").get<std::string>();
    const auto session = find_task_or_fail(call, task);
    if (!session) {
        return;
    }
    const auto changed = ((*session).*change)(task);
    if (const auto* const error = std::get_if<RpcError>(&changed); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    call.reply.ok(task_json(std::get<TaskStatus>(changed)));
}

} // namespace

void task_pause(const Call& call) { change_pace(call, &LiveSession::pause_task); }
void task_resume(const Call& call) { change_pace(call, &LiveSession::resume_task); }
void task_step(const Call& call) { change_pace(call, &LiveSession::step_task); }

void task_wait(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    const auto session = find_task_or_fail(call, task);
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

void task_list(const Call& call) {
    const auto wanted = call.params.value("session", "");
    json tasks = json::array();
    for (const SessionStatus& status : call.core.hub.list()) {
        const auto session = wanted.empty() || status.session == wanted ? call.core.hub.find(status.session) : nullptr;
        for (const TaskStatus& task : session ? session->tasks() : std::vector<TaskStatus>()) {
            tasks.push_back(task_json(task));
        }
    }
    if (!wanted.empty() && !call.core.hub.find(wanted)) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no open session \"{}\"", wanted), "session"});
        return;
    }
    call.reply.ok({{"tasks", std::move(tasks)}});
}

void task_amend(const Call& call) {
    const auto task = call.params.at("task").get<std::string>();
    const auto session = find_task_or_fail(call, task);
    if (!session) {
        return;
    }
    if (const auto refused = session->amend_task(task, call.params.at("note").get<std::string>()); refused) {
        call.reply.fail(*refused);
        return;
    }
    reply_with(call.reply, *session, task);
}

} // namespace handeye
