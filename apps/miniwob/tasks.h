// SPDX-License-Identifier: Apache-2.0
// The 125 registered tasks of MiniWoB++, each in one group by what an agent has to be able to do. One table; docs/evaluation.md.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace handeye::miniwob {

enum class Group {
    OneClick,             ///< one click solves it
    Typing,               ///< text into fields that are in sight, and a button
    Selection,            ///< clicks choose among what is in sight, then a button
    ScrollingAndDragging, ///< nothing without a wheel, or a button held while the pointer moves
    MultiStep,            ///< what comes next depends on what the step before brought to light
};

struct Task {
    std::string_view name;  ///< of its page, and for people
    Group group;
    std::string_view input; ///< the hardest that it takes: "click", "clicks", "type", "scroll", "drag", "select", "hover", "time"
    std::string_view why;   ///< it is in its group, in few words
};

inline constexpr std::size_t kTaskListBytesMax = 16U << 10U;

/// By name.
std::span<const Task> tasks();
std::span<const Group> groups();
/// nullptr: no task is called so.
const Task* find_task(std::string_view name);
/// "one-click", "typing", "selection", "scrolling-and-dragging", "multi-step"
std::string_view group_name(Group group);
/// Names of tasks and of groups, separated by commas; empty: all. By name, each once. NotFound tells what is called nearly so.
Result<std::vector<const Task*>> choose_tasks(std::string_view list);

} // namespace handeye::miniwob
