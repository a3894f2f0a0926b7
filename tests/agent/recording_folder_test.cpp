// SPDX-License-Identifier: Apache-2.0
// The folder of recordings: what is listed, what may go, and that nothing else ever does.
#include "agent/recording_folder.h"
#include "base/file.h"
#include "tests/agent/recording_samples.h"

#include <thread>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using tests::TempDir;

constexpr auto kDay = std::chrono::hours(24);
const WallTime kNow{std::chrono::hours(24 * 20'000)};

std::string id(char last) { return std::string(25, '0') + last; }

RecordingEntry entry(char last, int days_old, std::uint64_t bytes = 100) {
    return {.path = id(last) + ".handeye", .session = id(last), .size_bytes = bytes, .changed = kNow - kDay * days_old};
}

std::string victims(const PrunePlan& plan) {
    std::string out;
    for (const PrunePlan::Victim& victim : plan.victims) {
        out += victim.entry.session.back();
    }
    return out;
}

struct Task {
    std::string goal;
    std::string outcome; ///< empty: it was cut off
};

void record(const std::filesystem::path& path, const std::vector<Task>& tasks) {
    auto recorder = Recorder::open(path, path.stem().string());
    ASSERT_TRUE(recorder) << recorder.error().message;
    const auto say = [&](const std::string& type, const std::string& data) {
        SessionEvent event = tests::make_event(1);
        event.type = type;
        event.data_json = data;
        event.blobs.clear();
        ASSERT_TRUE((*recorder)->on_event(event));
    };
    for (const Task& task : tasks) {
        say("task.started", R"({"task":1,"goal":")" + task.goal + "\"}");
        say("task.step_finished", R"({"task":1,"step":1})");
        if (!task.outcome.empty()) {
            say("task.finished", R"({"task":1,"outcome":")" + task.outcome + "\"}");
        }
    }
    ASSERT_TRUE((*recorder)->seal());
}

TEST(PrunePlan, OldOnesGoByAgeOldestFirst) {
    const PrunePlan plan = plan_prune({entry('1', 5), entry('2', 31), entry('3', 90), entry('4', 30)}, {.age_max = kDay * 30}, kNow);
    EXPECT_EQ(victims(plan), "32");
    EXPECT_EQ(plan.left.size(), 2U);
    EXPECT_TRUE(plan.is_enough);
    EXPECT_EQ(plan.victims[0].reason, PruneReason::Age);
}

