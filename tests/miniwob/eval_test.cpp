// SPDX-License-Identifier: Apache-2.0
// What an evaluation counts, and what it takes from pages, journals and people.
#include "apps/miniwob/fetch.h"
#include "apps/miniwob/journal.h"
#include "apps/miniwob/pages.h"
#include "apps/miniwob/summary.h"
#include "apps/miniwob/task_page.h"
#include "base/file.h"
#include "base/json.h"
#include "base/wilson.h"
#include "tests/miniwob/promises.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A folder of the test's own, away again at its end.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "handeye-eval-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() {
        std::error_code problem;
        fs::remove_all(path_, problem);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

EpisodeResult episode(const std::string& task, std::uint64_t seed, Ending ending, double reward) {
    return {.task = task, .seed = seed, .ending = ending, .raw_reward = reward, .steps = 3, .model_calls = 4, .tokens = 500, .seconds = 1.5, .reason = "because", .goal = "Click \"ok\"."};
}

TEST(MiniWobTasks, EachOfThe125StandsInOneGroupWithAReason) {
    std::set<std::string_view> names;
    for (const Task& task : tasks()) {
        EXPECT_TRUE(names.insert(task.name).second) << task.name << " twice";
        EXPECT_NE(group_name(task.group), "") << task.name;
        EXPECT_FALSE(task.why.empty()) << task.name;
        EXPECT_EQ(find_task(task.name), &task);
        EXPECT_EQ(task.group == Group::OneClick, task.input == "click") << task.name;
    }
    EXPECT_EQ(names.size(), 125U);
    for (const Exception& exception : exceptions()) {
        EXPECT_NE(find_task(exception.name), nullptr) << exception.name;
    }
}

TEST(MiniWobTasks, StandInTheDocumentationUnderTheirGroup) {
    const Result<std::string> page = read_file(fs::path(HANDEYE_SOURCE_DIR) / "docs" / "evaluation.md", 1U << 20U);
    ASSERT_TRUE(page) << page.error().message;
    for (const Group group : groups()) {
        const std::string head = fmt::format("\n**{}** (", group_name(group));
        const std::size_t begin = page->find(head);
        ASSERT_NE(begin, std::string::npos) << group_name(group);
        const std::string part = page->substr(begin, page->find("\n\n", begin) - begin);
        for (const Task& task : tasks()) {
            const bool is_named = part.find(fmt::format(" {}", task.name)) != std::string::npos;
            EXPECT_TRUE(task.group != group || is_named) << task.name;
        }
    }
}

TEST(MiniWobTasks, AreChosenByNameAndByGroup) {
    EXPECT_EQ(choose_tasks("")->size(), 125U);
    const auto chosen = choose_tasks("use-slider,one-click,click-test");
    ASSERT_TRUE(chosen) << chosen.error().message;
    EXPECT_EQ(chosen->size(), 19U);
    for (const std::string_view wrong : {"click-tset", "one-click,", ",", "click-test,,click-link", "One-Click"}) {
        EXPECT_FALSE(choose_tasks(wrong)) << wrong;
    }
    EXPECT_NE(choose_tasks("click-tset").error().message.find("did you mean \"click-test\""), std::string::npos);
    EXPECT_EQ(choose_tasks(std::string(1U << 20U, 'a')).error().code, ErrorCode::LimitExceeded);
}

TEST(MiniWobCounting, TheIntervalIsWilsons) {
    struct Known {
        std::int64_t solved, episodes;
        double low, high; // as statsmodels.stats.proportion.proportion_confint(method="wilson") has them
    };
    for (const Known& known : {Known{0, 10, 0.0, 0.277533}, Known{10, 10, 0.722467, 1.0}, Known{1, 1, 0.206549, 1.0}, Known{5, 10, 0.236593, 0.763407}, Known{47, 50, 0.837829, 0.979385},
                               Known{3125, 6250, 0.487608, 0.512392}}) {
        Tally tally;
        for (std::int64_t i = 0; i < known.episodes; ++i) {
            tally.add(episode("click-test", 1, i < known.solved ? Ending::Solved : Ending::Wrong, i < known.solved ? 1 : -1));
        }
        const ShareInterval interval = wilson_interval(tally.solved, tally.episodes);
        EXPECT_NEAR(interval.low, known.low, 1e-6) << known.solved << " of " << known.episodes;
        EXPECT_NEAR(interval.high, known.high, 1e-6) << known.solved << " of " << known.episodes;
    }
}

