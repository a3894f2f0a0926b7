// SPDX-License-Identifier: Apache-2.0
// A folder of session files: what lies there, what of it may go, and taking it away. What is being written, what somebody marked to
// keep, and what bears another name than its session's is never taken.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// True for 26 characters of Crockford base 32: what may become a file name.
bool is_session_id(std::string_view text);

/// One `*.handeye` file, as the folder shows it: nothing of it is read.
struct RecordingEntry {
    std::filesystem::path path;
    std::string session;            ///< the file's stem
    std::uint64_t size_bytes = 0;   ///< with its log
    WallTime changed{};             ///< when something was last added; 1970 to 2200, whatever the file claims
    bool is_open = false;           ///< a recorder has it
    bool is_kept = false;           ///< marked with keep_recording()
    bool is_named_by_person = false; ///< the stem is no session's id

    [[nodiscard]] bool may_go() const { return !is_open && !is_kept && !is_named_by_person; }
};

/// Regular files only (a link is passed over), newest change first. NotFound without the folder. Any thread.
Result<std::vector<RecordingEntry>> list_recordings(const std::filesystem::path& folder);
std::uint64_t total_bytes(const std::vector<RecordingEntry>& entries);

/// What its events say. Those that are looked at are checked; the others are only counted.
struct RecordingSummary {
    std::string started;  ///< UTC, of the first event; empty: there is none
    std::string goal;     ///< of the first task
    std::string outcome;  ///< of the last task; empty: there was none, or it was cut off
    std::uint64_t tasks = 0;
    std::uint64_t steps = 0;
    bool is_sealed = false;
};
Result<RecordingSummary> summarise_recording(const std::filesystem::path& path);

/// What may stay. Everything in the folder counts; only what may_go() goes.
struct PruneRules {
    std::optional<Duration> age_max;  ///< since the last change
    std::optional<std::size_t> count_max;
    std::optional<std::uint64_t> bytes_max;
};
enum class PruneReason { Age, Count, Bytes };
std::string_view prune_reason_name(PruneReason reason); ///< "age", ...

struct PrunePlan {
    struct Victim {
        RecordingEntry entry;
        PruneReason reason = PruneReason::Age;
    };
    std::vector<Victim> victims;  ///< oldest first
    std::vector<RecordingEntry> left;
    bool is_enough = true;        ///< false: what is left is still too many or too large, and none of it may go
};
/// Decides, and touches nothing.
PrunePlan plan_prune(std::vector<RecordingEntry> entries, const PruneRules& rules, WallTime now);

/// The file with its log, and a session's report beside it (ID.html); readers that have it open may go on. Overloaded while a recorder has it, PermissionDenied when it is marked
/// to keep. After a failure or a crash half-way it can be deleted again.
Result<void> delete_recording(const std::filesystem::path& path);

enum class Keeping { Kept, Free };
/// The mark is a file beside it, `ID.handeye.keep`, so that a sealed recording stays as it is. NotFound without the recording,
/// Overloaded while somebody deletes it: what this says is kept is not deleted afterwards.
Result<void> keep_recording(const std::filesystem::path& path, Keeping keeping);

} // namespace handeye
