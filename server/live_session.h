// SPDX-License-Identifier: Apache-2.0
// One open session: a platform, a recording and a thread that does one task, or one capture, at a time.
#pragma once

#include "agent/session.h"
#include "base/clock.h"
#include "base/image.h"
#include "server/model_gate.h"
#include "server/rpc.h"
#include "server/session_log.h"

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

enum class SessionState { Opening, Idle, Busy, Closing, Closed, Failed };
std::string_view session_state_name(SessionState state);
enum class TaskState { Queued, WaitingForEngine, Running, Finished };
std::string_view task_state_name(TaskState state);

struct TaskSpec {
    std::string goal_utf8;
    Budget budget;
    Policy policy;
    Surface surface = Surface::Desktop;
    std::string request_key; ///< empty: none
    std::string body;        ///< what the key stands for: the request in one canonical form
};

struct TaskStatus {
    std::string task;
    std::string session;
    TaskState state = TaskState::Queued;
    std::string goal_utf8;
    std::optional<TaskReport> report; ///< once finished
};

struct SessionStatus {
    std::string session;
    SessionState state = SessionState::Opening;
    std::string platform;
    Size size;
    std::uint64_t last_seq = 0;
    std::string task; ///< under way; empty: none
    std::string recording;
};

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
        // Called from the session's threads; must not block.
        std::function<void()> on_event;                                   ///< the log has grown
        std::function<void(std::size_t, const std::string&)> on_progress; ///< characters so far, the newest of them
        std::function<void()> on_ended;                                   ///< the thread is about to end
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

    /// Stops the task under way; true when there was one.
    bool request_stop();
    /// Lets go of everything that is pressed.
    Result<void> release_all();
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
    };
    struct Waiter {
        std::uint64_t number = 0;
        std::string task;
        std::function<void()> call;
    };

    void run(const std::function<void(Result<SessionStatus>)>& on_opened);
    Result<void> open();
    void serve();
    void do_task(const std::string& task_id);
    Result<TaskReport> run_agent(const TaskSpec& spec, const std::string& task_id, const std::stop_token& stop);
    Result<void> open_agent(const TaskSpec& spec, ChatModel& model);
    void finish_task(const std::string& task_id, Result<TaskReport> report);
    void do_capture(const Capture& done);
    void shut();
    void set_task_state(const std::string& task_id, TaskState state);
    Task* find_task(const std::string& task_id); // with mutex_ held
    [[nodiscard]] bool is_busy() const;          // with mutex_ held
    void hear_progress(std::string_view text);
    std::thread take_thread();

    const Parts parts_;
    std::atomic<std::uint64_t> last_seq_ = 0;
    std::unique_ptr<GatedModel> model_; // the session's thread only, as agent_
    std::unique_ptr<Session> agent_;    // from the first task on
    mutable std::mutex mutex_; // guards everything below but log_ itself
    std::condition_variable changed_;
    SessionState state_ = SessionState::Opening;
    std::shared_ptr<Platform> platform_; // shared, so that release_all() outlives a close beside it
    std::shared_ptr<SessionLog> log_;
    DisplayInfo display_;
    std::deque<Task> tasks_; // oldest first
    std::string pending_task_;
    std::string current_task_;
    std::deque<Capture> captures_;
    std::vector<Waiter> waiters_;
    std::uint64_t next_waiter_ = 1;
    std::stop_source task_stop_;
    std::stop_source open_stop_;
    bool is_closing_ = false;
    bool has_ended_ = false;
    std::size_t progress_characters_ = 0;
    std::string progress_tail_;
    std::thread thread_;
};

} // namespace handeye
