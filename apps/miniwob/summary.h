// SPDX-License-Identifier: Apache-2.0
// Episodes counted by task and by group, with how sure that is. Pure.
#pragma once

#include "apps/miniwob/episode.h"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::miniwob {

/// Of a task, a group, or all.
struct Tally {
    std::int64_t episodes = 0;
    std::int64_t solved = 0;   ///< reward 1
    std::int64_t positive = 0; ///< reward above 0
    double rewards = 0;        ///< summed
    std::int64_t steps = 0;
    std::int64_t model_calls = 0;
    double seconds = 0;
    std::map<Ending, std::int64_t> endings;
    Profile profile;

    void add(const EpisodeResult& result);
    void add(const Tally& other);
    [[nodiscard]] double rate() const { return episodes == 0 ? 0 : static_cast<double>(solved) / static_cast<double>(episodes); }
    [[nodiscard]] double mean(double sum) const { return episodes == 0 ? 0 : sum / static_cast<double>(episodes); }
};

struct Row {
    std::string name;
    std::string group;
    Tally tally;
};

struct Summary {
    std::vector<Row> tasks;  ///< those with episodes, by group, then by name
    std::vector<Row> groups; ///< those with episodes
    Tally all;
    double macro_rate = 0;   ///< mean of the tasks' rates: what papers report; the same where all have as many episodes
};
Summary summarise(std::span<const EpisodeResult> results);

nlohmann::json to_json(const Summary& summary);
/// For a terminal: the groups, and each task where `with_tasks`.
std::string to_text(const Summary& summary);
/// For documents; `head`: what was measured, with which model and when.
std::string to_markdown(const Summary& summary, const std::string& head);

} // namespace handeye::miniwob
