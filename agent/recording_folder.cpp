// SPDX-License-Identifier: Apache-2.0
#include "agent/recording_folder.h"

#include "agent/recorder.h"
#include "agent/recording_lock.h"
#include "base/file.h"
#include "base/json.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr const char* kEnding = ".handeye";

std::filesystem::path keep_name(const std::filesystem::path& path) { return path.string() + ".keep"; }

// A file may claim any time; what a count of nanoseconds cannot hold would come out as another age.
WallTime changed_at(const struct stat& about) {
    constexpr std::int64_t kYear2200 = 7'258'118'400;
    const std::int64_t seconds = std::clamp<std::int64_t>(about.st_mtim.tv_sec, 0, kYear2200);
    return WallTime(std::chrono::seconds(seconds) + std::chrono::nanoseconds(about.st_mtim.tv_nsec));
}

/// What lies at the mark's name. A link is the claim of whoever deletes the recording: it comes into being at once or not at all, so
/// that of two who want to keep and to delete one is the first.
enum class Mark { None, Kept, Claimed };
Mark mark_of(const std::filesystem::path& path) {
    struct stat about {};
    return ::lstat(keep_name(path).c_str(), &about) != 0 ? Mark::None : S_ISLNK(about.st_mode) ? Mark::Claimed : Mark::Kept;
}

// nullopt: gone meanwhile, or no file.
std::optional<RecordingEntry> entry_of(const std::filesystem::path& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) {
        return std::nullopt;
    }
    RecordingEntry entry{.path = path, .session = path.stem().string(), .size_bytes = static_cast<std::uint64_t>(about.st_size), .changed = changed_at(about)};
    struct stat log {};
    if (::lstat((path.string() + "-wal").c_str(), &log) == 0 && S_ISREG(log.st_mode)) {
        entry.size_bytes += static_cast<std::uint64_t>(log.st_size);
        entry.changed = std::max(entry.changed, changed_at(log));
    }
    entry.is_open = RecordingLock::is_taken(path);
    entry.is_kept = mark_of(path) == Mark::Kept;
    entry.is_named_by_person = !is_session_id(entry.session);
    return entry;
}

bool is_newer(const RecordingEntry& a, const RecordingEntry& b) {
    return a.changed != b.changed ? a.changed > b.changed : a.session > b.session;
}

Error cannot(std::string_view what, const std::filesystem::path& path) {
    const int number = errno;
    return {number == EACCES || number == EPERM || number == EROFS ? ErrorCode::PermissionDenied : ErrorCode::IoFailed,
            fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(number))};
}

Result<void> remove_file(const std::filesystem::path& path) { return ::unlink(path.c_str()) != 0 && errno != ENOENT ? Result<void>(cannot("delete", path)) : Result<void>(); }

/// The file with what was made of it: its log, and the page that `handeye report` writes beside it. The file itself goes last: what is
/// half deleted can be deleted again.
Result<void> remove_parts(const std::filesystem::path& path) {
    if (is_session_id(path.stem().string())) { // a page beside a file that a person named is the person's
        TRY(remove_file(std::filesystem::path(path).replace_extension(".html")));
    }
    for (const char* ending : {"-wal", "-shm", "-journal", ""}) {
        TRY(remove_file(path.string() + ending));
    }
    return {};
}

/// One text field of the event `seq`; empty: it has none.
Result<std::string> text_of(const Recording& recording, std::uint64_t seq, const char* field) {
    const std::vector<StoredEvent> found = TRY(recording.events(seq, 1));
    const auto data = found.empty() ? Result<nlohmann::json>(nlohmann::json()) : parse_json(found.front().data_json);
    const bool has_text = data && data->is_object() && data->contains(field) && (*data)[field].is_string();
    return has_text ? (*data)[field].get<std::string>() : std::string();
}

} // namespace

bool is_session_id(std::string_view text) {
    constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    return text.size() == 26 && text.find_first_not_of(kCrockford) == std::string_view::npos;
}

Result<std::vector<RecordingEntry>> list_recordings(const std::filesystem::path& folder) {
    std::vector<RecordingEntry> out;
    std::error_code problem;
    for (std::filesystem::directory_iterator at(folder, problem), end; !problem && at != end; at.increment(problem)) {
        auto entry = at->path().extension() == kEnding ? entry_of(at->path()) : std::nullopt;
        if (entry) {
            out.push_back(*std::move(entry));
        }
    }
    if (problem) {
        const bool is_absent = problem == std::errc::no_such_file_or_directory || problem == std::errc::not_a_directory;
        const bool is_denied = problem == std::errc::permission_denied;
        return Error{is_absent ? ErrorCode::NotFound : is_denied ? ErrorCode::PermissionDenied : ErrorCode::IoFailed,
                     fmt::format("cannot list {}: {}", folder.string(), problem.message())};
    }
    std::sort(out.begin(), out.end(), is_newer);
    return out;
}