TEST(PrunePlan, WhatIsFromTheFutureIsNotOldAndTheLastToMakeRoom) {
    EXPECT_EQ(victims(plan_prune({entry('1', -1), entry('2', -36'500), entry('3', 1)}, {.age_max = Duration::zero()}, kNow)), "3");
    EXPECT_EQ(victims(plan_prune({entry('1', -1), entry('2', -36'500), entry('3', 1)}, {.count_max = 1}, kNow)), "31");
}

TEST(PrunePlan, NothingGoesWithoutARule) { EXPECT_EQ(victims(plan_prune({entry('1', 5000)}, {}, kNow)), ""); }

TEST(PrunePlan, TheOldestGoUntilCountAndSizeAreKept) {
    const std::vector<RecordingEntry> all{entry('1', 1), entry('2', 2), entry('3', 3), entry('4', 4)};
    EXPECT_EQ(victims(plan_prune(all, {.count_max = 3}, kNow)), "4");
    EXPECT_EQ(victims(plan_prune(all, {.count_max = 0}, kNow)), "4321");
    EXPECT_EQ(victims(plan_prune(all, {.bytes_max = 299}, kNow)), "43");
    EXPECT_EQ(victims(plan_prune(all, {.bytes_max = 400}, kNow)), "");
    EXPECT_EQ(victims(plan_prune(all, {.age_max = kDay * 3, .count_max = 3, .bytes_max = 200}, kNow)), "43"); // each counts what the others took
}

TEST(PrunePlan, WhatIsOpenKeptOrNamedByAPersonStaysAndItSaysSo) {
    std::vector<RecordingEntry> all{entry('1', 90), entry('2', 90), entry('3', 90), entry('4', 90)};
    all[0].is_open = true;
    all[1].is_kept = true;
    all[2].is_named_by_person = true;
    const PrunePlan plan = plan_prune(all, {.age_max = kDay, .count_max = 2, .bytes_max = 1}, kNow);
    EXPECT_EQ(victims(plan), "4");
    EXPECT_EQ(plan.left.size(), 3U);
    EXPECT_FALSE(plan.is_enough);
    EXPECT_TRUE(plan_prune(all, {.age_max = kDay}, kNow).is_enough); // what is kept may be as old as it likes
}

TEST(PrunePlan, AClockThatWasSetBackMakesNothingOld) { EXPECT_EQ(victims(plan_prune({entry('1', -300)}, {.age_max = Duration::zero()}, kNow)), ""); }

TEST(RecordingFolder, ListsFilesOnlyAndWhatStandsBesideThem) {
    const TempDir dir;
    record(dir.path() / (id('1') + ".handeye"), {});
    record(dir.path() / "mine.handeye", {});
    ASSERT_TRUE(write_file_atomic(dir.path() / "notes.txt", "x"));
    std::filesystem::create_directory(dir.path() / (id('5') + ".handeye"));
    std::filesystem::create_symlink(dir.path() / "notes.txt", dir.path() / (id('6') + ".handeye"));
    const auto open = Recorder::open(dir.path() / (id('2') + ".handeye"), id('2'));
    ASSERT_TRUE(open && (*open)->on_event(tests::make_event(1, 100'000)));
    ASSERT_TRUE(keep_recording(dir.path() / (id('1') + ".handeye"), Keeping::Kept));

    const auto entries = list_recordings(dir.path());
    ASSERT_TRUE(entries) << entries.error().message;
    ASSERT_EQ(entries->size(), 3U);
    for (const RecordingEntry& found : *entries) {
        EXPECT_EQ(found.is_open, found.session == id('2')) << found.session;
        EXPECT_EQ(found.is_kept, found.session == id('1')) << found.session;
        EXPECT_EQ(found.is_named_by_person, found.session == "mine") << found.session;
        EXPECT_FALSE(found.may_go());
        EXPECT_GT(found.size_bytes, found.is_open ? 100'000U : 1'000U); // the log counts
    }
    const auto missing = list_recordings(dir.path() / "none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
    EXPECT_NE(missing.error().message.find("none"), std::string::npos);
}

TEST(RecordingFolder, SummarisesGoalOutcomeAndSteps) {
    const TempDir dir;
    const auto path = dir.path() / (id('1') + ".handeye");
    record(path, {{"Fill it.", "stuck"}, {"Again.", "done"}});
    const auto whole = summarise_recording(path);
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(whole->goal, "Fill it.");
    EXPECT_EQ(whole->outcome, "done");
    EXPECT_EQ(whole->tasks, 2U);
    EXPECT_EQ(whole->steps, 2U);
    EXPECT_TRUE(whole->is_sealed);
    EXPECT_EQ(whole->started, "2026-01-01T00:00:00.001Z");
    record(dir.path() / "b.handeye", {{"Fill it.", "done"}, {"Again.", ""}});
    EXPECT_EQ(summarise_recording(dir.path() / "b.handeye").value().outcome, ""); // the newest was cut off
    ASSERT_TRUE(write_file_atomic(dir.path() / "c.handeye", "junk"));
    const auto junk = summarise_recording(dir.path() / "c.handeye");
    ASSERT_FALSE(junk);
    EXPECT_NE(junk.error().message.find("c.handeye"), std::string::npos);
}

TEST(RecordingFolder, DeletesAFileWithItsLogAndNothingThatIsOpenOrKept) {
    const TempDir dir;
    const auto path = dir.path() / (id('1') + ".handeye");
    {
        const auto open = Recorder::open(path, id('1'));
        ASSERT_TRUE(open && (*open)->on_event(tests::make_event(1)));
        const auto refused = delete_recording(path);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::Overloaded);
        EXPECT_NE(refused.error().message.find(path.string()), std::string::npos);
        ASSERT_TRUE((*open)->on_event(tests::make_event(2))); // unharmed
    }
    ASSERT_TRUE(keep_recording(path, Keeping::Kept));
    ASSERT_TRUE(keep_recording(path, Keeping::Kept)); // twice is no error
    const auto kept = delete_recording(path);
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, ErrorCode::PermissionDenied);
    EXPECT_TRUE(Recording::open(path));
    ASSERT_TRUE(keep_recording(path, Keeping::Free));
    ASSERT_TRUE(write_file_atomic(path.string() + "-wal", "left by a crash"));
    ASSERT_TRUE(delete_recording(path));
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
    EXPECT_EQ(delete_recording(path).error().code, ErrorCode::NotFound);
    EXPECT_EQ(keep_recording(path, Keeping::Kept).error().code, ErrorCode::NotFound);
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(RecordingFolder, ALinkIsNotFollowed) {
    const TempDir dir;
    record(dir.path() / "mine.handeye", {});
    std::filesystem::create_symlink(dir.path() / "mine.handeye", dir.path() / (id('1') + ".handeye"));
    EXPECT_EQ(delete_recording(dir.path() / (id('1') + ".handeye")).error().code, ErrorCode::NotFound);
    EXPECT_TRUE(Recording::open(dir.path() / "mine.handeye"));
}

// Of two who keep and delete at one time one is the first: what keep said stays.
TEST(RecordingFolder, WhatIsSaidToBeKeptIsNotDeletedByWhoCameAtOnce) {
    const TempDir dir;
    const auto path = dir.path() / (id('1') + ".handeye");
    std::jthread deleting([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            (void)delete_recording(path);
        }
    });
    int kept = 0;
    int lost = 0;
    while (kept < 200 || lost < 20) {
        ASSERT_TRUE(write_file_atomic(path, "a recording"));
        const auto said = keep_recording(path, Keeping::Kept);
        if (!said) {
            EXPECT_TRUE(said.error().code == ErrorCode::NotFound || said.error().code == ErrorCode::Overloaded) << said.error().message;
            ++lost;
            continue;
        }
        ++kept;
        EXPECT_EQ(delete_recording(path).error().code == ErrorCode::NotFound, false); // its deleters come and go, the file does not
        ASSERT_TRUE(std::filesystem::is_regular_file(path)) << kept;
        ASSERT_TRUE(keep_recording(path, Keeping::Free));
    }
}

TEST(RecordingFolder, AClaimOfADeleterThatDiedHoldsNothingUp) {
    const TempDir dir;
    const auto path = dir.path() / (id('1') + ".handeye");
    record(path, {});
    std::filesystem::create_symlink("deleting", path.string() + ".keep");
    EXPECT_FALSE(list_recordings(dir.path())->front().is_kept);
    ASSERT_TRUE(keep_recording(path, Keeping::Kept));
    EXPECT_TRUE(list_recordings(dir.path())->front().is_kept);
    ASSERT_TRUE(keep_recording(path, Keeping::Free));
    std::filesystem::create_symlink("deleting", path.string() + ".keep");
    ASSERT_TRUE(delete_recording(path));
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// A recorder that opens while the file is being deleted has either the old file or none of it: never one without its name.
TEST(RecordingFolder, DeletingAndOpeningAtOnceNeverMixes) {
    const TempDir dir;
    const auto path = dir.path() / (id('1') + ".handeye");
    std::jthread deleting([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            (void)delete_recording(path);
        }
    });
    for (int recorded = 0; recorded < 100;) {
        auto recorder = Recorder::open(path, id('1'));
        if (!recorder) {
            ASSERT_EQ(recorder.error().code, ErrorCode::Overloaded) << recorder.error().message;
            continue;
        }
        const auto seq = (*recorder)->on_event(tests::make_event(recorded + 1));
        ASSERT_TRUE(seq) << seq.error().message;
        const auto seen = Recording::open(path);
        ASSERT_TRUE(seen) << seen.error().message;
        ASSERT_EQ(seen->verify_chain().value_or(0), *seq);
        ++recorded;
    }
}

} // namespace
} // namespace handeye
