// SPDX-License-Identifier: Apache-2.0
// The page of a task: opened through the platform, seeded, started and judged over a DevTools connection beside it. It tells the goal in
// words and in the end the reward; nothing else of it goes to an agent. Pages are data of a package from outside: what they say is
// checked and bounded.
#pragma once

#include "apps/miniwob/devtools.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye::miniwob {

/// A goal is a sentence; the longest of the package has 480 bytes.
inline constexpr std::size_t kGoalBytesMax = 4096;
inline constexpr std::size_t kReasonBytesMax = 200;

/// What a page said at one moment.
struct PageState {
    bool is_task = false;   ///< the page of the task is still there; an agent can leave it
    bool is_over = false;   ///< WOB_DONE_GLOBAL
    double raw_reward = 0;  ///< WOB_RAW_REWARD_GLOBAL, from -1 to 1, without the page's discount for time
    std::string reason;     ///< WOB_REWARD_REASON, clipped; mostly empty
};

/// What kReadState gave, checked: ParseFailed where it has another form, or a reward that is no number from -1 to 1.
Result<PageState> read_state(const nlohmann::json& told);
/// What kReadGoal gave. ParseFailed for no text, LimitExceeded beyond kGoalBytesMax.
Result<std::string> read_goal(const nlohmann::json& told);

/// The URL of a task's page in a folder of pages.
std::string page_url(const std::filesystem::path& pages, std::string_view task);

/// Borrows platform, connection and clock. One thread.
class TaskPage {
public:
    /// `pages`: the unpacked html/ of the package, absolute.
    TaskPage(Platform& platform, DevTools& tools, Clock& clock, std::filesystem::path pages)
        : platform_(platform), tools_(tools), clock_(clock), pages_(std::move(pages)) {}

    /// Loads the page anew and waits until its scripts have run.
    Result<void> open(std::string_view task, const std::stop_token& stop);
    /// Makes the problem of that seed and starts its clock, which is set to 1,000 s. What the package shows beside the task is hidden. The
    /// end of the episode leaves the page as it is: otherwise a START button covered it, right under the pointer.
    Result<void> start(std::uint64_t seed);
    /// In words, for the agent.
    Result<std::string> goal();
    /// DeadlineExceeded where the page does not answer within seconds: a script of it hangs.
    Result<PageState> state();

private:
    Platform& platform_;
    DevTools& tools_;
    Clock& clock_;
    std::filesystem::path pages_;
    std::string url_;
};

} // namespace handeye::miniwob
