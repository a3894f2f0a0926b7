// SPDX-License-Identifier: Apache-2.0
#include "server/session_hub.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::size_t kClosedRemembered = 100;
constexpr std::size_t kRequestKeysMax = 1024;

} // namespace

SessionHub::SessionHub(const ControlServerOptions& options, const ControlServices& services, ModelGate& gate, Hooks hooks)
    : options_(options), services_(services), gate_(gate), hooks_(std::move(hooks)) {}

void SessionHub::create(const std::string& platform, const std::string& target_json, const std::string& request_key,
                        OnCreated done, SessionSettings settings) {
    const std::string body = platform + "\n" + target_json + "\n" + policy_to_json(settings.policy) + "\n" + fmt::format("{}", fmt::join(settings.secrets, ","));
    settings.policy = narrowed(services_.session_defaults.policy, std::move(settings.policy));
    const auto id = make_ulid(services_.clock->wall_now());
    if (!id) {
        done(to_rpc_error(id.error()));
        return;
    }
    std::optional<RpcResult<SessionStatus>> answer;
    std::shared_ptr<LiveSession> session;
    {
        const std::lock_guard lock(mutex_);
        const auto known = request_key.empty() ? created_.end() : created_.find(request_key);
        const auto n_open = std::count_if(sessions_.begin(), sessions_.end(), [](const auto& s) { return !s.second->has_ended(); });
        if (known != created_.end() && known->second.body != body) {
            answer = RpcError{ErrorKind::RequestKeyReused,
                              "this request_key was used for another session.create", "request_key"};
        } else if (known != created_.end() && !known->second.outcome) {
            known->second.waiting.push_back(std::move(done));
            return;
        } else if (known != created_.end()) {
            answer = known->second.outcome;
        } else if (is_shutting_down_) {
            answer = RpcError{ErrorKind::ShuttingDown, "the server is ending", ""};
        } else if (static_cast<std::size_t>(n_open) >= options_.sessions_max) {
            answer = RpcError{ErrorKind::Overloaded, fmt::format("{} sessions are open, the limit is {}", n_open, options_.sessions_max), ""};
        } else {
            if (!request_key.empty()) {
                if (created_.size() >= kRequestKeysMax) {
                    created_.erase(std::min_element(created_.begin(), created_.end(), [](const auto& a, const auto& b) {
                        return a.second.session < b.second.session;
                    }));
                }
                created_[request_key] = {body, *id, {}, std::nullopt};
            }
            session = std::make_shared<LiveSession>(LiveSession::Parts{
                .id = *id,
                .platform = platform,
                .recording = options_.sessions_dir / (*id + ".handeye"),
                .open_platform = [this, platform, target_json](std::stop_token stop) { return services_.open_platform(platform, target_json, std::move(stop)); },
                .gate = &gate_,
                .clock = services_.clock,
                .defaults = services_.session_defaults,
                .secrets = services_.secrets,
                .settings = std::move(settings),
                .on_event = [this, id = *id] { hooks_.on_event(id); },
                .on_progress = [this, id = *id](std::size_t n, const std::string& tail) { hooks_.on_progress(id, n, tail); },
                .on_ended = [this, id = *id] {
                    { const std::lock_guard waiting(ended_mutex_); } // shut_down() is in its wait, or has not looked yet
                    ended_.notify_all();
                    hooks_.on_ended(id);
                },
                .on_kill_switch = hooks_.on_kill_switch,
                .on_approval = hooks_.on_approval,
                .on_question = hooks_.on_question,
                .make_room = hooks_.make_room,
            });
            sessions_[*id] = session;
            forget_oldest_closed();
            // Under the lock: shut_down() either sees the thread or this sees shut_down().
            session->start([this, id = *id, request_key, done = std::move(done)](Result<SessionStatus> outcome) {
                opened(id, request_key, std::move(outcome), done);
            });
        }
    }
    if (answer) {
        done(std::move(*answer));
    }
}

void SessionHub::opened(const std::string& session, const std::string& request_key, Result<SessionStatus> outcome,
                        const OnCreated& done) {
    RpcResult<SessionStatus> answer = to_rpc_error({});
    if (outcome) {
        answer = std::move(*outcome);
    } else {
        answer = to_rpc_error(outcome.error());
    }
    std::vector<OnCreated> waiting;
    {
        const std::lock_guard lock(mutex_);
        if (const auto known = created_.find(request_key); known != created_.end() && known->second.session == session) {
            waiting.swap(known->second.waiting);
            known->second.outcome = answer;
            if (!outcome) {
                created_.erase(known); // what failed may be tried again under the same key
            }
        }
        if (!outcome) {
            // Its client hears the whole message, which may list the titles of windows: no screen text in the log.
            log::warn("server", fmt::format("session {} could not be opened: {}", session, error_code_name(outcome.error().code)));
        }
    }
    done(answer);
    for (const OnCreated& other : waiting) {
        other(answer);
    }
}

