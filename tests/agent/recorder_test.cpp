// SPDX-License-Identifier: Apache-2.0
// The session file: what was acknowledged is there, what was changed is found, what is full says so.
#include "agent/recorder.h"
#include "base/file.h"
#include "base/hash.h"
#include "tests/agent/recording_samples.h"

#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace handeye {
namespace {

using tests::TempDir;
using tests::make_event;
using tests::record_sample;

class RawDatabase {
public:
    explicit RawDatabase(const std::filesystem::path& path) { EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK); }
    ~RawDatabase() { sqlite3_close(handle_); }
    RawDatabase(const RawDatabase&) = delete;
    RawDatabase& operator=(const RawDatabase&) = delete;
    void run(const std::string& sql) { ASSERT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle_); }

private:
    sqlite3* handle_ = nullptr;
};

int full_or(int full, int share) { return std::getenv("HANDEYE_FULL") != nullptr ? full : share; }

TEST(Recorder, GivesBackWhatItWasGiven) {
    const TempDir dir;
    const auto file = record_sample(dir.path() / "a.handeye", 5);
    const auto recording = Recording::open(file);
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(recording->session_id(), "S");
    EXPECT_TRUE(recording->is_sealed());
    const auto events = recording->events(1, 100);
    ASSERT_TRUE(events);
    ASSERT_EQ(events->size(), 5U);
    EXPECT_EQ((*events)[2].seq, 3U);
    EXPECT_EQ((*events)[2].type, "test.event");
    const SessionEvent third = make_event(3);
    EXPECT_EQ((*events)[2].data_json, third.data_json);
    const auto bytes = recording->blob(third.blobs[0].sha256_hex);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(*bytes, *third.blobs[0].bytes);
    EXPECT_EQ(recording->verify_chain().value_or(0), 5U);
}

// Written by the first version: must stay readable for ever.
TEST(Recorder, ReadsAFileOfFormatOne) {
    const auto recording = Recording::open(HANDEYE_SOURCE_DIR "/tests/golden/agent/format1.recording");
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(recording->verify_chain().value_or(0), 3U);
    EXPECT_EQ(recording->events(2, 1).value_or(std::vector<StoredEvent>(1))[0].data_json, make_event(2).data_json);
}

TEST(Recorder, ReadsFromAnyPlaceInPages) {
    const TempDir dir;
    const auto recording = Recording::open(record_sample(dir.path() / "a.handeye", 10));
    ASSERT_TRUE(recording);
    const auto page = recording->events(4, 3);
    ASSERT_TRUE(page);
    ASSERT_EQ(page->size(), 3U);
    EXPECT_EQ(page->front().seq, 4U);
    EXPECT_TRUE(recording->events(11, 3).value_or(std::vector<StoredEvent>(1)).empty());
}

TEST(Recorder, KeepsItsFileFromOtherUsers) {
    const TempDir dir;
    const auto file = record_sample(dir.path() / "a.handeye", 1);
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(Recorder, RefusesASecondWriter) {
    const TempDir dir;
    const auto first = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_TRUE(first);
    const auto second = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::Overloaded);
}

TEST(Recorder, ContinuesWhereACrashStopped) {
    const TempDir dir;
    const auto file = record_sample(dir.path() / "a.handeye", 4, tests::Ending::Left);
    {
        const auto again = Recorder::open(file, "S");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ((*again)->on_event(make_event(5)).value_or(0), 5U);
    }
    const auto recording = Recording::open(file);
    ASSERT_TRUE(recording);
    EXPECT_FALSE(recording->is_sealed());
    EXPECT_EQ(recording->verify_chain().value_or(0), 5U);
}

