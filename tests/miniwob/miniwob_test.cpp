// SPDX-License-Identifier: Apache-2.0
// The tasks of MiniWoB++ through the platform web, by a scripted oracle: docs/miniwob.md. HANDEYE_FULL=1 plays all of them;
// HANDEYE_MINIWOB_TASKS="drag-box,terminal" and HANDEYE_MINIWOB_SEEDS=20 choose.
#include "apps/miniwob/devtools.h"
#include "apps/miniwob/tasks.h"
#include "base/file.h"
#include "platforms/open_platform.h"
#include "tests/miniwob/episode.h"
#include "tests/miniwob/promises.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace handeye::miniwob {
namespace {

constexpr Size kView{500, 320}; // the window of the package's own driver
constexpr double kScale = 2;
constexpr int kFullSeeds = 5;

bool is_full() { return std::getenv("HANDEYE_FULL") != nullptr; }
std::string setting(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::filesystem::path pages() { return std::filesystem::path(HANDEYE_SOURCE_DIR) / "build" / "miniwob" / "html"; }

/// What tools/miniwob.sh said when it could not get the pages; empty: they are there.
std::string fetch_pages() {
    const std::string command = fmt::format("'{}/tools/miniwob.sh' 2>&1", HANDEYE_SOURCE_DIR);
    std::string said;
    FILE* const pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) {
        return "the shell does not start";
    }
    std::array<char, 512> piece{};
    while (fgets(piece.data(), piece.size(), pipe) != nullptr) {
        said += piece.data();
    }
    return pclose(pipe) == 0 ? "" : said;
}

/// A browser of its own, and a second look into it.
struct Stage {
    SystemClock clock;
    std::unique_ptr<Platform> platform;
    std::unique_ptr<DevTools> tools;

