// SPDX-License-Identifier: Apache-2.0
#include "server/session_log.h"

#include <fmt/format.h>

namespace handeye {
namespace {

// The object with one member more, in front. Task ids are ULIDs: nothing to escape.
std::string with_task(const std::string& data_json, const std::string& task_id) {
    const std::size_t brace = data_json.find('{');
    if (task_id.empty() || brace == std::string::npos) {
        return data_json;
    }
    const std::size_t first = data_json.find_first_not_of(" \t\r\n", brace + 1);
    const bool is_empty = first != std::string::npos && data_json[first] == '}';
    return fmt::format(R"({{"task_id":"{}"{}{})", task_id, is_empty ? "" : ",", data_json.substr(brace + 1));
}

} // namespace

SessionLog::SessionLog(std::unique_ptr<Recorder> recorder, Clock& clock, std::function<void(std::uint64_t)> on_seq,
                       std::shared_ptr<const Redactor> redactor)
    : recorder_(std::move(recorder)), clock_(clock), on_seq_(std::move(on_seq)), redactor_(std::move(redactor)) {}

void SessionLog::begin_task(const std::string& task_id) {
    const std::lock_guard lock(mutex_);
    task_id_ = task_id;
    has_finished_ = false;
}

bool SessionLog::has_finished_task() const {
    const std::lock_guard lock(mutex_);
    return has_finished_;
}

Result<std::uint64_t> SessionLog::store(const SessionEvent& event) {
    SessionEvent stored = redactor_->redacted(event);
    std::uint64_t seq = 0;
    {
        const std::lock_guard lock(mutex_);
        stored.data_json = with_task(stored.data_json, task_id_);
        seq = TRY(recorder_->on_event(stored));
        has_finished_ = has_finished_ || event.type == "task.finished";
    }
    on_seq_(seq);
    return seq;
}

Result<std::uint64_t> SessionLog::on_event(const SessionEvent& event) { return store(event); }

Result<std::uint64_t> SessionLog::append(const std::string& type, std::string data_json) {
    return store({.type = type, .data_json = std::move(data_json), .mono = clock_.now(), .wall = clock_.wall_now()});
}

Result<void> SessionLog::seal() {
    const std::lock_guard lock(mutex_);
    return recorder_->seal();
}

} // namespace handeye
