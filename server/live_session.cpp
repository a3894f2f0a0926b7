// SPDX-License-Identifier: Apache-2.0
#include "server/live_session.h"

#include "agent/secret_platform.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kTasksKept = 256;      // finished ones, with their request keys
constexpr std::size_t kCapturesMax = 16;
constexpr std::size_t kWaitersMax = 1024;
constexpr std::size_t kTailBytesMax = 400;

// Cuts from the front, never through a character.
void keep_tail(std::string& text) {
    if (text.size() <= kTailBytesMax) {
        return;
    }
    std::size_t cut = text.size() - kTailBytesMax;
    while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) {
        ++cut;
    }
    text.erase(0, cut);
}

std::shared_ptr<const SecretStore> store_of(const LiveSession::Parts& parts) {
    return parts.secrets ? parts.secrets : std::make_shared<const SecretStore>();
}

std::string finished_json(const TaskReport& report) {
    return dump_json(json{{"outcome", task_outcome_name(report.outcome)},
                          {"message", report.message},
                          {"answer", report.answer_utf8},
                          {"steps", report.steps},
                          {"tokens", report.tokens}});
}

} // namespace

std::string_view session_state_name(SessionState state) {
    switch (state) {
    case SessionState::Opening: return "opening";
    case SessionState::Idle: return "idle";
    case SessionState::Busy: return "busy";
    case SessionState::Closing: return "closing";
    case SessionState::Closed: return "closed";
    case SessionState::Failed: return "failed";
    }
    return "failed";
}

std::string_view task_state_name(TaskState state) {
    switch (state) {
    case TaskState::Queued: return "queued";
    case TaskState::WaitingForEngine: return "waiting_for_engine";
    case TaskState::Running: return "running";
    case TaskState::Paused: return "paused";
    case TaskState::WaitingForApproval: return "waiting_for_approval";
    case TaskState::Human: return "human";
    case TaskState::Script: return "script";
    case TaskState::Finished: return "finished";
    }
    return "finished";
}

LiveSession::LiveSession(Parts parts)
    : parts_(std::move(parts)), control_(std::make_shared<ControlState>(*parts_.clock, parts_.settings.control)),
      grants_(std::make_shared<SecretGrants>(store_of(parts_))), redactor_(std::make_shared<Redactor>(*store_of(parts_))),
      approvals_(parts_.id, *parts_.clock, parts_.on_approval), policy_(parts_.settings.policy) {}

void LiveSession::start(std::function<void(Result<SessionStatus>)> on_opened) {
    std::thread started([self = shared_from_this(), on_opened = std::move(on_opened)] { self->run(on_opened); });
    const std::lock_guard lock(mutex_);
    thread_ = std::move(started);
}

// --- the session's thread ---------------------------------------------------------------------------------------------

void LiveSession::run(const std::function<void(Result<SessionStatus>)>& on_opened) {
    auto opened = open();
    if (opened) {
        on_opened(status());
        serve();
    } else {
        on_opened(opened.error());
    }
    shut();
    {
        const std::lock_guard lock(mutex_);
        state_ = opened ? SessionState::Closed : SessionState::Failed;
        has_ended_ = true;
    }
    parts_.on_ended();
}

Result<void> LiveSession::open() {
    TRY(grants_->set(parts_.settings.secrets));
    std::unique_ptr<Platform> opened = TRY(parts_.open_platform(open_stop_.get_token()));
    auto platform = std::make_shared<SharedPlatform>(std::make_unique<SecretPlatform>(std::move(opened), grants_));
    DisplayInfo display = TRY(platform->display());
    auto recorder = TRY(Recorder::open(parts_.recording, parts_.id));
    auto log = std::make_shared<SessionLog>(std::move(recorder), *parts_.clock, [this](std::uint64_t seq) {
        last_seq_ = seq;
        parts_.on_event();
    }, redactor_);
    TRY(log->append("session.state", dump_json(json{{"state", "open"},
                                                     {"platform", display.platform},
                                                     {"backend", display.backend},
                                                     {"width_px", display.size.width_px},
                                                     {"height_px", display.size.height_px}})));
    const auto hear = [weak = weak_from_this()](PersonAct act) {
        if (const auto self = weak.lock(); self) {
            self->hear_person(act);
        }
    };
    if (const auto watched = platform->watch_person({parts_.settings.kill_chord, hear}); !watched) {
        log::info("server", fmt::format("session {}: {}", parts_.id, watched.error().message));
    }
    const std::lock_guard lock(mutex_);
    platform_ = std::move(platform);
    display_ = std::move(display);
    log_ = std::move(log);
    state_ = SessionState::Idle;
    return {};
}

void LiveSession::serve() {
    for (;;) {
        std::string task_id;
        Capture capture;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return is_closing_ || !pending_task_.empty() || !captures_.empty(); });
            if (!pending_task_.empty()) { // also when closing: its waiters get their answer
                task_id = std::exchange(pending_task_, "");
                log_->begin_task(task_id); // under the lock: is_busy() reads both
            } else if (!captures_.empty()) {
                capture = std::move(captures_.front());
                captures_.pop_front();
            } else {
                return;
            }
        }
        if (capture) {
            do_capture(capture);
        } else {
            do_task(task_id);
        }
    }
}

void LiveSession::do_task(const std::string& task_id) {
    TaskSpec spec;
    std::stop_token stop;
    {
        const std::lock_guard lock(mutex_);
        spec = find_task(task_id)->spec;
        stop = task_stop_.get_token();
        progress_characters_ = 0;
        progress_tail_.clear();
    }
    finish_task(task_id, run_agent(spec, task_id, stop));
}

