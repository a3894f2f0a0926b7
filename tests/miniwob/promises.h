// SPDX-License-Identifier: Apache-2.0
// What the oracle's run of each task has to give, and which episodes a quick look plays.
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

/// Of a task that is not simply solved every time.
struct Exception {
    std::string_view name;
    Promise promise = Promise::Full;
    double full_reward = 1; ///< the most that a click on whole pixels can get
    std::string_view note = {};
};
/// The whole reward every time, where there is no exception.
Exception promise_of(std::string_view task);
std::span<const Exception> exceptions();

/// An episode: what the seed makes of the task.
struct Chosen {
    std::string_view name;
    int seed = 1;
};
/// One of each way of input, for a quick look.
std::span<const Chosen> sample_of_episodes();

} // namespace handeye::miniwob
