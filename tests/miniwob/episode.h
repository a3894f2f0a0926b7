// SPDX-License-Identifier: Apache-2.0
// One episode of a task: the page is opened and seeded, the oracle looks and names an action, the action takes the road of every action
// (canonical JSON, resolve, execute, platform), until the page tells its reward.
#pragma once

#include "apps/miniwob/devtools.h"
#include "apps/miniwob/task_page.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace handeye::miniwob {

struct OracleEpisode {
    bool is_over = false;     ///< the page ended it
    double raw_reward = 0;    ///< WOB_RAW_REWARD_GLOBAL
    std::string goal;
    int actions = 0;
    int outside = 0;          ///< actions at a place that a model is not shown
    int partials = 0;         ///< actions of which the platform doubts that they did all they should
    std::string last_partial;
    std::string why_not;      ///< the oracle's own "this cannot be done", with its reason
    std::string trouble;      ///< what went wrong; empty: nothing did
    std::string last_action;  ///< canonical JSON in captured pixels
};

class Arena {
public:
    /// `pages`: the unpacked html/ of the package. The platform shows a viewport of `view` CSS pixels.
    Arena(Platform& platform, DevTools& tools, Clock& clock, std::filesystem::path pages, Size view, std::string oracle)
        : platform_(platform), tools_(tools), clock_(clock), page_(platform, tools, clock, std::move(pages)), view_(view), oracle_(std::move(oracle)) {}

    /// An Error: the browser or the page is gone, or does not show what it should; what goes wrong in the task is in the OracleEpisode.
    Result<OracleEpisode> play(std::string_view task, int seed);

private:
    Result<void> start(std::string_view task, int seed, OracleEpisode& episode);
    Result<void> check_picture(std::string_view task);
    Result<bool> take_step(std::string_view task, OracleEpisode& episode);

    Platform& platform_;
    DevTools& tools_;
    Clock& clock_;
    TaskPage page_;
    Size view_;
    std::string oracle_;
};

/// The scripts of the oracle, one after the other.
Result<std::string> read_oracle(const std::filesystem::path& folder);

} // namespace handeye::miniwob
