// SPDX-License-Identifier: Apache-2.0
// Writes a session file. Each event is one transaction with its blobs; WAL with synchronous=NORMAL leaves it in the kernel's
// hands, FULL syncs the log first. Measured on the development machine: 0.1 ms against 4 ms, so a step syncs once.
#include "agent/recorder.h"

#include "agent/recording_format.h"
#include "agent/recording_lock.h"
#include "agent/sqlite.h"
#include "base/file.h"
#include "base/hash.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace handeye {
namespace {

namespace format = recording_format;

Result<void> sync_folder(const std::filesystem::path& path) {
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.is_open() || ::fsync(opened.get()) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot sync the folder of {}: {}", path.string(), std::strerror(errno))};
    }
    return {};
}

// True when the file is new. Only its owner may read a recording.
Result<bool> create_if_missing(const std::filesystem::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.is_open() && errno != EEXIST) {
        const ErrorCode code = errno == ENOENT ? ErrorCode::NotFound : errno == EACCES ? ErrorCode::PermissionDenied : ErrorCode::IoFailed;
        return Error{code, fmt::format("cannot create {}: {}", path.string(), std::strerror(errno))};
    }
    return file.is_open();
}

struct Head {
    std::uint64_t seq = 0;
    Sha256 hash{};
};

Result<void> write_tables(sqlite::Database& database, const std::string& session_id) {
    TRY(database.execute("BEGIN IMMEDIATE"));
    for (const char* table : format::kTables) {
        TRY(database.execute(table));
    }
    auto insert = TRY(database.prepare("INSERT INTO meta(key, value) VALUES(?1, ?2)"));
    insert.bind(1, std::string_view("session_id"));
    insert.bind(2, std::string_view(session_id));
    TRY(insert.run());
    TRY(database.execute(fmt::format("PRAGMA application_id={}", format::kApplicationId).c_str()));
    TRY(database.execute(fmt::format("PRAGMA user_version={}", format::kVersion).c_str()));
    return database.execute("COMMIT");
}

Result<void> check_tables(sqlite::Database& database, const std::filesystem::path& path, const std::string& session_id) {
    if (TRY(database.read_integer("PRAGMA application_id")) != format::kApplicationId) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is a database, but not a recording", path.string())};
    }
    const std::int64_t version = TRY(database.read_integer("PRAGMA user_version"));
    if (version != format::kVersion) {
        return Error{ErrorCode::Unsupported,
                     fmt::format("{} has format {}; this program writes format {}", path.string(), version, format::kVersion)};
    }
    const std::string owner = TRY(database.read_text("SELECT value FROM meta WHERE key='session_id'"));
    if (owner != session_id) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("{} exists and belongs to session {}: choose another file", path.string(), owner)};
    }
    if (TRY(database.read_integer("SELECT count(*) FROM meta WHERE key='sealed'")) != 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is sealed: nothing can be added", path.string())};
    }
    return {};
}

Result<Head> read_head(sqlite::Database& database, const std::string& session_id) {
    auto last = TRY(database.prepare("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"));
    Head head{0, format::chain_start(session_id)};
    if (TRY(last.step())) {
        const auto hash = last.blob(1);
        if (hash.size() != head.hash.size()) {
            return Error{ErrorCode::ParseFailed, fmt::format("event {} has a damaged hash", last.integer(0))};
        }
        head.seq = static_cast<std::uint64_t>(last.integer(0));
        std::copy(hash.begin(), hash.end(), head.hash.begin());
    }
    return head;
}

