// SPDX-License-Identifier: Apache-2.0
#include "agent/sqlite.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

namespace handeye::sqlite {
namespace {

// No value of a recording is larger; a corrupt length is refused before memory is asked for.
constexpr int kValueBytesMax = 256 << 20;
constexpr int kBusyMs = 2000;

ErrorCode code_of(int number) {
    switch (number & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_ERROR: return ErrorCode::ParseFailed; // our statements are right: a missing table is the file's fault
    case SQLITE_FULL:
    case SQLITE_IOERR: return ErrorCode::IoFailed;
    case SQLITE_CANTOPEN: return ErrorCode::NotFound;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return ErrorCode::PermissionDenied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::Overloaded;
    case SQLITE_NOMEM: return ErrorCode::OutOfMemory;
    case SQLITE_TOOBIG: return ErrorCode::LimitExceeded;
    default: return ErrorCode::Internal;
    }
}

Error error_of(sqlite3* handle, const std::string& path) {
    const int number = handle == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle);
    const char* words = handle == nullptr ? "out of memory" : sqlite3_errmsg(handle);
    const int cause = handle == nullptr ? 0 : sqlite3_system_errno(handle);
    if ((number & 0xFF) == SQLITE_CANTOPEN && (cause == EMFILE || cause == ENFILE)) { // the file is there, and can be read later
        return {ErrorCode::Unavailable, fmt::format("{}: {}", path, std::strerror(cause))};
    }
    switch (number & 0xFF) {
    case SQLITE_FULL: return {ErrorCode::IoFailed, fmt::format("{}: the disk is full; the event was not recorded", path)};
    case SQLITE_NOTADB: return {ErrorCode::ParseFailed, fmt::format("{} is not a recording (no SQLite file)", path)};
    case SQLITE_CORRUPT: return {ErrorCode::ParseFailed, fmt::format("{} is damaged: {}", path, words)};
    default: return {code_of(number), fmt::format("{}: {} (SQLite {})", path, words, number)};
    }
}

} // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), path_(std::move(other.path_)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    std::swap(path_, other.path_);
    return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }

void Statement::bind(int index, std::string_view text) {
    sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind(int index, std::span<const std::uint8_t> blob) {
    if (blob.empty()) {
        sqlite3_bind_zeroblob(statement_, index, 0); // a null pointer would bind NULL
        return;
    }
    sqlite3_bind_blob64(statement_, index, blob.data(), blob.size(), SQLITE_STATIC);
}

Result<bool> Statement::step() {
    switch (sqlite3_step(statement_)) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: return error_of(sqlite3_db_handle(statement_), path_);
    }
}

Result<void> Statement::run() {
    const Result<bool> row = step();
    reset();
    return row ? Result<void>() : Result<void>(row.error());
}

void Statement::reset() { sqlite3_reset(statement_); }

std::string Statement::types() const {
    std::string out;
    for (int column = 0; column < sqlite3_data_count(statement_); ++column) {
        switch (sqlite3_column_type(statement_, column)) {
        case SQLITE_INTEGER: out += 'i'; break;
        case SQLITE_TEXT: out += 't'; break;
        case SQLITE_BLOB: out += 'b'; break;
        case SQLITE_FLOAT: out += 'r'; break;
        default: out += 'n'; break;
        }
    }
    return out;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Statement::text(int column) const {
    const auto* chars = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return chars == nullptr ? std::string_view() : std::string_view(chars, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::span<const std::uint8_t> Statement::blob(int column) const {
    const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return bytes == nullptr ? std::span<const std::uint8_t>() : std::span(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Result<Database> Database::open(const std::filesystem::path& path, Access access) {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(path, problem)) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not a file", path.string())};
    }
    sqlite3* handle = nullptr;
    const int flags = (access == Access::Read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    const int result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    Database database(handle, path.string());
    if (result != SQLITE_OK) {
        return error_of(handle, path.string());
    }
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kBusyMs);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kValueBytesMax);
    // The file may come from a stranger: its schema runs nothing.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    TRY(database.execute("PRAGMA cell_size_check=ON"));
    return database;
}

Database::Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}

Database& Database::operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(path_, other.path_);
    return *this;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Result<void> Database::execute(const char* sql) {
    return sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Result<void>() : Result<void>(error_of(handle_, path_));
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
        return error_of(handle_, path_);
    }
    return Statement(statement, path_);
}

Result<std::int64_t> Database::read_integer(std::string_view sql) {
    Statement statement = TRY(prepare(sql));
    if (!TRY(statement.step())) {
        return Error{ErrorCode::NotFound, fmt::format("{}: no row for {}", path_, sql)};
    }
    return statement.integer(0);
}

Result<std::string> Database::read_text(std::string_view sql) {
    Statement statement = TRY(prepare(sql));
    if (!TRY(statement.step())) {
        return Error{ErrorCode::NotFound, fmt::format("{}: no row for {}", path_, sql)};
    }
    return std::string(statement.text(0));
}

bool Database::has_sync_failed() const {
    const int number = sqlite3_extended_errcode(handle_);
    return number == SQLITE_IOERR_FSYNC || number == SQLITE_IOERR_DIR_FSYNC;
}

} // namespace handeye::sqlite
