// SPDX-License-Identifier: Apache-2.0
// SQLite as values: a connection and a statement that close themselves, errors as Result. Inside this folder only.
#pragma once

#include "base/hash.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace handeye::sqlite {

/// Lends the parameters' bytes to SQLite until the next reset(): they must live that long.
class Statement {
public:
    Statement() = default;
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&& other) noexcept;
    ~Statement();

    // Parameters are numbered from 1. A failure shows in step().
    void bind(int index, std::int64_t value);
    void bind(int index, std::string_view text);
    void bind(int index, std::span<const std::uint8_t> blob);
    /// True: a row is there to read; false: done.
    Result<bool> step();
    /// step() once, for statements without rows, then ready for the next parameters.
    Result<void> run();
    void reset();

    /// What is stored in the columns of the row, one letter each: i(nteger), t(ext), b(lob), r(eal), n(ull). Before they are read:
    /// reading may convert.
    [[nodiscard]] std::string types() const;
    // Columns are numbered from 0; the views live until the next step() or reset().
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] std::span<const std::uint8_t> blob(int column) const;

private:
    friend class Database;
    Statement(sqlite3_stmt* statement, std::string path) : statement_(statement), path_(std::move(path)) {}
    sqlite3_stmt* statement_ = nullptr;
    std::string path_;
};

enum class Access { Read, ReadWrite };

class Database {
public:
    /// The file must exist. A file that is no database shows at the first statement.
    static Result<Database> open(const std::filesystem::path& path, Access access);
    Database() = default;
    Database(Database&& other) noexcept;
    Database& operator=(Database&& other) noexcept;
    ~Database();

    Result<void> execute(const char* sql);
    Result<Statement> prepare(std::string_view sql);
    /// The first column of the first row, e.g. of a pragma; NotFound without a row.
    Result<std::int64_t> read_integer(std::string_view sql);
    Result<std::string> read_text(std::string_view sql);
    /// True when the last failure was a failed sync: after one, the kernel may have dropped what it had accepted.
    [[nodiscard]] bool has_sync_failed() const;

private:
    Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
    sqlite3* handle_ = nullptr;
    std::string path_;
};

} // namespace handeye::sqlite
