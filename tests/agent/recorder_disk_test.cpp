// SPDX-License-Identifier: Apache-2.0
// The session file on a disk that fails: what was refused is not there, what was acknowledged is, and the next one may succeed.
#include "agent/recorder.h"
#include "base/file.h"
#include "tests/agent/failing_disk.h"
#include "tests/agent/recording_samples.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using tests::DiskCall;
using tests::FailingDisk;
using tests::ReadMeter;
using tests::TempDir;
using tests::make_event;

constexpr int kEvents = 12;

int full_or(int full, int share) { return std::getenv("HANDEYE_FULL") != nullptr ? full : share; }

// As in a session: some are only written, every third is synced.
SessionEvent event_of(int index) {
    SessionEvent event = make_event(index, static_cast<std::size_t>(index % 3) * 20'000 + 10);
    event.durability = index % 3 == 0 ? Durability::Synced : Durability::Written;
    return event;
}

/// What one try on a failing disk came to.
struct Outcome {
    std::vector<std::string> acknowledged; ///< their data, in order
    std::vector<std::string> refused_last; ///< after the last of those
    int refused = 0;
    std::uint64_t failures = 0;
    bool is_sealed = false;
};

void expect_names_the_file(const Error& error, const std::filesystem::path& file) {
    EXPECT_EQ(error.code, ErrorCode::IoFailed) << error.message;
    EXPECT_NE(error.message.find(file.filename().string()), std::string::npos) << error.message;
}

Outcome record_on(const std::filesystem::path& file, int error, const std::function<bool(DiskCall, std::uint64_t)>& fails) {
    Outcome out;
    const FailingDisk disk(error, fails);
    auto recorder = Recorder::open(file, "S");
    if (!recorder) {
        expect_names_the_file(recorder.error(), file);
        out.failures = FailingDisk::failures();
        return out;
    }
    bool is_over = false; // a sync has failed: it takes nothing more
    for (int i = 1; i <= kEvents; ++i) {
        const SessionEvent event = event_of(i);
        const auto seq = (*recorder)->on_event(event);
        if (seq) {
            EXPECT_FALSE(is_over) << "took an event after a failed sync";
            out.acknowledged.push_back(event.data_json);
            out.refused_last.clear();
            EXPECT_EQ(*seq, out.acknowledged.size()); // a refused event leaves no gap
        } else {
            expect_names_the_file(seq.error(), file);
            is_over = is_over || seq.error().message.find("start a new recording") != std::string::npos;
            out.refused_last.push_back(event.data_json);
            ++out.refused;
        }
    }
    out.is_sealed = (*recorder)->seal().has_value();
    out.failures = FailingDisk::failures();
    return out;
}

void expect_all_there(const std::filesystem::path& file, const Outcome& outcome, const std::string& what) {
    const auto recording = Recording::open(file);
    if (outcome.acknowledged.empty() && !recording) {
        return;
    }
    ASSERT_TRUE(recording) << what << ": " << recording.error().message;
    const auto verified = recording->verify_chain();
    ASSERT_TRUE(verified) << what << ": " << verified.error().message;
    const auto events = recording->events(1, 100);
    ASSERT_TRUE(events);
    ASSERT_GE(events->size(), outcome.acknowledged.size()) << what;
    for (std::size_t i = 0; i < outcome.acknowledged.size(); ++i) {
        ASSERT_EQ((*events)[i].data_json, outcome.acknowledged[i]) << what;
    }
    // Its sync failed, say, and the log that it stands in could not be folded in: then it is there, whole, and the last.
    if (events->size() > outcome.acknowledged.size()) {
        const auto& last = outcome.refused_last;
        ASSERT_EQ(events->size(), outcome.acknowledged.size() + 1) << what;
        ASSERT_NE(std::find(last.begin(), last.end(), events->back().data_json), last.end()) << what;
    }
    EXPECT_TRUE(recording->is_sealed() || !outcome.is_sealed) << what;
}

class DiskFault : public ::testing::TestWithParam<int> {};

// Every call that a recording makes fails once, each in its turn (every twelfth, unless all are asked for); half of the writes are torn.
TEST_P(DiskFault, AtEveryCallRefusesAndLosesNothing) {
    const TempDir dir;
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    const auto stride = static_cast<unsigned>(full_or(1, 12));
    int refusals = 0;
    std::uint64_t at = seed % stride;
    for (;; at += stride) {
        const auto file = dir.path() / (std::to_string(at) + ".handeye");
        const Outcome outcome = record_on(file, GetParam(), [at](DiskCall, std::uint64_t number) { return number == at; });
        const std::string what = "call " + std::to_string(at);
        expect_all_there(file, outcome, what);
        ASSERT_FALSE(HasFatalFailure());
        if (outcome.failures == 0) {
            ASSERT_EQ(outcome.acknowledged.size(), static_cast<std::size_t>(kEvents));
            ASSERT_TRUE(outcome.is_sealed);
            break;
        }
        refusals += outcome.refused;
    }
    std::printf("up to call %llu, %d events refused\n", static_cast<unsigned long long>(at), refusals);
    EXPECT_GT(at, 30U);
    EXPECT_GT(refusals, 0);
}

TEST_P(DiskFault, AtRandomManyTimesRefusesAndLosesNothing) {
    const TempDir dir;
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    for (int round = 0; round < full_or(2000, 60); ++round) {
        const auto file = dir.path() / "r.handeye";
        const double share = std::uniform_real_distribution<>(0.01, 0.5)(random);
        const Outcome outcome = record_on(file, GetParam(), [&](DiskCall call, std::uint64_t) {
            return std::bernoulli_distribution(call == DiskCall::Sync ? share / 8 : share)(random);
        });
        expect_all_there(file, outcome, "round " + std::to_string(round));
        ASSERT_FALSE(HasFatalFailure());
        for (const char* ending : {"", "-wal", "-shm"}) {
            std::filesystem::remove(file.string() + ending);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Errors, DiskFault, ::testing::Values(ENOSPC, EIO),
                         [](const auto& row) { return row.param == EIO ? std::string("Eio") : std::string("Enospc"); });

TEST(DiskFaults, AfterAFailedSyncNothingIsTakenAndANewFileWorks) {
    const TempDir dir;
    const auto recorder = Recorder::open(dir.path() / "a.handeye", "S");
    ASSERT_TRUE(recorder);
    ASSERT_TRUE((*recorder)->on_event(event_of(3)));
    {
        const FailingDisk disk(EIO, [](DiskCall call, std::uint64_t) { return call == DiskCall::Sync; });
        expect_names_the_file((*recorder)->on_event(event_of(6)).error(), "a.handeye");
    }
    const auto refused = (*recorder)->on_event(event_of(7)); // the disk is well again; what the kernel dropped is not known
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("start a new recording"), std::string::npos) << refused.error().message;
    const auto next = Recorder::open(dir.path() / "b.handeye", "S");
    ASSERT_TRUE(next);
    EXPECT_TRUE((*next)->on_event(event_of(3)));
}

// Sealing makes one plain file of file and log; each of its calls fails once, and every one from there on.
TEST(DiskFaults, ASealThatFailsLeavesAFileThatOpens) {
    const TempDir dir;
    for (const bool is_lasting : {false, true}) {
        for (std::uint64_t at = 0;; ++at) {
            const auto file = dir.path() / "a.handeye";
            auto recorder = Recorder::open(file, "S");
            ASSERT_TRUE(recorder) << recorder.error().message;
            for (int i = 1; i <= 4; ++i) {
                ASSERT_TRUE((*recorder)->on_event(event_of(i)));
            }
            std::uint64_t failures = 0;
            {
                const FailingDisk disk(EIO, [&](DiskCall, std::uint64_t number) { return is_lasting ? number >= at : number == at; });
                (void)(*recorder)->seal();
                recorder = Error{};
                failures = FailingDisk::failures();
            }
            const auto recording = Recording::open(file);
            ASSERT_TRUE(recording) << "call " << at << ": " << recording.error().message;
            ASSERT_EQ(recording->verify_chain().value_or(0), 4U) << "call " << at;
            for (const char* ending : {"", "-wal", "-shm", "-journal"}) {
                std::filesystem::remove(file.string() + ending);
            }
            if (failures == 0) {
                ASSERT_GT(at, 5U);
                break;
            }
        }
    }
}

/// `name` and its log as they are while it is written: as a crash leaves them.
std::filesystem::path crash_copy(const std::filesystem::path& file, const std::filesystem::path& copy) {
    for (const char* ending : {"", "-wal"}) {
        std::filesystem::copy_file(file.string() + ending, copy.string() + ending, std::filesystem::copy_options::overwrite_existing);
    }
    return copy;
}

// R1: opening is no repair of the whole: what is read depends on the log that a crash left, not on the file.
TEST(Opening, ReadsTheLogOfACrashAndNotTheWholeFile) {
    const TempDir dir;
    const std::uint64_t want_bytes = static_cast<std::uint64_t>(full_or(300, 96)) << 20U;
    constexpr std::size_t kFrame = 1'500'000;
    const auto file = dir.path() / "a.handeye";
    auto recorder = Recorder::open(file, "S");
    ASSERT_TRUE(recorder);
    int count = 0;
    while (std::filesystem::file_size(file) < want_bytes) {
        ASSERT_TRUE((*recorder)->on_event(make_event(++count, kFrame)));
    }
    for (const bool is_crashed : {true, false}) {
        const auto path = is_crashed ? crash_copy(file, dir.path() / "b.handeye") : file;
        if (!is_crashed) {
            ASSERT_TRUE((*recorder)->seal());
            recorder = Error{};
        }
        const std::uint64_t log = is_crashed ? std::filesystem::file_size(path.string() + "-wal") : 0;
        const ReadMeter meter;
        const auto begin = std::chrono::steady_clock::now();
        const auto recording = Recording::open(path);
        ASSERT_TRUE(recording) << recording.error().message;
        const auto last = recording->events(static_cast<std::uint64_t>(count), 10);
        const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
        ASSERT_TRUE(last) << last.error().message;
        ASSERT_EQ(last->size(), 1U);
        const double gibi = static_cast<double>(std::filesystem::file_size(path)) / (1U << 30U);
        std::printf("%s: %.2f GiB, %.1f MiB of log: open and last event in %.2f ms, %.2f ms per GiB, %.2f MiB read\n", is_crashed ? "crashed" : "sealed", gibi,
                    static_cast<double>(log) / (1U << 20U), took, took / gibi, static_cast<double>(ReadMeter::bytes()) / (1U << 20U));
        EXPECT_LT(ReadMeter::bytes(), log + log / 8 + (2U << 20U));
    }
}

} // namespace
} // namespace handeye
