// SPDX-License-Identifier: Apache-2.0
// Where a session's events go: the recording, the control API, a terminal, a test. The event log is the recording is the
// API stream, so there is one kind of event and one order of them.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Bytes named by their SHA-256; events refer to them by that name.
struct Blob {
    std::string sha256_hex;
    std::string media_type; ///< "image/png", "text/plain", "application/json"
    std::shared_ptr<const std::vector<std::uint8_t>> bytes;
};

/// What must hold before on_event() returns.
enum class Durability {
    Written, ///< survives the death of this process; readers see it
    Synced,  ///< survives a loss of power, with everything before it
};

/// One line of the log before it has its number. Types and their data: docs/events.md.
struct SessionEvent {
    std::string type;      ///< "task.started", "action.executed", ...
    std::string data_json; ///< one JSON object
    TimePoint mono{};
    WallTime wall{};
    std::vector<Blob> blobs; ///< stored before the event that names them
    Durability durability = Durability::Synced;
};

class StepSink {
public:
    virtual ~StepSink() = default;
    /// Returns the event's number (from 1, no gaps) once it is as durable as it asks for. An error stops the session: what
    /// cannot be recorded is not done. Called from the session's thread, one call at a time.
    virtual Result<std::uint64_t> on_event(const SessionEvent& event) = 0;
};

} // namespace handeye