TEST(Recorder, RefusesFilesThatAreNotItsOwn) {
    const TempDir dir;
    ASSERT_TRUE(write_file_atomic(dir.path() / "text", std::string(9000, 'x')));
    EXPECT_EQ(Recorder::open(dir.path() / "text", "S").error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(Recording::open(dir.path() / "text").error().code, ErrorCode::ParseFailed);
    { RawDatabase(dir.path() / "other").run("CREATE TABLE t(x)"); }
    EXPECT_EQ(Recorder::open(dir.path() / "other", "S").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(Recording::open(dir.path() / "other").error().code, ErrorCode::ParseFailed);
    const auto file = record_sample(dir.path() / "a.handeye", 1, tests::Ending::Left);
    EXPECT_EQ(Recorder::open(file, "another").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(Recording::open(dir.path() / "missing").error().code, ErrorCode::NotFound);
    EXPECT_EQ(Recorder::open(dir.path() / "no" / "folder", "S").error().code, ErrorCode::NotFound);
}

TEST(Recorder, AddsNothingToASealedFile) {
    const TempDir dir;
    const auto recorder = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_TRUE(recorder);
    ASSERT_TRUE((*recorder)->on_event(make_event(1)));
    ASSERT_TRUE((*recorder)->seal());
    EXPECT_FALSE((*recorder)->on_event(make_event(2)));
    EXPECT_FALSE(std::filesystem::exists((dir.path() / "a.handeye").string() + "-wal"));
}

TEST(Recorder, RefusesABlobWhoseNameIsNoHash) {
    const TempDir dir;
    const auto recorder = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_TRUE(recorder);
    SessionEvent bad = make_event(1);
    bad.blobs[0].sha256_hex = "zz";
    EXPECT_EQ((*recorder)->on_event(bad).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ((*recorder)->on_event(make_event(1)).value_or(0), 1U); // the refused event left no gap
}

TEST(Recorder, IsFollowedWhileItWrites) {
    const TempDir dir;
    const auto recorder = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_TRUE(recorder);
    ASSERT_TRUE((*recorder)->on_event(make_event(1)));
    const auto reader = Recording::open(dir.path() / "a.handeye");
    ASSERT_TRUE(reader) << reader.error().message;
    for (int i = 2; i < 40; ++i) {
        ASSERT_TRUE((*recorder)->on_event(make_event(i)));
        const auto seen = reader->events(static_cast<std::uint64_t>(i), 1);
        ASSERT_TRUE(seen);
        ASSERT_EQ(seen->size(), 1U); // at once, without waiting
    }
}

TEST(Recorder, FindsEveryEditOfARecord) {
    const TempDir dir;
    const auto original = record_sample(dir.path() / "a.handeye", 20);
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    const char* columns[] = {"t_wall", "type", "data", "prev_hash", "hash"};
    for (int round = 0; round < full_or(10'000, 150); ++round) {
        const auto copy = dir.path() / "b.handeye";
        std::filesystem::copy_file(original, copy, std::filesystem::copy_options::overwrite_existing);
        const unsigned row = random() % 20 + 1;
        {
            RawDatabase raw(copy);
            const unsigned kind = random() % 10;
            const std::string which = " WHERE seq=" + std::to_string(row);
            if (kind == 0) {
                raw.run("DELETE FROM events" + which);
            } else if (kind == 1) {
                raw.run("UPDATE events SET t_mono_ns = t_mono_ns + 1" + which);
            } else if (kind == 2) {
                raw.run("UPDATE events SET seq = seq + 100" + which);
            } else if (kind == 3) {
                raw.run("DELETE FROM blobs WHERE rowid=" + std::to_string(row));
            } else if (kind == 4) {
                raw.run("UPDATE blobs SET bytes = CAST(bytes || 'x' AS BLOB) WHERE rowid=" + std::to_string(row));
            } else {
                // One byte of a column exchanged for another.
                const std::string column = columns[kind - 5];
                const std::string at = std::to_string(1 + random() % 8);
                raw.run("UPDATE events SET " + column + " = substr(" + column + ", 1, " + at + " - 1) || CASE hex(substr(" + column + ", " + at + ", 1)) WHEN '7E' THEN '!' ELSE '~' END || substr(" + column + ", " + at + " + 1)" + which);
            }
        }
        const auto recording = Recording::open(copy);
        ASSERT_TRUE(recording);
        const auto verified = recording->verify_chain();
        ASSERT_FALSE(verified) << "round " << round << " row " << row;
        EXPECT_NE(verified.error().message.find("event " + std::to_string(row)), std::string::npos) << verified.error().message;
    }
}

// The bytes stay the same, so the hash does: one bit in the header of the row.
TEST(Recorder, FindsAValueThatBecameOneOfAnotherType) {
    const TempDir dir;
    for (const char* change : {"data = CAST(data AS BLOB)", "type = CAST(type AS BLOB)", "hash = CAST(hash AS TEXT)"}) {
        const auto file = record_sample(dir.path() / "a.handeye", 5);
        { RawDatabase(file).run(std::string("UPDATE events SET ") + change + " WHERE seq=3"); }
        const auto recording = Recording::open(file);
        ASSERT_TRUE(recording);
        const auto verified = recording->verify_chain();
        ASSERT_FALSE(verified) << change;
        EXPECT_NE(verified.error().message.find("event 3"), std::string::npos) << verified.error().message;
        EXPECT_EQ(recording->events(1, 100).value_or(std::vector<StoredEvent>()).size(), 2U);
        std::filesystem::remove(file);
    }
}

TEST(Recorder, SurvivesAnyDamagedByteAndAnyLength) {
    const TempDir dir;
    const auto original = record_sample(dir.path() / "a.handeye", 20);
    const std::string good = read_file(original, 1U << 26U).value_or("");
    ASSERT_GT(good.size(), 10'000U);
    std::vector<std::string> want;
    for (const StoredEvent& event : Recording::open(original).value().events(1, 100).value_or(std::vector<StoredEvent>())) {
        want.push_back(event.data_json);
    }
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    for (int round = 0; round < full_or(10'000, 300); ++round) {
        std::string bad = good;
        if (round % 4 == 0) {
            bad.resize(random() % good.size());
        } else {
            const std::size_t at = round % 4 == 1 ? random() % 100 : random() % good.size(); // the header is hit often
            bad[at] = static_cast<char>(bad[at] ^ static_cast<char>(1 + random() % 255));
        }
        ASSERT_TRUE(write_file_atomic(dir.path() / "b.handeye", bad));
        const auto recording = Recording::open(dir.path() / "b.handeye");
        if (!recording) {
            EXPECT_FALSE(recording.error().message.empty());
            continue;
        }
        const auto events = recording->events(1, 100);
        for (std::size_t i = 0; events && i < events->size(); ++i) {
            ASSERT_EQ((*events)[i].data_json, want[i]) << "a wrong event was handed out, round " << round;
        }
        const auto verified = recording->verify_chain();
        if (verified) { // the damage lies in unused bytes: then every event must be whole
            EXPECT_EQ(*verified, recording->is_sealed() ? want.size() : *verified);
        }
    }
}

TEST(Recorder, RefusesAnEventThatDoesNotFitAndGoesOnWhenThereIsRoom) {
    const TempDir dir;
    const auto recorder = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_TRUE(recorder);
    ASSERT_TRUE((*recorder)->on_event(make_event(1)));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small{200'000, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto refused = (*recorder)->on_event(make_event(2, 1'000'000));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::IoFailed);
    EXPECT_NE(refused.error().message.find("a.handeye"), std::string::npos) << refused.error().message;
    EXPECT_EQ((*recorder)->on_event(make_event(2)).value_or(0), 2U);
    ASSERT_TRUE((*recorder)->seal());
    EXPECT_EQ(Recording::open(dir.path() / "a.handeye").value().verify_chain().value_or(0), 2U);
}

TEST(Recorder, LeavesNoStubOnAFullDisk) {
    const TempDir dir;
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    for (const rlim_t room : {100, 4096, 8192, 20'000, 60'000}) { // too little for the tables, or for the first event
        const rlimit small{room, before.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
        auto recorder = Recorder::open(dir.path() / "a.handeye", "S");
        const bool is_recorded = recorder && (*recorder)->on_event(make_event(1, 100'000));
        recorder = Error{};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
        EXPECT_FALSE(is_recorded) << room;
        EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << room;
    }
}

TEST(Recording, WithoutADescriptorItIsUnavailableAndNotMissing) {
    const TempDir dir;
    const auto path = tests::record_sample(dir.path() / "a.handeye", 3);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto refused = Recording::open(path);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Unavailable) << refused.error().message;
    EXPECT_TRUE(Recording::open(path));
}

/// What many kills of one writer after the other came to.
struct Killed {
    std::uint64_t events = 0; ///< acknowledged before a kill and found after it, newest file only
    double open_ms_max = 0;
    double bytes_max = 0; ///< of a file with its log
};

// The child prints a number after each acknowledgement; whatever was printed must be in the file. A new file now and then.
Killed kill_again_and_again(const std::filesystem::path& file, int rounds, unsigned seed) {
    constexpr int kRoundsOfAFile = 40;
    std::mt19937 random(seed);
    Killed out;
    for (int round = 0; round < rounds; ++round) {
        if (round % kRoundsOfAFile == 0) {
            for (const char* ending : {"", "-wal", "-shm"}) {
                std::filesystem::remove(file.string() + ending);
            }
            out.events = 0;
        }
        const std::uint64_t acknowledged = tests::run_and_kill(HANDEYE_BINARY_DIR "/bin/recorder_kill", file, std::chrono::microseconds(random() % 60'000));
        const std::uint64_t expected_least = std::max(out.events, acknowledged);
        const auto begin = std::chrono::steady_clock::now();
        const auto recording = Recording::open(file);
        if (!recording) {
            EXPECT_EQ(expected_least, 0U) << "round " << round << ": " << recording.error().message; // killed before the first acknowledgement
            continue;
        }
        out.open_ms_max = std::max(out.open_ms_max, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
        std::error_code folded_in;
        const auto log_bytes = std::filesystem::file_size(file.string() + "-wal", folded_in);
        out.bytes_max = std::max(out.bytes_max, static_cast<double>(std::filesystem::file_size(file) + (folded_in ? 0 : log_bytes)));
        const auto verified = recording->verify_chain();
        EXPECT_TRUE(verified) << "round " << round << ": " << verified.error().message;
        EXPECT_GE(verified.value_or(0), expected_least) << "round " << round;
        out.events = verified.value_or(0);
    }
    return out;
}

// R1. The writers, four at a time, are each other's load.
TEST(Recorder, LosesNoAcknowledgedEventWhenKilled) {
    const TempDir dir;
    const auto seed = std::random_device{}();
    constexpr int kWriters = 4;
    const int rounds = full_or(2000, 40) / kWriters;
    std::vector<Killed> killed(kWriters);
    {
        std::vector<std::jthread> writers;
        for (unsigned i = 0; i < kWriters; ++i) {
            writers.emplace_back([&, i] { killed[i] = kill_again_and_again(dir.path() / (std::to_string(i) + ".handeye"), rounds, seed + i); });
        }
    }
    Killed all;
    for (const Killed& one : killed) {
        EXPECT_GT(one.events, 0U);
        all.events += one.events;
        all.open_ms_max = std::max(all.open_ms_max, one.open_ms_max);
        all.bytes_max = std::max(all.bytes_max, one.bytes_max);
    }
    std::printf("seed %u: %d kills; the slowest open took %.1f ms, the largest file had %.1f MiB\n", seed, rounds * kWriters, all.open_ms_max, all.bytes_max / (1 << 20));
}

} // namespace
} // namespace handeye
