// SPDX-License-Identifier: Apache-2.0
// A session's recording as the daemon writes it: the agent's events with the task's id, and the daemon's own between them.
#pragma once

#include "agent/recorder.h"
#include "agent/redactor.h"
#include "agent/step_sink.h"
#include "base/clock.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace handeye {

/// Any thread.
class SessionLog final : public StepSink {
public:
    /// `on_seq` hears the number of each event after it is stored; must not block.
    /// `redactor`: what it takes out is in nothing that is stored.
    SessionLog(std::unique_ptr<Recorder> recorder, Clock& clock, std::function<void(std::uint64_t)> on_seq,
               std::shared_ptr<const Redactor> redactor = std::make_shared<const Redactor>());

    /// From here to the next call, events carry `"task_id": id` beside the agent's own count; empty: none does.
    void begin_task(const std::string& task_id);
    /// True when the agent itself has said task.finished since begin_task().
    [[nodiscard]] bool has_finished_task() const;

    Result<std::uint64_t> on_event(const SessionEvent& event) override;
    /// An event of the daemon itself. `data_json` is one object.
    Result<std::uint64_t> append(const std::string& type, std::string data_json);
    Result<void> seal();

private:
    Result<std::uint64_t> store(const SessionEvent& event);

    std::unique_ptr<Recorder> recorder_;
    Clock& clock_;
    std::function<void(std::uint64_t)> on_seq_;
    std::shared_ptr<const Redactor> redactor_;
    mutable std::mutex mutex_; // guards the three below and the recorder's order
    std::string task_id_;
    bool has_finished_ = false;
};

} // namespace handeye
