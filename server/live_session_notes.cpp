// SPDX-License-Identifier: Apache-2.0
// What people add to a session: notes for the task that runs, names, entries of the log.
#include "server/live_session.h"

#include "base/json.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kNotesMax = 16; // that wait to be read

} // namespace

std::optional<RpcError> LiveSession::amend_task(const std::string& task_id, const std::string& note_utf8) {
    {
        const std::lock_guard lock(mutex_);
        if (current_task_ != task_id || !log_ || !is_busy()) {
            return RpcError{ErrorKind::NoSuchTask, fmt::format("task \"{}\" is not under way", task_id), "task"};
        }
        if (task_notes_.size() >= kNotesMax) {
            return RpcError{ErrorKind::Overloaded, fmt::format("{} notes wait already to be read", kNotesMax), "note"};
        }
        task_notes_.push_back(note_utf8);
    }
    note("task.amended", dump_json(json{{"note", note_utf8}}));
    return std::nullopt;
}

std::vector<std::string> LiveSession::take_notes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(task_notes_, {});
}

void LiveSession::set_label(std::string name, std::string notes) {
    const std::lock_guard lock(mutex_);
    name_ = std::move(name);
    notes_ = std::move(notes);
}

void LiveSession::note(const std::string& type, std::string data_json) {
    std::shared_ptr<SessionLog> log;
    {
        const std::lock_guard lock(mutex_);
        log = log_;
    }
    if (log) {
        (void)log->append(type, std::move(data_json)); // a sealed or full log refuses; the stop itself has happened
    }
}

} // namespace handeye
