// SPDX-License-Identifier: Apache-2.0
// Keeps the folder of recordings within what the configuration allows: an age after which they go, and a quota.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "server/control_server.h"
#include "server/worker.h"

#include <filesystem>
#include <mutex>
#include <stop_token>

namespace handeye {

/// Deletes only what the rules name for it: by default nothing. Any thread.
class RecordingKeeper {
public:
    /// `ending`: once requested, a sweep stops after the file at hand. The clock is borrowed.
    RecordingKeeper(std::filesystem::path folder, RecordingRules rules, Clock& clock, std::stop_token ending);

    void set_rules(const RecordingRules& rules);
    /// Whether one more session, or task, may be recorded: LimitExceeded when the quota is used up, with what to do about it. Makes
    /// room first where the rules allow that. Reads the folder: not for the I/O thread.
    Result<void> make_room();
    /// Deletes what is older than the rules allow. What cannot be deleted is logged and left.
    void sweep();
    /// The same, soon, on a thread of its own.
    void sweep_soon();

private:
    [[nodiscard]] RecordingRules rules() const;
    void remove(const std::filesystem::path& path, std::string_view reason) const;

    const std::filesystem::path folder_;
    Clock& clock_;
    const std::stop_token ending_;
    mutable std::mutex mutex_;
    RecordingRules rules_; ///< guarded by mutex_
    std::mutex making_room_; ///< one at a time: two would delete for the same room
    Worker worker_; // last: it uses the others
};

} // namespace handeye
