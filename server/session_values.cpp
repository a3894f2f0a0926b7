// SPDX-License-Identifier: Apache-2.0
#include "server/session_values.h"

namespace handeye {

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
    case TaskState::WaitingForAnswer: return "waiting_for_answer";
    case TaskState::Human: return "human";
    case TaskState::Script: return "script";
    case TaskState::Finished: return "finished";
    }
    return "finished";
}

} // namespace handeye