// From task.finished on the session takes the next task, although this one is still being tidied up.
bool LiveSession::is_busy() const {
    return !pending_task_.empty() || (!current_task_.empty() && !log_->has_finished_task());
}

Result<TaskReport> LiveSession::run_agent(const TaskSpec& spec, const std::string& task_id, const std::stop_token& stop) {
    if (parts_.gate->status().state == ModelState::Loading) {
        set_task_state(task_id, TaskState::WaitingForEngine);
        TRY(log_->append("task.state", R"({"state":"waiting_for_engine"})"));
    }
    ChatModel* const model = TRY(parts_.gate->wait_ready(stop));
    set_task_state(task_id, TaskState::Running);
    TRY(open_agent(spec, *model));
    TRY(grants_->set(spec.secrets.value_or(parts_.settings.secrets)));
    Result<TaskReport> report = agent_->run_task(spec.goal_utf8, stop);
    TRY(grants_->set(parts_.settings.secrets)); // for a person's own hands again
    return report;
}

Result<void> LiveSession::open_agent(const TaskSpec& spec, ChatModel& model) {
    if (agent_) {
        return agent_->configure(spec.budget, spec.policy, spec.surface);
    }
    model_ = std::make_unique<GatedModel>(*parts_.gate, model.info(), [this](std::string_view text) { hear_progress(text); });
    SessionOptions options = parts_.defaults;
    options.session_id = parts_.id;
    options.surface = spec.surface;
    options.budget = spec.budget;
    options.policy = spec.policy;
    options.control = control_;
    options.approval_ttl = parts_.settings.approval_ttl;
    options.ask = [this](const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop) {
        return approvals_.ask(request, announce, stop);
    };
    options.secrets = grants_;
    options.redactor = redactor_;
    options.on_state = [this](std::string_view state) { hear_state(state); };
    options.take_notes = [this] { return take_notes(); };
    agent_ = TRY(Session::create(std::move(options), *platform_, *model_, *parts_.clock, *log_));
    return {};
}

void LiveSession::finish_task(const std::string& task_id, Result<TaskReport> report) {
    (void)platform_->release_all(); // the session did; a second time is harmless
    control_->resume();             // a pause was for this task
    TaskReport done;
    if (report) {
        done = std::move(*report);
    } else {
        done.outcome = report.error().code == ErrorCode::Cancelled ? TaskOutcome::Stopped : TaskOutcome::Failed;
        done.message = report.error().message;
    }
    if (!log_->has_finished_task()) {
        if (const auto stored = log_->append("task.finished", finished_json(done)); !stored) {
            log::error("server", fmt::format("session {}: {}", parts_.id, stored.error().message));
        }
    }
    std::vector<Waiter> due;
    {
        const std::lock_guard lock(mutex_);
        if (Task* const task = find_task(task_id); task != nullptr) {
            task->status.state = TaskState::Finished;
            task->status.report = std::move(done);
        }
        log_->begin_task("");
        if (current_task_ == task_id) { // else the next one is there already
            current_task_.clear();
            state_ = is_closing_ ? SessionState::Closing : SessionState::Idle;
        }
        const auto others = std::stable_partition(waiters_.begin(), waiters_.end(),
                                                  [&](const Waiter& waiter) { return waiter.task != task_id; });
        std::move(others, waiters_.end(), std::back_inserter(due));
        waiters_.erase(others, waiters_.end());
    }
    for (const Waiter& waiter : due) {
        waiter.call();
    }
}

void LiveSession::do_capture(const Capture& done) { done(platform_->capture()); }

void LiveSession::shut() {
    std::shared_ptr<SharedPlatform> platform;
    std::shared_ptr<SessionLog> log;
    std::deque<Capture> unserved;
    {
        const std::lock_guard lock(mutex_);
        state_ = SessionState::Closing;
        platform = std::exchange(platform_, nullptr);
        log = log_;
        unserved.swap(captures_);
    }
    for (const Capture& done : unserved) {
        done(Error{ErrorCode::Cancelled, "the session was closed"});
    }
    const bool had_agent = agent_ != nullptr;
    agent_.reset(); // says session.closed
    model_.reset();
    if (platform) {
        (void)platform->release_all();
        platform.reset();
    }
    if (log) {
        if (!had_agent) {
            (void)log->append("session.closed", R"({"tasks":0})");
        }
        if (const auto sealed = log->seal(); !sealed) {
            log::error("server", fmt::format("session {}: {}", parts_.id, sealed.error().message));
        }
        const std::lock_guard lock(mutex_);
        log_.reset(); // with it the file's lock
    }
}

void LiveSession::hear_progress(std::string_view text) {
    std::size_t characters = 0;
    std::string tail;
    {
        const std::lock_guard lock(mutex_);
        if (text.empty()) { // a new answer begins
            progress_characters_ = 0;
            progress_tail_.clear();
            return;
        }
        progress_characters_ += static_cast<std::size_t>(
            std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
        progress_tail_ += text;
        keep_tail(progress_tail_);
        characters = progress_characters_;
        tail = progress_tail_;
    }
    parts_.on_progress(characters, redactor_->redacted(std::move(tail)));
}

// --- any thread -------------------------------------------------------------------------------------------------------

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
                                fmt::format("request_key \"{}\" was used for task {} with another body", spec.request_key,
                                            task.status.task),
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
    tasks_.push_back({{*id, parts_.id, TaskState::Queued, spec.goal_utf8, std::nullopt}, std::move(spec)});
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
