// SPDX-License-Identifier: Apache-2.0
// What a person adds to a task that runs.
#include "server/live_session.h"

#include "base/json.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

std::optional<RpcError> LiveSession::amend_task(const std::string& task_id, const std::string& text) {
    {
        const std::lock_guard lock(mutex_);
        if (current_task_ != task_id || !log_ || !is_busy()) {
            return RpcError{ErrorKind::NoSuchTask, fmt::format("task {} is not under way", task_id), "task"};
        }
        task_notes_.push_back(text);
    }
    note("task.amended", dump_json(nlohmann::json{{"note", text}}));
    return std::nullopt;
}

std::vector<std::string> LiveSession::take_notes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(task_notes_, {});
}

} // namespace handeye
