// SPDX-License-Identifier: Apache-2.0
// A session file with damaged bytes: every edit of the event table is found, and what is handed out is the longest whole beginning.
#include "agent/recorder.h"
#include "base/file.h"
#include "tests/agent/recording_samples.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace handeye {
namespace {

using tests::TempDir;

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kWalHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;

int full_or(int full, int share) { return std::getenv("HANDEYE_FULL") != nullptr ? full : share; }

/// What a plain scan of a query finds, with the values' types; `is_whole`: SQLite came to its end.
struct Rows {
    std::vector<std::string> rows;
    bool is_whole = false;
};

Rows scan(const std::filesystem::path& file, const char* sql) {
    Rows out;
    sqlite3* database = nullptr;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK &&
        sqlite3_exec(database, "PRAGMA cell_size_check=ON", nullptr, nullptr, nullptr) == SQLITE_OK &&
        sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) == SQLITE_OK) {
        int step = 0;
        while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
            out.rows.emplace_back(text == nullptr ? "" : text);
        }
        out.is_whole = step == SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return out;
}

constexpr const char* kTable =
    "SELECT typeof(seq) || quote(seq) || typeof(t_wall) || hex(t_wall) || typeof(t_mono_ns) || quote(t_mono_ns) || typeof(type) || hex(type) || "
    "typeof(data) || hex(data) || typeof(prev_hash) || hex(prev_hash) || typeof(hash) || hex(hash) FROM events NOT INDEXED";

/// Session "S"; some events are longer than a page.
std::filesystem::path record_long(const std::filesystem::path& path, int count) {
    const auto recorder = Recorder::open(path, "S");
    CHECK(recorder.has_value());
    for (int i = 1; i <= count; ++i) {
        SessionEvent event = tests::make_event(i);
        event.blobs.clear();
        event.data_json = "{\"index\":" + std::to_string(i) + ",\"text\":\"" + std::string(i % 9 == 0 ? 9000U : 200U, static_cast<char>('a' + i % 26)) + "\"}";
        CHECK((*recorder)->on_event(event).has_value());
    }
    CHECK((*recorder)->seal().has_value());
    return path;
}