void SessionHub::forget_oldest_closed() {
    while (sessions_.size() > options_.sessions_max + kClosedRemembered) {
        const auto oldest = std::find_if(sessions_.begin(), sessions_.end(), [](const auto& s) { return s.second->has_ended(); });
        if (oldest == sessions_.end()) {
            return;
        }
        oldest->second->join(); // it has ended: this takes no time
        sessions_.erase(oldest);
    }
}

std::vector<SessionStatus> SessionHub::list() const {
    std::vector<SessionStatus> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, session] : sessions_) {
        out.push_back(session->status());
    }
    return out;
}

std::shared_ptr<LiveSession> SessionHub::find(const std::string& session) const {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    return found == sessions_.end() ? nullptr : found->second;
}

std::shared_ptr<LiveSession> SessionHub::find_task(const std::string& task) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, session] : sessions_) {
        if (session->task(task)) {
            return session;
        }
    }
    return nullptr;
}

std::optional<std::filesystem::path> SessionHub::recording(const std::string& session) const {
    if (!is_session_id(session)) {
        return std::nullopt;
    }
    const std::filesystem::path path = options_.sessions_dir / (session + ".handeye");
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored) ? std::optional(path) : std::nullopt;
}

RpcResult<TaskStatus> SessionHub::run_task(const std::string& session, TaskSpec spec) {
    const std::lock_guard lock(mutex_); // held over the start, so that a stop comes before it or sees the task
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) {
        return RpcError{ErrorKind::NoSuchSession, fmt::format("there is no open session \"{}\"", session), "session"};
    }
    if (is_shutting_down_) {
        return RpcError{ErrorKind::ShuttingDown, "the server is ending", ""};
    }
    if (is_latched_) {
        return RpcError{ErrorKind::StopLatched, "everything was stopped; control.reset_stop (`handeye reset-stop`) comes first", ""};
    }
    return found->second->run_task(std::move(spec));
}

std::size_t SessionHub::request_stop_all() {
    std::vector<std::shared_ptr<LiveSession>> sessions;
    {
        const std::lock_guard lock(mutex_);
        is_latched_ = true;
        for (const auto& [id, session] : sessions_) {
            sessions.push_back(session);
        }
    }
    return static_cast<std::size_t>(
        std::count_if(sessions.begin(), sessions.end(), [](const auto& session) { return session->request_stop(); }));
}

void SessionHub::release_all(const std::string& reason) {
    std::vector<std::shared_ptr<LiveSession>> sessions;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, session] : sessions_) {
            sessions.push_back(session);
        }
    }
    for (const auto& session : sessions) { // all hands off first, then the notes
        if (const auto released = session->release_all(); !released) {
            log::error("server", fmt::format("session {}: cannot release keys: {}", session->id(), released.error().message));
        }
    }
    const std::string data = dump_json(nlohmann::json{{"reason", reason}});
    for (const auto& session : sessions) {
        session->note("control.stop", data);
    }
}

void SessionHub::reset_stop() {
    const std::lock_guard lock(mutex_);
    is_latched_ = false;
}

bool SessionHub::is_stop_latched() const {
    const std::lock_guard lock(mutex_);
    return is_latched_;
}

void SessionHub::reap(const std::string& session) {
    if (const auto found = find(session); found) {
        found->join();
    }
}

bool SessionHub::shut_down(TimePoint deadline) {
    std::vector<std::shared_ptr<LiveSession>> sessions;
    {
        const std::lock_guard lock(mutex_);
        is_shutting_down_ = true;
        for (const auto& [id, session] : sessions_) {
            sessions.push_back(session);
        }
    }
    for (const auto& session : sessions) {
        session->request_close();
    }
    const auto all_ended = [&] {
        return std::all_of(sessions.begin(), sessions.end(), [](const auto& session) { return session->has_ended(); });
    };
    std::unique_lock lock(ended_mutex_);
    const bool is_clean = ended_.wait_until(lock, deadline, all_ended);
    lock.unlock();
    for (const auto& session : sessions) {
        if (session->has_ended()) {
            session->join();
        } else {
            log::error("server", fmt::format("session {} did not end in time", session->id()));
            session->detach();
        }
    }
    return is_clean;
}

} // namespace handeye