Result<Sha256> parse_hash(const std::string& hex) {
    Sha256 out{};
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    bool is_good = hex.size() == 2 * out.size();
    for (std::size_t i = 0; is_good && i < out.size(); ++i) {
        const int high = digit(hex[2 * i]);
        const int low = digit(hex[2 * i + 1]);
        is_good = high >= 0 && low >= 0;
        out[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return is_good ? Result<Sha256>(out) : Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no SHA-256", hex)};
}

} // namespace

struct Recorder::Impl {
    std::filesystem::path path;
    RecordingLock lock; // before the database: let go of when that is closed
    sqlite::Database database;
    // Statements after the database: they are finalised first.
    sqlite::Statement insert_event;
    sqlite::Statement insert_blob;
    sqlite::Statement begin;
    sqlite::Statement commit;
    Head head;
    std::optional<Durability> mode; // what PRAGMA synchronous says now
    std::string refusal;            // why nothing is accepted any more
    bool is_stub = false;           // made here, and nothing is recorded
    std::mutex mutex;

    ~Impl() {
        if (is_stub) { // a full disk, say: who lists recordings finds no empty one
            for (const char* ending : {"-wal", "-shm", ""}) {
                ::unlink((path.string() + ending).c_str());
            }
        }
    }

    Result<void> set_mode(Durability durability) {
        if (mode != durability) {
            TRY(database.execute(durability == Durability::Synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
            mode = durability;
        }
        return {};
    }

    Result<void> store_blob(const Blob& blob) {
        const Sha256 key = TRY(parse_hash(blob.sha256_hex));
        if (!blob.bytes) {
            return Error{ErrorCode::InvalidArgument, fmt::format("blob {} has no bytes", blob.sha256_hex)};
        }
        insert_blob.bind(1, std::span<const std::uint8_t>(key));
        insert_blob.bind(2, std::string_view(blob.media_type));
        insert_blob.bind(3, std::span<const std::uint8_t>(*blob.bytes));
        return insert_blob.run();
    }

    Result<Head> append(const SessionEvent& event) {
        for (const Blob& blob : event.blobs) {
            TRY(store_blob(blob));
        }
        const std::string t_wall = format_utc(event.wall);
        const std::int64_t t_mono_ns = event.mono.time_since_epoch().count();
        Head next{head.seq + 1, {}};
        next.hash = format::chain_next(head.hash, {next.seq, t_wall, t_mono_ns, event.type, event.data_json});
        insert_event.bind(1, static_cast<std::int64_t>(next.seq));
        insert_event.bind(2, std::string_view(t_wall));
        insert_event.bind(3, t_mono_ns);
        insert_event.bind(4, std::string_view(event.type));
        insert_event.bind(5, std::string_view(event.data_json));
        insert_event.bind(6, std::span<const std::uint8_t>(head.hash));
        insert_event.bind(7, std::span<const std::uint8_t>(next.hash));
        TRY(insert_event.run());
        TRY(commit.run());
        return next;
    }

    // An error leaves the file as it was before the event.
    Error give_up(const Error& error) {
        if (database.has_sync_failed()) {
            refusal = fmt::format("{}: an earlier sync failed; start a new recording", path.string());
        }
        [[maybe_unused]] const Result<void> rolled_back = database.execute("ROLLBACK"); // fails when SQLite did it itself
        return error;
    }
};

Recorder::Recorder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recorder::~Recorder() = default;

const std::filesystem::path& Recorder::path() const { return impl_->path; }

Result<std::unique_ptr<Recorder>> Recorder::open(const std::filesystem::path& path, const std::string& session_id) {
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->lock = TRY(RecordingLock::take(path));
    const bool is_new = TRY(create_if_missing(path));
    impl->is_stub = is_new;
    impl->database = TRY(sqlite::Database::open(path, sqlite::Access::ReadWrite));
    // A crash between creation and the first commit leaves an empty file: it is as good as new.
    const bool is_empty = is_new || TRY(impl->database.read_integer("SELECT count(*) FROM sqlite_schema")) == 0;
    if (!is_empty) {
        TRY(check_tables(impl->database, path, session_id)); // before anything changes it
    }
    TRY(impl->database.execute("PRAGMA journal_mode=WAL"));
    TRY(impl->database.execute("PRAGMA wal_autocheckpoint=4000"));
    TRY(impl->set_mode(Durability::Synced));
    if (is_empty) {
        TRY(write_tables(impl->database, session_id));
        TRY(sync_folder(path));
    }
    impl->head = TRY(read_head(impl->database, session_id));
    impl->insert_event = TRY(impl->database.prepare(
        "INSERT INTO events(seq, t_wall, t_mono_ns, type, data, prev_hash, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    impl->insert_blob = TRY(impl->database.prepare("INSERT OR IGNORE INTO blobs(sha256, media_type, bytes) VALUES(?1, ?2, ?3)"));
    impl->begin = TRY(impl->database.prepare("BEGIN IMMEDIATE"));
    impl->commit = TRY(impl->database.prepare("COMMIT"));
    return std::unique_ptr<Recorder>(new Recorder(std::move(impl)));
}

Result<std::uint64_t> Recorder::on_event(const SessionEvent& event) {
    const std::lock_guard guard(impl_->mutex);
    if (!impl_->refusal.empty()) {
        return Error{ErrorCode::IoFailed, impl_->refusal};
    }
    TRY(impl_->set_mode(event.durability));
    TRY(impl_->begin.run());
    const Result<Head> next = impl_->append(event);
    if (!next) {
        return impl_->give_up(next.error());
    }
    impl_->head = *next;
    impl_->is_stub = false;
    return next->seq;
}

Result<void> Recorder::seal() {
    const std::lock_guard guard(impl_->mutex);
    if (!impl_->refusal.empty()) {
        return Error{ErrorCode::IoFailed, impl_->refusal};
    }
    TRY(impl_->set_mode(Durability::Synced));
    auto insert = TRY(impl_->database.prepare("INSERT INTO meta(key, value) VALUES('sealed', ?1)"));
    const std::string head = fmt::format("{} {}", impl_->head.seq, to_hex(impl_->head.hash));
    insert.bind(1, std::string_view(head));
    TRY(insert.run());
    impl_->is_stub = false;
    impl_->refusal = fmt::format("{} is sealed: nothing can be added", impl_->path.string());
    // One plain file, readable from a read-only folder. A reader that is open keeps the log in use; the last one to close
    // then folds it in, so a refusal here loses nothing.
    [[maybe_unused]] const Result<void> folded = impl_->database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    // In memory: a journal on the disk that a crash or an error left there would have to be rolled back before anybody could read, and
    // all that is written here is the first hundred bytes.
    [[maybe_unused]] const Result<void> plain = impl_->database.execute("PRAGMA journal_mode=MEMORY");
    return {};
}

std::filesystem::path session_file_path(const std::string& session_id) {
    return state_dir() / "sessions" / (session_id + ".handeye");
}

} // namespace handeye
