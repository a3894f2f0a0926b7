// SPDX-License-Identifier: Apache-2.0
// The 125 registered tasks of MiniWoB++ and what a run of each has to give.
#pragma once

#include <span>
#include <string_view>

namespace handeye::miniwob {

/// What an episode of a task must end with for the test to pass.
enum class Promise {
    Full,      ///< the page's whole reward, every time
    OrSaysWhy, ///< the whole reward, or the oracle says what about this problem keeps anybody from it
    Luck,      ///< an end with a reward: an opponent moves at random
};

struct Task {
    std::string_view name;
    std::string_view kind; ///< the hardest input it takes: "click", "type", "scroll", "drag", "select", "search", "time"
    Promise promise = Promise::Full;
    double full_reward = 1; ///< the most that a click on whole pixels can get
    std::string_view note;  ///< why not always 1; empty: it is
};

std::span<const Task> tasks();
/// nullptr: no task is called so.
const Task* find_task(std::string_view name);
/// An episode: what the seed makes of the task.
struct Chosen {
    std::string_view name;
    int seed = 1;
};
/// One of each way of input, for a quick look.
std::span<const Chosen> sample_of_episodes();

} // namespace handeye::miniwob
