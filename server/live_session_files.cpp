// SPDX-License-Identifier: Apache-2.0
// What a session does for task files: their questions to people, and what became of them.
#include "server/live_session.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kResultBytesMax = 16U << 20U; // of one session's tasks together; a larger one is in the recording alone
constexpr std::size_t kQuestionBytesMax = 4096, kChoiceBytesMax = 256, kChoicesMax = 64; // of what is shown to people; variables make them long

std::string cut(std::string text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return text;
    }
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) { // no half of a character
        --end;
    }
    return text.substr(0, end) + "…";
}

/// What people may know of a question: no secret, and no more than finds room before their eyes.
QuestionRecord shown_question(const Redactor& redactor, const std::string& question_utf8, const std::vector<std::string>& choices) {
    QuestionRecord out;
    out.text_utf8 = cut(redactor.redacted(question_utf8), kQuestionBytesMax);
    for (std::size_t i = 0; i < std::min(choices.size(), kChoicesMax); ++i) {
        std::string shown = cut(redactor.redacted(choices[i]), kChoiceBytesMax);
        const bool is_taken = std::find(out.choices.begin(), out.choices.end(), shown) != out.choices.end();
        out.choices.push_back(is_taken ? fmt::format("{} ({})", shown, i + 1) : std::move(shown));
    }
    out.text_utf8 += choices.size() > kChoicesMax ? fmt::format(" (the first {} of {} answers)", kChoicesMax, choices.size()) : "";
    return out;
}

/// The task gets the choice itself, however it was shown.
std::optional<std::string> meant(std::optional<std::string> answer, const QuestionRecord& shown, const std::vector<std::string>& choices) {
    const auto found = answer ? std::find(shown.choices.begin(), shown.choices.end(), *answer) : shown.choices.end();
    return found == shown.choices.end() ? std::move(answer) : choices[static_cast<std::size_t>(found - shown.choices.begin())];
}

} // namespace

// On the session's thread: the task waits.
std::optional<std::string> LiveSession::ask_question(const std::string& question_utf8, const std::vector<std::string>& choices, const std::stop_token& stop) {
    const Result<std::string> id = make_ulid(parts_.clock->wall_now());
    if (!id) {
        log::error("server", fmt::format("session {}: {}", parts_.id, id.error().message));
        return std::nullopt;
    }
    QuestionRecord record = shown_question(*redactor_, question_utf8, choices);
    record.session = parts_.id;
    record.question = *id;
    record.expires_at = parts_.clock->wall_now() + parts_.settings.approval_ttl;
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
        note("question.asked", dump_json(json{{"question", record.question}, {"text", record.text_utf8}, {"choices", record.choices}, {"expires_at", format_utc(record.expires_at)}}));
    };
    std::optional<std::string> answer = meant(questions_.ask(record, announce, stop), record, choices);
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
