// SPDX-License-Identifier: Apache-2.0
// A session's own thread: opens its parts, does one task or one capture after the other, and puts everything away.
#include "server/live_session.h"

#include "agent/secret_platform.h"
#include "base/json.h"
#include "base/log.h"
#include "server/guarded.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

std::string finished_json(const TaskReport& report) {
    return dump_json(json{{"outcome", task_outcome_name(report.outcome)},
                          {"message", report.message},
                          {"answer", report.answer_utf8},
                          {"steps", report.steps},
                          {"tokens", report.tokens}});
}

} // namespace

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
    TRY(parts_.make_room());
    TRY(grants_->set(parts_.settings.secrets));
    std::unique_ptr<Platform> opened = TRY(guarded([&] { return parts_.open_platform(open_stop_.get_token()); }));
    auto platform = std::make_shared<SharedPlatform>(std::make_unique<SecretPlatform>(std::move(opened), grants_));
    DisplayInfo display = TRY(platform->display());
    TRY(watch_person(*platform));
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
    const std::lock_guard lock(mutex_);
    platform_ = std::move(platform);
    display_ = std::move(display);
    log_ = std::move(log);
    state_ = SessionState::Idle;
    return {};
}

// Where a person can be heard at all, nobody's hands go unwatched.
Result<void> LiveSession::watch_person(Platform& platform) {
    const auto hear = [weak = weak_from_this()](PersonAct act) {
        if (const auto self = weak.lock(); self) {
            self->hear_person(act);
        }
    };
    const auto watched = platform.watch_person({parts_.settings.kill_chord, hear});
    if (!watched && watched.error().code != ErrorCode::Unsupported) {
        return watched.error().with_context("watching a person's input");
    }
    if (!watched) {
        log::info("server", fmt::format("session {}: {}", parts_.id, watched.error().message));
    }
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
    }
    progress_.clear();
    finish_task(task_id, guarded([&] { return run_agent(spec, task_id, stop); }));
}

// From task.finished on the session takes the next task, although this one is still being tidied up.
bool LiveSession::is_busy() const {
    return !pending_task_.empty() || (!current_task_.empty() && !log_->has_finished_task());
}

Result<TaskReport> LiveSession::run_agent(const TaskSpec& spec, const std::string& task_id, const std::stop_token& stop) {
    TRY(parts_.make_room());
    ModelInfo model = parts_.gate->status().info.value_or(ModelInfo{.name = "none"});
    if (!spec.program || spec.program->needs_model()) {
        if (parts_.gate->status().state == ModelState::Loading) {
            set_task_state(task_id, TaskState::WaitingForEngine);
            TRY(log_->append("task.state", R"({"state":"waiting_for_engine"})"));
        }
        const ChatModel* const ready = TRY(parts_.gate->wait_ready(stop));
        model = ready->info();
        if (!model.reads_pictures) {
            return Error{ErrorCode::Unsupported, fmt::format("the daemon's model, {} ({}), is one of text alone and sees no screen: start handeyed with one that reads pictures", model.name, model.family)};
        }
    }
    set_task_state(task_id, TaskState::Running);
    TRY(open_agent(spec, model));
    TRY(grants_->set(spec.secrets.value_or(parts_.settings.secrets)));
    Result<TaskReport> report = spec.program ? run_file(*spec.program, task_id, stop) : agent_->run_task(spec.goal_utf8, stop);
    TRY(grants_->set(parts_.settings.secrets)); // for a person's own hands again
    return report;
}

Result<void> LiveSession::open_agent(const TaskSpec& spec, const ModelInfo& model) {
    if (agent_) {
        model_->set_info(model);
        return agent_->configure(spec.budget, spec.policy, spec.surface);
    }
    model_ = std::make_unique<GatedModel>(*parts_.gate, model, parts_.id, [this](std::string_view text) { hear_progress(text); });
    SessionOptions options = parts_.defaults;
    options.session_id = parts_.id;
    options.surface = spec.surface;
    options.budget = spec.budget;
    options.policy = spec.policy;
    options.control = control_;
    options.approval_ttl = parts_.settings.approval_ttl;
    options.ask = [this](const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop) {
        return ask_approval(request, announce, stop);
    };
    options.ask_text = [this](const std::string& question, const std::vector<std::string>& choices, const std::stop_token& stop) { return ask_question(question, choices, stop); };
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
            task->spec.program.reset(); // with its files and pictures
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

void LiveSession::do_capture(const Capture& done) { done(platform_->capture_for_watchers()); }

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
    if (text.empty()) {
        progress_.clear(); // a new answer begins
        return;
    }
    auto [characters, tail] = progress_.add(text);
    parts_.on_progress(characters, redactor_->redacted(std::move(tail)));
}

} // namespace handeye
