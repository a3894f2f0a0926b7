// SPDX-License-Identifier: Apache-2.0
// Two runs held against each other: which steps belong together, and what differs, in words. Pure. Inside this folder only.
#pragma once

#include "agent/report_model.h"

#include <string>
#include <vector>

namespace handeye::report {

/// How one run differs from another one, at one point.
struct Difference {
    std::string kind;  ///< for programs; the list is in docs/reports.md
    std::string words; ///< for people: of this run, against the other
};

/// Steps that belong together; null: that run has none.
struct StepPair {
    const StepRecord* mine = nullptr;
    const StepRecord* other = nullptr;
    std::vector<Difference> differences;
};

struct TaskPair {
    const TaskRecord* mine = nullptr;
    const TaskRecord* other = nullptr;
    bool is_by_number = false; ///< too many steps to look for those that belong together: the first with the first, and so on
    std::vector<Difference> differences;
    std::vector<StepPair> steps;
};

struct Comparison {
    std::vector<Difference> differences; ///< of the sessions as a whole
    std::vector<TaskPair> tasks;         ///< the first with the first, and so on

    /// Of everything.
    [[nodiscard]] std::size_t count() const;
};

/// Steps belong together by what was done and to what, in order; so a step that one run has more shifts nothing. Slower counts from
/// twice the time and a second more. The sessions must outlive the result.
Comparison compare(const SessionRecord& mine, const SessionRecord& other);
json to_json(const Comparison& comparison);

} // namespace handeye::report