TEST(MiniWobCounting, OnlyTheWholeRewardIsSuccess) {
    const std::vector<EpisodeResult> results{episode("click-test", 1, Ending::Solved, 1), episode("click-test", 2, Ending::Partial, 0.5), episode("click-test", 3, Ending::Wrong, -1),
                                             episode("use-slider", 1, Ending::SaidDone, 0)};
    const Summary summary = summarise(results);
    EXPECT_EQ(summary.all.episodes, 4);
    EXPECT_EQ(summary.all.solved, 1);
    EXPECT_EQ(summary.all.positive, 2);
    EXPECT_DOUBLE_EQ(summary.all.rewards, 0.5);
    EXPECT_EQ(summary.all.steps, 12);
    ASSERT_EQ(summary.groups.size(), 2U);
    EXPECT_EQ(summary.groups[0].name, "one-click");
    EXPECT_EQ(summary.groups[1].tally.solved, 0);
    EXPECT_DOUBLE_EQ(summary.macro_rate, 1.0 / 3 / 2);
    const json document = to_json(summary);
    EXPECT_EQ(document["all"]["successes"], 1);
    EXPECT_EQ(document["all"]["outcomes"]["partial"], 1);
    EXPECT_EQ(document["tasks"].size(), 2U);
    EXPECT_NE(to_markdown(summary, "x").find("| one-click | 3 | 1 | 33.3 |"), std::string::npos) << to_markdown(summary, "x");
}

TEST(MiniWobPage, TakesRewardsAndGoalsOnlyAsTheyMayBe) {
    EXPECT_TRUE(read_state(json::parse(R"({"over":true,"reward":1,"told":"1","reason":""})"))->is_over);
    EXPECT_EQ(read_state(json::parse(R"({"over":true,"reward":0.9999999999999998})"))->raw_reward, 1); // as pages sum it up
    EXPECT_EQ(read_state(json::parse(R"({"over":true,"reward":0.999})"))->raw_reward, 0.999);
    EXPECT_FALSE(read_state(json::object())->is_task);
    const std::vector<const char*> wrong{R"([])", R"(null)", R"("x")", R"({"over":1,"reward":1})", R"({"reward":1})", R"({"over":true,"reward":null,"told":"NaN"})", R"({"over":true,"reward":"1"})",
                                         R"({"over":true,"reward":7})", R"({"over":true,"reward":-1.5})", R"({"over":true,"reward":1e308})", R"({"over":true})", R"({"over":true,"reward":true})"};
    for (const char* const text : wrong) {
        const Result<PageState> state = read_state(json::parse(text));
        ASSERT_FALSE(state) << text;
        EXPECT_EQ(state.error().code, ErrorCode::ParseFailed);
    }
    EXPECT_NE(read_state(json::parse(wrong[5])).error().message.find("NaN"), std::string::npos);

    EXPECT_EQ(*read_goal(json::parse(R"({"text":"Click ok.","length":9})")), "Click ok.");
    for (const char* const text : {R"({})", R"(null)", R"({"text":""})", R"({"text":5,"length":1})", R"({"text":"a"})", R"({"text":"a","length":-1})"}) {
        EXPECT_FALSE(read_goal(json::parse(text))) << text;
    }
    EXPECT_EQ(read_goal({{"text", std::string(kGoalBytesMax + 1, 'a')}, {"length", 10'000'000}}).error().code, ErrorCode::LimitExceeded);
}

TEST(MiniWobJournal, GoesOnWhereItWasLeftAndCutsOffHalfALine) {
    const Folder folder;
    const json settings{{"model", "abc"}, {"max_steps", 15}};
    {
        auto journal = Journal::open(folder.path() / "run", settings);
        ASSERT_TRUE(journal) << journal.error().message;
        ASSERT_TRUE((*journal)->add(episode("click-test", 1, Ending::Solved, 1)));
        ASSERT_TRUE((*journal)->add(episode("click-test", 2, Ending::Wrong, -1)));
        EXPECT_EQ(Journal::open(folder.path() / "run", settings).error().code, ErrorCode::Unavailable); // one writer
    }
    std::ofstream(folder.path() / "run" / kEpisodesFile, std::ios::app) << R"({"task":"click-test","seed":3,"outc)";
    auto journal = Journal::open(folder.path() / "run", settings);
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_EQ((*journal)->results().size(), 2U);
    EXPECT_TRUE((*journal)->has("click-test", 2));
    EXPECT_FALSE((*journal)->has("click-test", 3));
    ASSERT_TRUE((*journal)->add(episode("click-test", 3, Ending::NotOver, 0)));
    journal = Error{ErrorCode::Internal, ""}; // lets go of the folder
    const auto again = Journal::open(folder.path() / "run", settings);
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ((*again)->results().size(), 3U);
    EXPECT_EQ((*again)->results()[2].ending, Ending::NotOver);
    EXPECT_EQ((*again)->results()[0].goal, "Click \"ok\".");
}

