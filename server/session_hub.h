// SPDX-License-Identifier: Apache-2.0
// All sessions of the daemon, and the latch that stops them.
#pragma once

#include "agent/recording_folder.h"
#include "server/control_server.h"
#include "server/live_session.h"
#include "server/rpc.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace handeye {

/// All functions: any thread, unless they say otherwise. Lock order: the hub's, then a session's.
class SessionHub {
public:
    struct Hooks { ///< called from the sessions' threads; must not block
        std::function<void(const std::string& session)> on_event;
        std::function<void(const std::string& session, std::size_t characters, const std::string& tail)> on_progress;
        std::function<void(const std::string& session)> on_ended;
        /// Somebody is asked; and again when nobody is any more.
        std::function<void(const ApprovalRecord& approval)> on_approval = [](const ApprovalRecord&) {};
        std::function<void(const QuestionRecord& question)> on_question = [](const QuestionRecord&) {};
        std::function<void()> on_kill_switch = [] {};
        /// Whether one more session or task may be recorded. This one may block.
        std::function<Result<void>()> make_room = [] { return Result<void>(); };
    };
    SessionHub(const ControlServerOptions& options, const ControlServices& services, ModelGate& gate, Hooks hooks);

    using OnCreated = std::function<void(RpcResult<SessionStatus>)>;
    /// `done` comes when the platform is open, or could not be opened; from another thread, or at once.
    void create(const std::string& platform, const std::string& target_json, const std::string& request_key, OnCreated done,
                SessionSettings settings = {});

    /// Open sessions, and closed ones as long as they are remembered; newest last.
    [[nodiscard]] std::vector<SessionStatus> list() const;
    [[nodiscard]] std::shared_ptr<LiveSession> find(const std::string& session) const;
    [[nodiscard]] std::shared_ptr<LiveSession> find_task(const std::string& task) const;
    /// The recording of a session, open or not; nullopt when there is none, or the id is no id.
    [[nodiscard]] std::optional<std::filesystem::path> recording(const std::string& session) const;

    RpcResult<TaskStatus> run_task(const std::string& session, TaskSpec spec);

    /// Sets the latch and asks every task to stop; the number of tasks that were under way. Does not block.
    std::size_t request_stop_all();
    /// The slow half: lets go of all keys and notes the stop in each log.
    void release_all(const std::string& reason);
    void reset_stop();
    [[nodiscard]] bool is_stop_latched() const;

    /// Joins the thread of a session that said on_ended.
    void reap(const std::string& session);
    /// No new sessions or tasks; closes all and waits. False when some thread does not end by `deadline`; it is let go of.
    bool shut_down(TimePoint deadline);

private:
    struct Created {
        std::string body;
        std::string session;
        std::vector<OnCreated> waiting; ///< until it is open
        std::optional<RpcResult<SessionStatus>> outcome;
    };
    void opened(const std::string& session, const std::string& request_key, Result<SessionStatus> outcome, const OnCreated& done);
    void forget_oldest_closed();

    const ControlServerOptions& options_;
    const ControlServices& services_;
    ModelGate& gate_;
    const Hooks hooks_;
    std::mutex ended_mutex_; // only for waiting on ended_
    std::condition_variable ended_;
    mutable std::mutex mutex_; // guards everything below
    std::map<std::string, std::shared_ptr<LiveSession>> sessions_; // by id: ULIDs sort by age
    std::map<std::string, Created> created_;                       // by request_key
    bool is_latched_ = false;
    bool is_shutting_down_ = false;
};

} // namespace handeye
