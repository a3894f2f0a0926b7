// SPDX-License-Identifier: Apache-2.0
// What others ask of a session, from any thread: tasks, captures, its end.
#include "server/live_session.h"

#include "base/hash.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kTasksKept = 256;      // finished ones, with their request keys
constexpr std::size_t kCapturesMax = 16;
constexpr std::size_t kWaitersMax = 1024;

std::shared_ptr<const SecretStore> store_of(const LiveSession::Parts& parts) {
    return parts.secrets ? parts.secrets : std::make_shared<const SecretStore>();
}

} // namespace

LiveSession::LiveSession(Parts parts)
    : parts_(std::move(parts)), control_(std::make_shared<ControlState>(*parts_.clock, parts_.settings.control)),
      grants_(std::make_shared<SecretGrants>(store_of(parts_))), redactor_(std::make_shared<Redactor>(*store_of(parts_))),
      approvals_(parts_.id, *parts_.clock, parts_.on_approval), questions_(*parts_.clock, parts_.on_question), policy_(parts_.settings.policy) {}

void LiveSession::start(std::function<void(Result<SessionStatus>)> on_opened) {
    std::thread started([self = shared_from_this(), on_opened = std::move(on_opened)] { self->run(on_opened); });
    const std::lock_guard lock(mutex_);
    thread_ = std::move(started);
}

LiveSession::Task* LiveSession::find_task(const std::string& task_id) {
    const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& t) { return t.status.task == task_id; });
    return found == tasks_.end() ? nullptr : &*found;
}

RpcResult<TaskStatus> LiveSession::run_task(TaskSpec spec) {
    const auto id = make_ulid(parts_.clock->wall_now());
    if (!id) {
        return to_rpc_error(id.error());
    }
    const std::lock_guard lock(mutex_);
    if (!spec.request_key.empty()) {
        for (const Task& task : tasks_) {
            if (task.spec.request_key != spec.request_key) {
                continue;
            }
            if (task.spec.body != spec.body) {
                return RpcError{ErrorKind::RequestKeyReused,
                                fmt::format("this request_key was used for task {} with another body", task.status.task),
                                "request_key"};
            }
            return task.status;
        }
    }
    if (is_closing_ || state_ == SessionState::Closed || state_ == SessionState::Failed) {
        return RpcError{ErrorKind::SessionClosed, fmt::format("session {} is closed", parts_.id), "session"};
    }
    if (state_ == SessionState::Opening) {
        return RpcError{ErrorKind::Unavailable, fmt::format("session {} is still being opened", parts_.id), "session"};
    }
    if (is_busy()) {
        return RpcError{ErrorKind::TaskRunning, fmt::format("session {} runs task {}; a session does one at a time",
                                                            parts_.id, current_task_),
                        "session"};
    }
    for (const std::string& name : spec.secrets.value_or(std::vector<std::string>())) {
        const auto& own = parts_.settings.secrets;
        if (std::find(own.begin(), own.end(), name) == own.end()) {
            return RpcError{ErrorKind::InvalidParams, fmt::format("the secret \"{}\" is not among those of session {}", name, parts_.id), "secrets"};
        }
    }
    if (tasks_.size() >= kTasksKept) {
        tasks_.pop_front();
    }
    spec.policy = narrowed(policy_, std::move(spec.policy));
    const bool is_file = spec.program != nullptr;
    TaskStatus status{*id, parts_.id, TaskState::Queued, spec.goal_utf8, std::nullopt};
    tasks_.push_back({std::move(status), std::move(spec), is_file});
    pending_task_ = current_task_ = *id;
    task_stop_ = std::stop_source();
    task_notes_.clear(); // what the last one did not get to read
    state_ = SessionState::Busy;
    changed_.notify_all();
    return tasks_.back().status;
}

std::optional<TaskStatus> LiveSession::task(const std::string& task_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& t) { return t.status.task == task_id; });
    return found == tasks_.end() ? std::nullopt : std::optional(found->status);
}

void LiveSession::set_task_state(const std::string& task_id, TaskState state) {
    const std::lock_guard lock(mutex_);
    if (Task* const task = find_task(task_id); task != nullptr) {
        task->status.state = state;
    }
}

void LiveSession::cancel_task(const std::string& task_id) {
    {
        const std::lock_guard lock(mutex_);
        if (current_task_ != task_id) {
            return;
        }
    }
    request_stop();
}

std::uint64_t LiveSession::on_task_finished(const std::string& task_id, std::function<void()> call) {
    {
        const std::lock_guard lock(mutex_);
        const Task* const task = find_task(task_id);
        if (task != nullptr && task->status.state != TaskState::Finished && waiters_.size() < kWaitersMax) {
            waiters_.push_back({next_waiter_, task_id, std::move(call)});
            return next_waiter_++;
        }
    }
    call();
    return 0;
}

void LiveSession::forget_waiter(std::uint64_t waiter) {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiters_, [&](const Waiter& w) { return w.number == waiter; });
}

std::optional<RpcError> LiveSession::capture(std::function<void(Result<Screenshot>)> done) {
    const std::lock_guard lock(mutex_);
    if (is_closing_ || state_ == SessionState::Closed || state_ == SessionState::Failed) {
        return RpcError{ErrorKind::SessionClosed, fmt::format("session {} is closed", parts_.id), "session"};
    }
    if (is_busy()) {
        return RpcError{ErrorKind::TaskRunning,
                        fmt::format("session {} runs task {}: read the picture of its last observation.captured event with "
                                    "recording.blob",
                                    parts_.id, current_task_),
                        "session"};
    }
    if (captures_.size() >= kCapturesMax) {
        return RpcError{ErrorKind::Overloaded, fmt::format("{} captures wait already", kCapturesMax), ""};
    }
    captures_.push_back(std::move(done));
    changed_.notify_all();
    return std::nullopt;
}

void LiveSession::request_close() {
    std::stop_source opening;
    {
        const std::lock_guard lock(mutex_);
        is_closing_ = true;
        opening = open_stop_;
    }
    changed_.notify_all();
    opening.request_stop();
    request_stop();
}

bool LiveSession::has_ended() const {
    const std::lock_guard lock(mutex_);
    return has_ended_;
}

// The loop, when the thread says that it ends, and the server's end may come here at one time: one of them gets the thread.
std::thread LiveSession::take_thread() {
    const std::lock_guard lock(mutex_);
    return std::exchange(thread_, {});
}

void LiveSession::join() {
    if (std::thread thread = take_thread(); thread.joinable()) {
        thread.join();
    }
}

void LiveSession::detach() {
    if (std::thread thread = take_thread(); thread.joinable()) {
        thread.detach();
    }
}

SessionStatus LiveSession::status() const {
    const std::lock_guard lock(mutex_);
    return {parts_.id,      state_,        parts_.platform, display_.size, last_seq_.load(),
            current_task_, parts_.recording.string(), name_, notes_};
}

} // namespace handeye
