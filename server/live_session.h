// SPDX-License-Identifier: Apache-2.0
// One open session: a platform, a recording and a thread that does one task, or one capture, at a time.
#pragma once

#include "agent/control_state.h"
#include "agent/policy_gate.h"
#include "agent/secrets.h"
#include "agent/session.h"
#include "base/clock.h"
#include "base/image.h"
#include "server/answer_progress.h"
#include "server/approvals.h"
#include "server/model_gate.h"
#include "server/questions.h"
#include "server/rpc.h"
#include "server/session_log.h"
#include "server/session_values.h"
#include "server/shared_platform.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace handeye {

/// All public functions: any thread.
class LiveSession : public std::enable_shared_from_this<LiveSession> {
public:
    using OpenPlatform = std::function<Result<std::unique_ptr<Platform>>(std::stop_token stop)>;
    struct Parts {
        std::string id;
        std::string platform;
        std::filesystem::path recording;
        OpenPlatform open_platform;
        ModelGate* gate = nullptr;
        Clock* clock = nullptr;
        SessionOptions defaults;
        std::shared_ptr<const SecretStore> secrets; ///< empty: none
        SessionSettings settings;
        // Called from the session's threads; must not block.
        std::function<void()> on_event;                                   ///< the log has grown
        std::function<void(std::size_t, const std::string&)> on_progress; ///< characters so far, the newest of them
        std::function<void()> on_ended;                                   ///< the thread is about to end
        std::function<void()> on_kill_switch;                             ///< the hot key; from a thread of the platform
        std::function<void(const ApprovalRecord&)> on_approval;           ///< somebody is asked
        std::function<void(const QuestionRecord&)> on_question;
        std::function<Result<void>()> make_room; ///< before anything is recorded; this one may block
    };
    explicit LiveSession(Parts parts);
    /// The thread must have been joined.
    ~LiveSession() = default;

    /// Opens platform and recording on the session's thread, then says how that went.
    void start(std::function<void(Result<SessionStatus>)> on_opened);

    RpcResult<TaskStatus> run_task(TaskSpec spec);
    [[nodiscard]] std::optional<TaskStatus> task(const std::string& task_id) const;
    /// Asks a task to stop; one that has finished stays as it is.
    void cancel_task(const std::string& task_id);
    /// Calls once when the task has finished; at once when it has. The number takes the call back.
    std::uint64_t on_task_finished(const std::string& task_id, std::function<void()> call);
    void forget_waiter(std::uint64_t waiter);

    /// The picture now. `done` is called on the session's thread. TaskRunning while a task has the platform.
    std::optional<RpcError> capture(std::function<void(Result<Screenshot>)> done);

    // Who may act: live_session_control.cpp. What people add: live_session_notes.cpp. Task files: live_session_files.cpp. The thread:
    // live_session_thread.cpp.
    [[nodiscard]] ControlState& control() { return *control_; }
    [[nodiscard]] Approvals& approvals() { return approvals_; }
    [[nodiscard]] Questions& questions() { return questions_; }
    /// Of a task file: TaskRunning until it has finished; InvalidParams for a goal, NotFound when it is not kept (any more).
    [[nodiscard]] RpcResult<FileResult> file_result(const std::string& task_id) const;
    /// Of the newest task, or of this one.
    RpcResult<TaskStatus> pause_task(const std::string& task_id);
    RpcResult<TaskStatus> resume_task(const std::string& task_id);
    RpcResult<TaskStatus> step_task(const std::string& task_id);
    RpcResult<Lease> acquire(LeaseMode mode, Duration ttl, const std::string& by);
    std::optional<RpcError> release(const std::string& lease);
    /// Says control.lease in the log when the holder, or the lease, is another one than it said last.
    void note_lease();
    /// Whether input from outside the agent may go to the target now, from the holder of `lease` ("": of none).
    [[nodiscard]] std::optional<RpcError> may_input(const std::string& lease);
    /// The target, for any thread; nullptr when the session is not open. Check may_input() before each event.
    [[nodiscard]] std::shared_ptr<Platform> platform() const;
    /// The session's policy, within the daemon's.
    [[nodiscard]] Policy policy() const;
    /// From the next task on; TaskRunning while one runs.
    std::optional<RpcError> set_policy(Policy policy);
    /// policy() for input by hand, which counts together for as long as the policy stays. The session's hands only.
    Result<std::shared_ptr<PolicyGate>> hands_gate();

