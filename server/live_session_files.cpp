// SPDX-License-Identifier: Apache-2.0
// What a session does for task files: their questions to people, and what became of them.
#include "server/live_session.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kResultBytesMax = 16U << 20U; // of one session's tasks together; a larger one is in the recording alone

} // namespace

// On the session's thread: the task waits.
std::optional<std::string> LiveSession::ask_question(const std::string& question_utf8, const std::vector<std::string>& choices, const std::stop_token& stop) {
    const Result<std::string> id = make_ulid(parts_.clock->wall_now());
    if (!id) {
        log::error("server", fmt::format("session {}: {}", parts_.id, id.error().message));
        return std::nullopt;
    }
    const QuestionRecord record{.session = parts_.id, .question = *id, .text_utf8 = redactor_->redacted(question_utf8), .choices = choices, .expires_at = parts_.clock->wall_now() + parts_.settings.approval_ttl};
    const auto tell_state = [this](TaskState state) {
        std::string task;
        {
            const std::lock_guard lock(mutex_);
            task = current_task_;
        }
        set_task_state(task, state);
        note("task.state", dump_json(json{{"state", task_state_name(state)}}));
    };
    tell_state(TaskState::WaitingForAnswer);
    const auto announce = [&] {
        note("question.asked", dump_json(json{{"question", record.question}, {"text", question_utf8}, {"choices", choices}, {"expires_at", format_utc(record.expires_at)}}));
    };
    std::optional<std::string> answer = questions_.ask(record, announce, stop);
    const std::optional<QuestionRecord> settled = questions_.find(record.question);
    note("question.settled", dump_json(json{{"question", record.question}, {"state", question_state_name(settled ? settled->state : QuestionState::Dropped)}, {"by", settled ? settled->by : ""}}));
    tell_state(TaskState::Running);
    is_person_missed_ = is_person_missed_ || (!answer && !stop.stop_requested());
    return answer;
}

ApprovalAnswer LiveSession::ask_approval(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop) {
    ApprovalAnswer answer = approvals_.ask(request, announce, stop);
    is_person_missed_ = is_person_missed_ || answer.decision == ApprovalDecision::Expired;
    return answer;
}

Result<TaskReport> LiveSession::run_file(TaskProgram& program, const std::string& task_id, const std::stop_token& stop) {
    is_person_missed_ = false;
    TaskReport report = TRY(agent_->run_program(program.name(), program, stop));
    if (report.outcome == TaskOutcome::Denied && is_person_missed_ && program.holds_without_approver()) {
        report.outcome = TaskOutcome::NeedsPerson;
    }
    FileResult result{redactor_->redacted(program.result_json()), redactor_->redacted(program.result_junit())};
    const std::lock_guard lock(mutex_);
    std::size_t bytes = result.json_text.size() + result.junit.size();
    for (auto task = tasks_.rbegin(); task != tasks_.rend(); ++task) { // the newest first
        if (task->status.task == task_id) {
            task->result = bytes <= kResultBytesMax ? std::optional(std::move(result)) : std::nullopt;
        } else if (task->result) {
            bytes += task->result->json_text.size() + task->result->junit.size();
            task->result = bytes <= kResultBytesMax ? std::move(task->result) : std::nullopt;
        }
    }
    return report;
}

RpcResult<FileResult> LiveSession::file_result(const std::string& task_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& t) { return t.status.task == task_id; });
    if (found == tasks_.end()) {
        return RpcError{ErrorKind::NoSuchTask, fmt::format("task \"{}\" is forgotten", task_id), "task"};
    }
    if (found->status.state != TaskState::Finished) {
        return RpcError{ErrorKind::TaskRunning, fmt::format("task {} has not finished", task_id), "task"};
    }
    if (!found->is_file) {
        return RpcError{ErrorKind::InvalidParams, fmt::format("task {} was a goal in words: task.get says what became of it", task_id), "task"};
    }
    if (!found->result) {
        return RpcError{ErrorKind::NotFound, fmt::format("the result of task {} is not here: it ended before its first step, or it is in the recording alone (taskfile.finished)", task_id), "task"};
    }
    return *found->result;
}

} // namespace handeye