std::uint64_t total_bytes(const std::vector<RecordingEntry>& entries) {
    return std::accumulate(entries.begin(), entries.end(), std::uint64_t{0}, [](std::uint64_t sum, const RecordingEntry& entry) { return sum + entry.size_bytes; });
}

Result<RecordingSummary> summarise_recording(const std::filesystem::path& path) {
    const Recording recording = TRY(Recording::open(path));
    const EventCount tasks = TRY(recording.count("task.started"));
    const EventCount ends = TRY(recording.count("task.finished"));
    const EventCount steps = TRY(recording.count("task.step_finished"));
    const std::vector<StoredEvent> first = TRY(recording.events(1, 1));
    RecordingSummary out{.tasks = tasks.count, .steps = steps.count, .is_sealed = recording.is_sealed()};
    out.started = first.empty() ? "" : first.front().t_wall;
    if (tasks.count > 0) {
        out.goal = TRY(text_of(recording, tasks.first_seq, "goal"));
    }
    if (ends.count > 0 && ends.last_seq > tasks.last_seq) {
        out.outcome = TRY(text_of(recording, ends.last_seq, "outcome"));
    }
    return out;
}

std::string_view prune_reason_name(PruneReason reason) {
    switch (reason) {
    case PruneReason::Age: return "age";
    case PruneReason::Count: return "count";
    case PruneReason::Bytes: return "size";
    }
    return "";
}

PrunePlan plan_prune(std::vector<RecordingEntry> entries, const PruneRules& rules, WallTime now) {
    std::sort(entries.begin(), entries.end(), [](const RecordingEntry& a, const RecordingEntry& b) { return is_newer(b, a); });
    const auto is_old = [&](const RecordingEntry& entry) { return rules.age_max && now - entry.changed > *rules.age_max; };
    std::size_t count = entries.size();
    std::uint64_t bytes = total_bytes(entries);
    std::vector<std::optional<PruneReason>> reasons(entries.size());
    const auto mark = [&](PruneReason reason, const auto& is_wanted) {
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (!reasons[i] && entries[i].may_go() && is_wanted(entries[i])) {
                reasons[i] = reason;
                count -= 1;
                bytes -= entries[i].size_bytes;
            }
        }
    };
    const auto has_too_many = [&] { return rules.count_max && count > *rules.count_max; };
    const auto is_too_large = [&] { return rules.bytes_max && bytes > *rules.bytes_max; };
    mark(PruneReason::Age, is_old);
    mark(PruneReason::Count, [&](const RecordingEntry&) { return has_too_many(); });
    mark(PruneReason::Bytes, [&](const RecordingEntry&) { return is_too_large(); });
    PrunePlan plan;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (reasons[i]) {
            plan.victims.push_back({std::move(entries[i]), *reasons[i]});
        } else {
            plan.left.push_back(std::move(entries[i]));
        }
    }
    plan.is_enough = !has_too_many() && !is_too_large();
    return plan;
}

Result<void> delete_recording(const std::filesystem::path& path) {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(path, problem))) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not a file", path.string())};
    }
    const RecordingLock lock = TRY(RecordingLock::take(path));
    while (::symlink("deleting", keep_name(path).c_str()) != 0) {
        if (errno != EEXIST) {
            return cannot("claim", path);
        }
        const Mark mark = mark_of(path);
        if (mark == Mark::Kept) {
            return Error{ErrorCode::PermissionDenied, fmt::format("{} is marked to keep", path.string())};
        }
        if (mark == Mark::Claimed) {
            break; // by one that died: the lock is ours
        }
        // It was kept and has been set free in between: without a claim of ours it could be kept again while it goes.
    }
    const Result<void> removed = remove_parts(path);
    const Result<void> unclaimed = remove_file(keep_name(path));
    return removed ? unclaimed : removed;
}

Result<void> keep_recording(const std::filesystem::path& path, Keeping keeping) {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(path, problem))) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not a file", path.string())};
    }
    const std::filesystem::path name = keep_name(path);
    if (keeping == Keeping::Free) {
        return mark_of(path) == Mark::Kept ? remove_file(name) : Result<void>();
    }
    if (mark_of(path) == Mark::Claimed) {
        const RecordingLock ours = TRY(RecordingLock::take(path)); // Overloaded while it is being deleted; else its deleter died
        TRY(remove_file(name));
    }
    const FileDescriptor mark(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!mark.is_open() && errno != EEXIST) {
        return cannot("create", name);
    }
    if (mark_of(path) != Mark::Kept) {
        return Error{ErrorCode::Overloaded, fmt::format("{} is being deleted", path.string())};
    }
    if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(path, problem))) { // it went before the mark was there
        TRY(remove_file(name));
        return Error{ErrorCode::NotFound, fmt::format("{} is not a file", path.string())};
    }
    return {};
}

} // namespace handeye
