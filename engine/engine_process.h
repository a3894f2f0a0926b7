// SPDX-License-Identifier: Apache-2.0
// A ChatModel that lives in a process of its own: its crash is an error value, and it is started again.
#pragma once

#include "base/clock.h"
#include "engine/chat_model.h"
#include "engine/engine.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>

namespace handeye {

struct EngineEvent {
    enum class Kind { Lost, Restarted };
    Kind kind = Kind::Lost;
    std::string message; ///< one sentence for a person: why it was lost, or how long it was away
};

struct EngineProcessOptions {
    EngineOptions engine;
    std::filesystem::path program; ///< handeye-engine; empty: the one beside the running program
    Duration beat_interval = std::chrono::seconds(1); ///< how often the worker says that it lives
    Duration beat_timeout = std::chrono::seconds(10); ///< without a sign of life it is killed
    Duration silence_max = std::chrono::minutes(10);  ///< an answer without a new token for so long: killed as hung
    Duration restart_pause_first = std::chrono::milliseconds(500); ///< doubled with each loss, until an answer succeeds
    Duration restart_pause_max = std::chrono::seconds(30);
    Duration restart_wait_max = std::chrono::seconds(120); ///< a call waits so long for a restart, then EngineLost
    std::function<void(const EngineEvent& event)> on_event; ///< on the supervisor's thread; may be empty
};

struct EngineProcessStatus {
    bool is_ready = false;
    pid_t pid = -1;        ///< -1: none runs at the moment
    int restarts = 0;      ///< that succeeded
    std::string last_loss; ///< why it was lost last; empty: never
};

/// generate() as ChatModel says, from any thread. A worker that crashes, is killed or hangs ends the call with EngineLost;
/// later calls wait for the restart. `on_text` runs on the caller's thread.
class EngineProcess : public ChatModel {
public:
    [[nodiscard]] virtual EngineProcessStatus status() const = 0;
};

/// Starts the worker and waits until its model is open. Errors as open_engine(); EngineLost when the worker dies meanwhile;
/// NotFound without the program. The worker sees no desktop: see engine/process/sandbox.h.
Result<std::unique_ptr<EngineProcess>> open_engine_process(const EngineProcessOptions& options);

} // namespace handeye