TEST(MiniWobJournal, RefusesOtherSettingsByName) {
    const Folder folder;
    ASSERT_TRUE(Journal::open(folder.path(), {{"model", "abc"}, {"max_steps", 15}}));
    const auto other = Journal::open(folder.path(), {{"model", "xyz"}, {"max_steps", 15}, {"scale", 2.0}});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(other.error().message.find("model was abc and is xyz now"), std::string::npos) << other.error().message;
    EXPECT_NE(other.error().message.find("scale was not set and is 2.0 now"), std::string::npos) << other.error().message;
    EXPECT_EQ(other.error().message.find("max_steps"), std::string::npos);
}

TEST(MiniWobJournal, LeavesLinksAndTheFoldersOfOthersAlone) {
    const Folder folder;
    const fs::path precious = folder.path() / "precious", run = folder.path() / "run";
    ASSERT_TRUE(write_file_atomic(precious, "not a line of ours"));
    fs::create_directory(run);
    for (const char* const name : {kEpisodesFile, "summary.json"}) {
        fs::create_symlink(precious, run / name);
        const auto refused = Journal::open(run, json::object());
        ASSERT_FALSE(refused) << name;
        EXPECT_NE(refused.error().message.find(name), std::string::npos) << refused.error().message;
        fs::remove(run / name);
    }
    EXPECT_EQ(*read_file(precious, 100), "not a line of ours");

    ASSERT_TRUE(write_file_atomic(run / "thesis.txt", "words"));
    const auto strange = Journal::open(run, json::object());
    ASSERT_FALSE(strange);
    EXPECT_NE(strange.error().message.find("holds no evaluation"), std::string::npos) << strange.error().message;
    EXPECT_FALSE(fs::exists(run / kSettingsFile));
}

TEST(MiniWobJournal, ReadsBackWhateverAModelSaid) {
    EpisodeResult chatty = episode("click-test", 1, Ending::SaidFail, -1);
    chatty.reason = std::string(1U << 20U, 'x');
    const auto back = from_json(to_json(chatty));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->reason.size(), 2000U);
}

TEST(MiniWobJournal, RefusesDamagedLinesByNumber) {
    const json good = to_json(episode("click-test", 1, Ending::Solved, 1));
    EXPECT_EQ(from_json(good)->steps, 3);
    const std::vector<json> patches{{{"task", "click-nothing"}}, {{"seed", -1}},  {{"seed", "1"}}, {{"outcome", "fine"}}, {{"raw_reward", 7}},
                                    {{"raw_reward", 0.5}},       {{"steps", -3}}, {{"seconds", nullptr}}};
    for (const json& patch : patches) {
        json bad = good;
        bad.merge_patch(patch);
        EXPECT_FALSE(from_json(bad)) << patch;
    }
    const Folder folder;
    ASSERT_TRUE(Journal::open(folder.path(), json::object()));
    std::ofstream(folder.path() / kEpisodesFile) << good.dump() << "\n" << "rubbish\n";
    const auto damaged = Journal::open(folder.path(), json::object());
    ASSERT_FALSE(damaged);
    EXPECT_NE(damaged.error().message.find("episodes.jsonl line 2"), std::string::npos) << damaged.error().message;
}

TEST(MiniWobPages, AreNamedWithHowToGetThemWhereTheyAreMissing) {
    const Folder folder;
    const auto missing = find_pages(folder.path().string(), tasks().size() > 0 ? *choose_tasks("click-test") : std::vector<const Task*>());
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("--fetch"), std::string::npos) << missing.error().message;
    fs::create_directories(folder.path() / "html" / "core");
    fs::create_directories(folder.path() / "html" / "miniwob");
    std::ofstream(folder.path() / "html" / "core" / "core.js") << "var core = {};";
    std::ofstream(folder.path() / "html" / "miniwob" / "click-test.html") << "<p>";
    const auto found = find_pages(folder.path().string(), *choose_tasks("click-test"));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->folder, fs::canonical(folder.path() / "html"));
    EXPECT_NE(find_pages(folder.path().string(), *choose_tasks("click-link")).error().message.find("click-link"), std::string::npos);
    std::ofstream(folder.path() / "html" / "miniwob" / "click-test.html") << "<p>other";
    EXPECT_NE(find_pages(folder.path().string(), *choose_tasks("click-test"))->sum, found->sum);
}

struct Packed {
    std::string name;
    std::string text;
    unsigned kind = AE_IFREG;
};

