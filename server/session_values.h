// SPDX-License-Identifier: Apache-2.0
// What is said to a session and what it says of itself: settings, tasks, states.
#pragma once

#include "agent/control_state.h"
#include "agent/session.h"
#include "agent/task_program.h"
#include "base/clock.h"
#include "base/geometry.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

enum class SessionState { Opening, Idle, Busy, Closing, Closed, Failed };
std::string_view session_state_name(SessionState state);
enum class TaskState { Queued, WaitingForEngine, Running, Paused, WaitingForApproval, WaitingForAnswer, Human, Script, Finished };
std::string_view task_state_name(TaskState state);

/// What a client may set when it opens a session.
struct SessionSettings {
    Policy policy; ///< within the daemon's, around each task's
    ControlOptions control;
    Duration approval_ttl = std::chrono::minutes(5);
    std::string kill_chord = "ctrl+alt+escape"; ///< empty: none
    std::vector<std::string> secrets; ///< names: what may be typed in this session at all
};

struct TaskSpec {
    std::string goal_utf8;
    Budget budget;
    Policy policy;
    std::optional<Surface> surface; ///< unset: the platform's
    std::optional<std::vector<std::string>> secrets; ///< of the session's; unset: all of them
    std::shared_ptr<TaskProgram> program; ///< a task file; empty: the goal is the model's
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

/// What became of a task file's steps, as `handeye run --result` and `--junit` write it.
struct FileResult {
    std::string json_text;
    std::string junit;
};

struct SessionStatus {
    std::string session;
    SessionState state = SessionState::Opening;
    std::string platform;
    Size size;
    std::uint64_t last_seq = 0;
    std::string task; ///< under way; empty: none
    std::string recording;
    std::string name; ///< for people
    std::string notes;
};

} // namespace handeye