/// Exchanges one byte of a file for as long as it lives.
class OneByte {
public:
    OneByte(const std::filesystem::path& file, std::size_t at, unsigned char change) : file_(file), at_(static_cast<std::streamoff>(at)), change_(change) { exchange(); }
    ~OneByte() { exchange(); }
    OneByte(const OneByte&) = delete;
    OneByte& operator=(const OneByte&) = delete;

private:
    void exchange() const {
        std::fstream stream(file_, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(at_);
        const auto byte = static_cast<char>(stream.get() ^ change_);
        stream.seekp(at_);
        stream.put(byte);
        CHECK(stream.good());
    }
    const std::filesystem::path file_;
    const std::streamoff at_;
    const unsigned char change_;
};

std::vector<std::string> handed_out(const std::filesystem::path& file) {
    std::vector<std::string> out;
    if (const auto recording = Recording::open(file); recording) {
        for (const StoredEvent& event : recording->events(1, 1000).value_or(std::vector<StoredEvent>())) {
            out.push_back(event.data_json);
        }
    }
    return out;
}

std::size_t common_beginning(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// S24. A byte of a page counts as an edit of the table where a plain scan then finds another table, or none.
TEST(Damage, EverySingleByteEditOfTheEventTableIsFound) {
    const TempDir dir;
    const auto file = record_long(dir.path() / "a.handeye", 60);
    std::vector<std::size_t> pages;
    for (const std::string& page : scan(file, "SELECT pageno FROM dbstat WHERE name='events'").rows) {
        pages.push_back(std::stoul(page) - 1);
    }
    ASSERT_GT(pages.size(), 10U);
    const Rows good = scan(file, kTable);
    const std::vector<std::string> want = handed_out(file);
    ASSERT_TRUE(good.is_whole);
    ASSERT_EQ(good.rows.size(), 60U);
    ASSERT_EQ(want.size(), 60U);
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    int edits = 0;
    int idle = 0;
    for (const int enough = full_or(10'000, 200); edits < enough;) {
        const std::size_t at = pages[random() % pages.size()] * kPageBytes + random() % kPageBytes;
        const OneByte damage(file, at, static_cast<unsigned char>(1 + random() % 255));
        const std::string what = "byte " + std::to_string(at);
        const Rows bad = scan(file, kTable);
        const std::vector<std::string> got = handed_out(file);
        const auto recording = Recording::open(file);
        const auto verified = recording ? recording->verify_chain() : Result<std::uint64_t>(recording.error());
        const bool is_edit = !bad.is_whole || bad.rows != good.rows;
        ASSERT_EQ(common_beginning(got, want), got.size()) << what << ": a wrong event was handed out";
        if (is_edit) {
            ASSERT_FALSE(verified) << what;
            ASSERT_NE(verified.error().message.find("a.handeye"), std::string::npos) << verified.error().message;
            ASSERT_GE(got.size(), std::min(common_beginning(bad.rows, good.rows), want.size())) << what << ": whole events were held back";
        }
        edits += is_edit ? 1 : 0;
        idle += is_edit ? 0 : 1;
    }
    std::printf("%d edits, all found; %d times the byte was one that the table does not use\n", edits, idle);
}

/// The log of a recording that was not closed: where its commits are.
class Log {
public:
    explicit Log(std::string bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] const std::string& bytes() const { return bytes_; }
    /// Commits that lie wholly before this byte; the first one made the tables.
    [[nodiscard]] std::size_t commits_before(std::size_t at) const {
        constexpr std::size_t kFrame = kFrameHeaderBytes + kPageBytes;
        std::size_t count = 0;
        for (std::size_t frame = kWalHeaderBytes; frame + kFrame <= std::min(at, bytes_.size()); frame += kFrame) {
            count += bytes_.compare(frame + 4, 4, std::string(4, '\0')) != 0 ? 1 : 0; // the size of the database, where a commit ends
        }
        return at <= kWalHeaderBytes ? 0 : count;
    }

private:
    std::string bytes_;
};

// R3, for a file that a crash left: its events lie in the log.
TEST(Damage, ADamagedLogYieldsEveryEventBeforeTheDamage) {
    const TempDir dir;
    const auto file = dir.path() / "a.handeye";
    auto recorder = Recorder::open(file, "S");
    ASSERT_TRUE(recorder);
    std::vector<std::string> want;
    for (int i = 1; i <= 25; ++i) {
        ASSERT_TRUE((*recorder)->on_event(tests::make_event(i, static_cast<std::size_t>(i % 4) * 3000 + 10)));
        want.push_back(tests::make_event(i, static_cast<std::size_t>(i % 4) * 3000 + 10).data_json);
    }
    const std::string database = read_file(file, 1U << 26U).value_or("");
    const Log log(read_file(file.string() + "-wal", 1U << 26U).value_or(""));
    recorder = Error{};
    ASSERT_EQ(log.commits_before(log.bytes().size()), 26U);
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    for (int round = 0; round < full_or(10'000, 200); ++round) {
        const auto copy = dir.path() / "b.handeye";
        std::string bad = log.bytes();
        const std::size_t at = random() % bad.size();
        if (round % 3 == 0) {
            bad.resize(at);
        } else {
            bad[at] = static_cast<char>(bad[at] ^ static_cast<char>(1 + random() % 255));
        }
        std::ofstream(copy, std::ios::binary) << database;
        std::ofstream(copy.string() + "-wal", std::ios::binary) << bad;
        std::filesystem::remove(copy.string() + "-shm");
        const std::vector<std::string> got = handed_out(copy);
        const std::size_t commits = log.commits_before(at);
        ASSERT_EQ(common_beginning(got, want), got.size()) << "a wrong event was handed out, byte " << at;
        ASSERT_EQ(got.size(), commits > 0 ? commits - 1 : 0) << "byte " << at << " of " << bad.size();
        if (commits > 0) {
            EXPECT_EQ(Recording::open(copy).value().verify_chain().value_or(0), got.size());
        } else {
            EXPECT_FALSE(Recording::open(copy)); // with an error, not with an empty recording
        }
    }
}

} // namespace
} // namespace handeye
