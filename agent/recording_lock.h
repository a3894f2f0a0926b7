// SPDX-License-Identifier: Apache-2.0
// Who may change a session file: its one recorder, or whoever deletes it. Inside this folder only.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <filesystem>

namespace handeye {

/// A lock beside the file, not on it: closing any other descriptor of the database would drop SQLite's own POSIX locks. The kernel
/// lets go of it when its holder dies.
class RecordingLock {
public:
    RecordingLock() = default;
    /// Overloaded while somebody else has it. Does not wait.
    static Result<RecordingLock> take(const std::filesystem::path& recording);
    /// Whether somebody has it now. Looking takes it for a moment, and only where its file is there.
    static bool is_taken(const std::filesystem::path& recording);
    RecordingLock(RecordingLock&& other) noexcept;
    RecordingLock& operator=(RecordingLock&& other) noexcept;
    /// Removes the lock's file.
    ~RecordingLock();

private:
    FileDescriptor file_;
    std::filesystem::path name_;
};

} // namespace handeye
