// SPDX-License-Identifier: Apache-2.0
// The session file: one SQLite database (WAL) of events and content-addressed blobs, hash-chained, readable while written.
#pragma once

#include "agent/step_sink.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// An event as stored: `hash` = SHA-256 over the previous event's hash and this event's fields.
struct StoredEvent {
    std::uint64_t seq = 0;
    std::string t_wall;       ///< UTC, milliseconds
    std::int64_t t_mono_ns = 0;
    std::string type;
    std::string data_json;
    std::string hash_hex;
};

/// Appends. One writer per file (a second open is refused); any thread, one at a time.
class Recorder final : public StepSink {
public:
    /// Creates the file (0600) or continues one that a crash left behind.
    static Result<std::unique_ptr<Recorder>> open(const std::filesystem::path& path, const std::string& session_id);
    ~Recorder() override;

    /// One commit per event, with an fsync where the event asks for Synced: a step costs one fsync, at task.step_finished.
    /// IoFailed when the disk is full (the event is refused, the next one may succeed) or when a sync failed (this
    /// recorder refuses everything from then on: what the kernel dropped cannot be known). A refused event that no other follows
    /// may still be there, whole, when the program then dies.
    Result<std::uint64_t> on_event(const SessionEvent& event) override;
    /// Marks the session as closed in good order and checkpoints the log into one file.
    Result<void> seal();
    [[nodiscard]] const std::filesystem::path& path() const;

private:
    struct Impl;
    explicit Recorder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// How often a type of event is there, and where.
struct EventCount {
    std::uint64_t count = 0;
    std::uint64_t first_seq = 0; ///< 0: nowhere
    std::uint64_t last_seq = 0;
};

/// Reads, also while a Recorder writes. Any number of readers.
class Recording {
public:
    static Result<Recording> open(const std::filesystem::path& path);
    ~Recording();
    Recording(Recording&&) noexcept;
    Recording& operator=(Recording&&) noexcept;

    [[nodiscard]] const std::string& session_id() const;
    [[nodiscard]] bool is_sealed() const;
    /// Up to `count` events with seq >= from_seq, in order.
    Result<std::vector<StoredEvent>> events(std::uint64_t from_seq, std::size_t count) const;
    /// As the file says: nothing is checked. events() checks what it hands out.
    Result<EventCount> count(std::string_view type) const;
    /// NotFound when the recording has no such blob.
    Result<std::vector<std::uint8_t>> blob(const std::string& sha256_hex) const;
    /// The number of events whose chain is whole; an Error names the first event that was changed.
    Result<std::uint64_t> verify_chain() const;

private:
    struct Impl;
    explicit Recording(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// A new file name in the state folder: sessions/<ulid>.handeye
std::filesystem::path session_file_path(const std::string& session_id);

} // namespace handeye