/// A zip file as the library writes it, whatever the names are.
std::vector<std::uint8_t> wheel_of(const std::vector<Packed>& files) {
    std::vector<std::uint8_t> bytes(8U << 20U);
    std::size_t used = 0;
    archive* const out = archive_write_new();
    archive_write_set_format_zip(out);
    archive_write_open_memory(out, bytes.data(), bytes.size(), &used);
    for (const Packed& file : files) {
        archive_entry* const entry = archive_entry_new();
        archive_entry_set_pathname(entry, file.name.c_str());
        archive_entry_set_filetype(entry, file.kind);
        archive_entry_set_perm(entry, 0644);
        if (file.kind == AE_IFLNK) {
            archive_entry_set_symlink(entry, file.text.c_str());
        }
        archive_entry_set_size(entry, file.kind == AE_IFREG ? static_cast<la_int64_t>(file.text.size()) : 0);
        archive_write_header(out, entry);
        archive_write_data(out, file.text.data(), file.kind == AE_IFREG ? file.text.size() : 0);
        archive_entry_free(entry);
    }
    archive_write_free(out);
    bytes.resize(used);
    return bytes;
}

std::size_t count_files(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::recursive_directory_iterator(folder), fs::recursive_directory_iterator()));
}

TEST(MiniWobWheel, GivesItsPagesAndLicenceAlone) {
    const Folder folder;
    const auto wheel = wheel_of({{"miniwob/__init__.py", "import os"}, {"miniwob/html/core/core.js", "core"}, {"miniwob/html/miniwob/click-test.html", "<p>"},
                                 {"miniwob-1.1.0.dist-info/LICENSE", "MIT"}, {"miniwob/html/flight/", "", AE_IFDIR}});
    const Result<int> pages = unpack_pages(wheel, folder.path());
    ASSERT_TRUE(pages) << pages.error().message;
    EXPECT_EQ(*pages, 1);
    EXPECT_EQ(*read_file(folder.path() / "html" / "miniwob" / "click-test.html", 100), "<p>");
    EXPECT_TRUE(fs::exists(folder.path() / "LICENSE"));
    EXPECT_FALSE(fs::exists(folder.path() / "html" / "__init__.py"));
}

TEST(MiniWobWheel, WritesNothingOutsideItsFolder) {
    for (const Packed& bad : {Packed{"miniwob/html/../../../evil.html", "x"}, Packed{"miniwob/html/a/../../b.html", "x"}, Packed{"miniwob/html//etc/evil.html", "x"}, Packed{"miniwob/html/.hidden", "x"},
                              Packed{"miniwob/html/a\\b.html", "x"}, Packed{"miniwob/html/a\nb.html", "x"}, Packed{"miniwob/html/link.html", "/etc/passwd", AE_IFLNK}}) {
        const Folder folder;
        const fs::path inside = folder.path() / "a" / "b" / "c";
        fs::create_directories(inside);
        const std::size_t before = count_files(folder.path());
        const Result<int> pages = unpack_pages(wheel_of({bad}), inside);
        ASSERT_FALSE(pages) << bad.name;
        EXPECT_EQ(pages.error().code, ErrorCode::InvalidArgument) << bad.name << ": " << pages.error().message;
        EXPECT_EQ(count_files(folder.path()), before) << bad.name;
    }
}

TEST(MiniWobWheel, StaysWithinItsLimits) {
    const Folder folder;
    const UnpackLimits small{.wheel_bytes_max = 1U << 20U, .files_max = 3, .file_bytes_max = 1000, .bytes_max = 1500};
    const std::string page(900, 'a');
    EXPECT_TRUE(unpack_pages(wheel_of({{"miniwob/html/1.html", page}}), folder.path(), small));
    EXPECT_EQ(unpack_pages(wheel_of({{"miniwob/html/1.html", std::string(4U << 20U, 'a')}}), folder.path(), small).error().code, ErrorCode::LimitExceeded); // packs to some KB
    EXPECT_EQ(unpack_pages(wheel_of({{"miniwob/html/1.html", page}, {"miniwob/html/2.html", page}}), folder.path(), small).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(unpack_pages(wheel_of({{"1", ""}, {"2", ""}, {"3", ""}, {"4", ""}}), folder.path(), small).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(unpack_pages(std::vector<std::uint8_t>(2U << 20U), folder.path(), small).error().code, ErrorCode::LimitExceeded);
    std::vector<std::uint8_t> cut = wheel_of({{"miniwob/html/1.html", page}});
    EXPECT_FALSE(unpack_pages(std::span(cut).first(40), folder.path(), small));
    EXPECT_FALSE(unpack_pages(std::vector<std::uint8_t>(100, 'x'), folder.path(), small));
    EXPECT_EQ(unpack_pages(wheel_of({{"other/file.html", "x"}}), folder.path(), small).error().code, ErrorCode::ParseFailed);
}

} // namespace
} // namespace handeye::miniwob
