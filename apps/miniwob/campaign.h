// SPDX-License-Identifier: Apache-2.0
// Many episodes: tasks times seeds, in several browsers at once, what a journal has already left out.
#pragma once

#include "apps/miniwob/episode.h"
#include "apps/miniwob/journal.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <vector>

namespace handeye::miniwob {

struct CampaignOptions {
    std::vector<const Task*> tasks;
    std::uint64_t first_seed = 1;
    std::uint64_t seeds = 10;    ///< of each task
    int jobs = 1;                ///< browsers at a time
    PlayerOptions player;
    std::filesystem::path keep;  ///< folder of recordings: of failures, and of successes where wanted
    int failures_kept = 3;       ///< of each task
    bool keeps_successes = false;
};

struct Progress {
    std::size_t played = 0;  ///< in this run
    std::size_t earlier = 0; ///< of those wanted, by earlier runs
    std::size_t wanted = 0;
    std::size_t solved = 0;  ///< of all there are
    double seconds = 0;      ///< since the start of this run
    const EpisodeResult* newest = nullptr;
};

/// Where a kept recording of an episode lies in `keep`.
std::filesystem::path recording_file(const std::filesystem::path& keep, std::string_view task, std::uint64_t seed);

/// Plays what is missing: the first seed of every task, then the second, so that what there is when it is interrupted speaks for all
/// tasks. Cancelled when stopped, with all finished episodes in the journal. An episode that fails for a reason outside the task is
/// played once more in a new browser. Then it counts as broken where the model had been asked; else it is nobody's result, and an error names
/// it at the end. Several in a row end the run with the last error.
/// `on_progress` is called after each episode, on any thread, one at a time.
Result<void> play_all(const CampaignOptions& options, Journal& journal, ChatModel& model, Clock& clock, const std::function<void(const Progress&)>& on_progress,
                      const std::stop_token& stop);

} // namespace handeye::miniwob