    /// Stops the task under way; true when there was one.
    bool request_stop();
    /// Lets go of everything that is pressed.
    Result<void> release_all();
    /// As platform(), for watchers.
    [[nodiscard]] std::shared_ptr<SharedPlatform> shared_platform() const;
    [[nodiscard]] std::shared_ptr<SessionLog> log() const;
    /// Requested by request_stop(): what input.* does here ends with it. Take a new one for each call.
    [[nodiscard]] std::stop_token input_stop() const;
    [[nodiscard]] bool runs_task() const;
    [[nodiscard]] const SessionOptions& defaults() const { return parts_.defaults; }
    /// Finished ones too, oldest first.
    [[nodiscard]] std::vector<TaskStatus> tasks() const;
    /// A note for the task under way: part of the goal from its next step on, and in the log.
    std::optional<RpcError> amend_task(const std::string& task_id, const std::string& note);
    /// Name and notes for people; kept in the log.
    void set_label(std::string name, std::string notes);
    /// Appends to the log, if it is open.
    void note(const std::string& type, std::string data_json);

    /// Stops, releases, seals; the thread ends soon after.
    void request_close();
    [[nodiscard]] bool has_ended() const;
    void join();
    void detach();

    [[nodiscard]] SessionStatus status() const;
    [[nodiscard]] const std::string& id() const { return parts_.id; }

private:
    using Capture = std::function<void(Result<Screenshot>)>;
    struct Task {
        TaskStatus status;
        TaskSpec spec;
        bool is_file = false;
        std::optional<FileResult> result = {};
    };
    struct Waiter {
        std::uint64_t number = 0;
        std::string task;
        std::function<void()> call;
    };

    void run(const std::function<void(Result<SessionStatus>)>& on_opened);
    Result<void> open();
    Result<void> watch_person(Platform& platform);
    void serve();
    void do_task(const std::string& task_id);
    Result<TaskReport> run_agent(const TaskSpec& spec, const std::string& task_id, const std::stop_token& stop);
    Result<TaskReport> run_file(TaskProgram& program, const std::string& task_id, const std::stop_token& stop);
    Result<void> open_agent(const TaskSpec& spec, const ModelInfo& model);
    ApprovalAnswer ask_approval(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop);
    std::optional<std::string> ask_question(const std::string& question_utf8, const std::vector<std::string>& choices, const std::stop_token& stop);
    void finish_task(const std::string& task_id, Result<TaskReport> report);
    void do_capture(const Capture& done);
    void shut();
    void set_task_state(const std::string& task_id, TaskState state);
    Task* find_task(const std::string& task_id); // with mutex_ held
    [[nodiscard]] bool is_busy() const;          // with mutex_ held
    void hear_progress(std::string_view text);
    std::vector<std::string> take_notes();
    void hear_person(PersonAct act);
    void hear_state(std::string_view state);
    RpcResult<TaskStatus> change_pace(const std::string& task_id, void (ControlState::*change)());
    std::thread take_thread();

    const Parts parts_;
    const std::shared_ptr<ControlState> control_;
    const std::shared_ptr<SecretGrants> grants_;
    const std::shared_ptr<Redactor> redactor_;
    Approvals approvals_;
    Questions questions_;
    bool is_person_missed_ = false; ///< nobody answered in time, in this task; the session's thread only
    std::atomic<std::uint64_t> last_seq_ = 0;
    std::unique_ptr<GatedModel> model_; // the session's thread only, as agent_
    std::unique_ptr<Session> agent_;    // from the first task on
    mutable std::mutex mutex_; // guards everything below but log_ itself
    std::condition_variable changed_;
    SessionState state_ = SessionState::Opening;
    std::shared_ptr<SharedPlatform> platform_; // shared, so that release_all() outlives a close beside it
    std::shared_ptr<SessionLog> log_;
    DisplayInfo display_;
    Policy policy_;
    std::shared_ptr<PolicyGate> hands_gate_; // of policy_; from the first input by hand on
    std::string noted_holder_ = "none";
    std::string noted_by_;
    std::string noted_lease_; // its id: two clients may bear one name
    std::deque<Task> tasks_; // oldest first
    std::string pending_task_;
    std::string current_task_;
    std::deque<Capture> captures_;
    std::vector<Waiter> waiters_;
    std::uint64_t next_waiter_ = 1;
    std::stop_source task_stop_;
    std::stop_source input_stop_;
    std::string name_;
    std::string notes_;
    std::vector<std::string> task_notes_; ///< of the task under way, not yet read
    std::stop_source open_stop_;
    bool is_closing_ = false;
    bool has_ended_ = false;
    AnswerProgress progress_; ///< has a lock of its own
    std::thread thread_;
};

} // namespace handeye
