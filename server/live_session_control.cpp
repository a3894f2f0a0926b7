// SPDX-License-Identifier: Apache-2.0
// Who may act on a session's target: stops, pauses, leases, a person's own hands. Any thread.
#include "server/live_session.h"

#include "base/json.h"
#include "base/log.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

using nlohmann::json;

bool LiveSession::request_stop() {
    std::stop_source stop;
    std::stop_source input;
    bool was_busy = false;
    {
        const std::lock_guard lock(mutex_);
        stop = task_stop_;
        input = std::exchange(input_stop_, std::stop_source());
        was_busy = !current_task_.empty();
    }
    stop.request_stop(); // outside the lock: it runs callbacks
    input.request_stop();
    return was_busy;
}

std::shared_ptr<SharedPlatform> LiveSession::shared_platform() const {
    const std::lock_guard lock(mutex_);
    return is_closing_ ? nullptr : platform_;
}

std::shared_ptr<SessionLog> LiveSession::log() const {
    const std::lock_guard lock(mutex_);
    return log_;
}

std::stop_token LiveSession::input_stop() const {
    const std::lock_guard lock(mutex_);
    return input_stop_.get_token();
}

bool LiveSession::runs_task() const {
    const std::lock_guard lock(mutex_);
    return log_ && is_busy();
}

std::vector<TaskStatus> LiveSession::tasks() const {
    std::vector<TaskStatus> out;
    const std::lock_guard lock(mutex_);
    for (const Task& task : tasks_) {
        out.push_back(task.status);
    }
    return out;
}

Result<void> LiveSession::release_all() {
    std::shared_ptr<SharedPlatform> platform;
    {
        const std::lock_guard lock(mutex_);
        platform = platform_;
    }
    return platform ? platform->release_all() : Result<void>();
}

void LiveSession::hear_person(PersonAct act) {
    if (act == PersonAct::KillSwitch) {
        parts_.on_kill_switch();
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        if (!is_busy()) {
            return; // nobody to hold
        }
    }
    if (control_->human_input()) {
        note("human.input", dump_json(json{{"kind", person_act_name(act)}}));
    }
}

void LiveSession::hear_state(std::string_view state) {
    constexpr std::array kStates{TaskState::Running, TaskState::Paused, TaskState::WaitingForApproval, TaskState::Human, TaskState::Script};
    const std::lock_guard lock(mutex_);
    Task* const task = find_task(current_task_);
    for (const TaskState known : kStates) {
        if (task != nullptr && task_state_name(known) == state) {
            task->status.state = known;
        }
    }
}

RpcResult<TaskStatus> LiveSession::change_pace(const std::string& task_id, void (ControlState::*change)()) {
    bool is_current = false;
    {
        const std::lock_guard lock(mutex_);
        is_current = current_task_ == task_id && is_busy();
    }
    if (is_current) {
        (control_.get()->*change)(); // outside the lock: it runs callbacks
    }
    const auto status = task(task_id);
    if (!status) {
        return RpcError{ErrorKind::NoSuchTask, fmt::format("task \"{}\" is forgotten", task_id), "task"};
    }
    return *status;
}

RpcResult<TaskStatus> LiveSession::pause_task(const std::string& task_id) { return change_pace(task_id, &ControlState::pause); }
RpcResult<TaskStatus> LiveSession::resume_task(const std::string& task_id) { return change_pace(task_id, &ControlState::resume); }
RpcResult<TaskStatus> LiveSession::step_task(const std::string& task_id) { return change_pace(task_id, &ControlState::step); }

RpcResult<Lease> LiveSession::acquire(LeaseMode mode, Duration ttl, const std::string& by) {
    bool is_running = false;
    {
        const std::lock_guard lock(mutex_);
        if (is_closing_ || !platform_) {
            return RpcError{ErrorKind::SessionClosed, fmt::format("session {} is not open", parts_.id), "session"};
        }
        is_running = is_busy();
    }
    Result<Lease> lease = control_->acquire(mode, ttl, by, is_running);
    if (!lease) {
        const bool is_held = lease.error().code == ErrorCode::Overloaded;
        return is_held ? RpcError{ErrorKind::LeaseHeld, lease.error().message, "session"} : to_rpc_error(lease.error());
    }
    return *std::move(lease);
}

std::optional<RpcError> LiveSession::release(const std::string& lease) {
    if (const auto released = control_->release(lease); !released) {
        return RpcError{ErrorKind::LeaseHeld, released.error().message, "lease"};
    }
    (void)release_all(); // what its holder left pressed
    return std::nullopt;
}

void LiveSession::note_lease() {
    const auto lease = control_->lease();
    std::string by;
    std::string holder;
    {
        const std::lock_guard lock(mutex_);
        holder = lease ? (lease->mode == LeaseMode::Human ? "human" : "script") : is_busy() ? "agent" : "none";
        by = lease ? lease->by : "";
        const std::string id = lease ? lease->id : "";
        if (holder == noted_holder_ && by == noted_by_ && id == noted_lease_) {
            return;
        }
        noted_lease_ = id;
        noted_holder_ = holder;
        noted_by_ = by;
    }
    note("control.lease", dump_json(json{{"holder", holder}, {"by", by}}));
}

std::optional<RpcError> LiveSession::may_input(const std::string& lease) {
    const auto held = [&](std::string_view by) {
        return RpcError{ErrorKind::LeaseHeld, fmt::format("the target is held by {}; control.acquire comes first", by), "lease"};
    };
    if (!lease.empty()) {
        return control_->may_act(lease) ? std::nullopt : std::optional(held("somebody else"));
    }
    {
        const std::lock_guard lock(mutex_);
        if (is_busy()) {
            return held("the agent");
        }
    }
    return control_->may_act("") ? std::nullopt : std::optional(held(hold_name(control_->hold())));
}

std::shared_ptr<Platform> LiveSession::platform() const {
    const std::lock_guard lock(mutex_);
    return platform_;
}

Policy LiveSession::policy() const {
    const std::lock_guard lock(mutex_);
    return policy_;
}

std::optional<RpcError> LiveSession::set_policy(Policy policy) {
    const std::lock_guard lock(mutex_);
    if (is_busy()) {
        return RpcError{ErrorKind::TaskRunning, fmt::format("session {} runs a task; its policy is fixed", parts_.id), "session"};
    }
    policy_ = std::move(policy);
    hands_gate_.reset();
    return std::nullopt;
}

Result<std::shared_ptr<PolicyGate>> LiveSession::hands_gate() {
    const std::lock_guard lock(mutex_);
    if (!hands_gate_) {
        hands_gate_ = std::make_shared<PolicyGate>(TRY(PolicyGate::create(policy_)));
    }
    return hands_gate_;
}

} // namespace handeye