    void open() {
        PlatformOptions options;
        options.platform = "web";
        options.headless = kView;
        options.web.scale = kScale;
        options.web.url = fmt::format("file://{}/miniwob/click-test.html", pages().string());
        Result<std::unique_ptr<Platform>> opened = open_platform(options, clock);
        ASSERT_TRUE(opened) << opened.error().message;
        platform = std::move(*opened);
        const Result<DisplayInfo> display = platform->display();
        ASSERT_TRUE(display) << display.error().message;
        ASSERT_EQ(display->size, (Size{1000, 640}));
        Result<std::unique_ptr<DevTools>> connected = DevTools::connect(display->address);
        ASSERT_TRUE(connected) << connected.error().message;
        tools = std::move(*connected);
    }
};

/// What all episodes of one task gave.
struct Tally {
    int episodes = 0;
    int full = 0;
    int impossible = 0;
    int actions = 0;
    int outside = 0;
    int partials = 0;
    std::string last_partial;
    double least = 1;
};

/// A task and the seeds to play it with.
struct Round {
    const Task* task = nullptr;
    int first_seed = 1;
    int seeds = 1;
};

std::vector<Round> chosen_rounds() {
    const std::string wish = setting("HANDEYE_MINIWOB_TASKS");
    const std::string count = setting("HANDEYE_MINIWOB_SEEDS");
    const int seeds = count.empty() ? (is_full() ? kFullSeeds : 1) : std::max(1, std::atoi(count.c_str()));
    std::vector<Round> rounds;
    for (std::size_t begin = 0; begin < wish.size();) {
        const std::size_t end = std::min(wish.find(',', begin), wish.size());
        const Task* const task = find_task(std::string_view(wish).substr(begin, end - begin));
        EXPECT_NE(task, nullptr) << "no task is called " << wish.substr(begin, end - begin);
        if (task != nullptr) {
            rounds.push_back({task, 1, seeds});
        }
        begin = end + 1;
    }
    if (wish.empty() && is_full()) {
        for (const Task& task : tasks()) {
            rounds.push_back({&task, 1, seeds});
        }
    } else if (wish.empty()) {
        for (const Chosen& chosen : sample_of_episodes()) {
            rounds.push_back({find_task(chosen.name), chosen.seed, seeds});
        }
    }
    return rounds;
}

/// Whether the episode ended as the table promises.
bool is_kept(const Task& of, const OracleEpisode& episode) {
    const Exception task = promise_of(of.name);
    if (!episode.trouble.empty()) {
        return false;
    }
    switch (task.promise) {
    case Promise::Full: return episode.is_over && episode.raw_reward >= task.full_reward;
    case Promise::OrSaysWhy: return (episode.is_over && episode.raw_reward >= task.full_reward) || !episode.why_not.empty();
    case Promise::Luck: return episode.is_over && episode.raw_reward != 0;
    }
    return false;
}

std::string table(const std::vector<std::pair<const Task*, Tally>>& tallies) {
    std::string out = "| task | input | episodes | full reward | least reward | actions per episode | |\n|---|---|---|---|---|---|---|\n";
    for (const auto& [task, tally] : tallies) {
        const std::string impossible = tally.impossible > 0 ? fmt::format("{} impossible: ", tally.impossible) : "";
        const Exception promise = promise_of(task->name);
        const bool has_note = tally.full < tally.episodes || promise.full_reward < 1;
        out += fmt::format("| {} | {} | {} | {} | {:.3g} | {:.1f} | {}{} |\n", task->name, task->input, tally.episodes, tally.full,
                           tally.least, double(tally.actions) / tally.episodes, impossible, has_note ? promise.note : "");
    }
    return out;
}

void play_and_judge(Arena& arena, const Task& task, int seed, Tally& tally) {
    const Result<OracleEpisode> played = arena.play(task.name, seed);
    ASSERT_TRUE(played) << task.name << ", seed " << seed << ": " << played.error().message;
    EXPECT_TRUE(is_kept(task, *played))
        << task.name << ", seed " << seed << ": reward " << played->raw_reward << " after " << played->actions << " actions, "
        << (played->is_over ? "over" : "not over") << "; " << played->trouble << played->why_not << played->last_partial
        << "\n  goal: " << played->goal << "\n  last action: " << played->last_action;
    ++tally.episodes;
    tally.full += played->is_over && played->raw_reward >= promise_of(task.name).full_reward ? 1 : 0;
    tally.impossible += played->why_not.empty() ? 0 : 1;
    tally.actions += played->actions;
    tally.outside += played->outside;
    tally.partials += played->partials;
    tally.last_partial = played->partials > 0 ? played->last_partial : tally.last_partial;
    tally.least = std::min(tally.least, played->raw_reward);
}

TEST(MiniWob, TheOracleGetsTheFullRewardOfEveryTask) {
    const std::string missing = fetch_pages();
    if (!missing.empty() && !is_full()) {
        GTEST_SKIP() << "the pages of MiniWoB++ are not here and could not be fetched: " << missing;
    }
    ASSERT_EQ(missing, "");
    const Result<std::string> oracle = read_oracle(std::filesystem::path(HANDEYE_SOURCE_DIR) / "tests/miniwob/oracle");
    ASSERT_TRUE(oracle) << oracle.error().message;
    Stage stage;
    ASSERT_NO_FATAL_FAILURE(stage.open());
    Arena arena(*stage.platform, *stage.tools, stage.clock, pages(), kView, *oracle);

    std::vector<std::pair<const Task*, Tally>> tallies;
    for (const Round& round : chosen_rounds()) {
        Tally tally;
        for (int i = 0; i < round.seeds; ++i) {
            ASSERT_NO_FATAL_FAILURE(play_and_judge(arena, *round.task, round.first_seed + i, tally));
        }
        EXPECT_TRUE(tally.full > 0 || tally.episodes < kFullSeeds) << round.task->name << ": not once";
        fmt::print("{} from seed {}: full reward in {} of {}{}{}\n", round.task->name, round.first_seed, tally.full, tally.episodes,
                   tally.outside > 0 ? fmt::format("; {} actions where a model is shown nothing", tally.outside) : "",
                   tally.partials > 0 ? fmt::format("; {} actions partial: {}", tally.partials, tally.last_partial) : "");
        std::fflush(stdout);
        tallies.emplace_back(round.task, tally);
    }
    ASSERT_FALSE(tallies.empty());
    const Result<void> written = write_file_atomic(std::filesystem::path(HANDEYE_BINARY_DIR) / "miniwob.md", table(tallies));
    EXPECT_TRUE(written) << written.error().message;
    EXPECT_TRUE(stage.platform->release_all());
}

} // namespace
} // namespace handeye::miniwob
