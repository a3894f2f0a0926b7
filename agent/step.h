// SPDX-License-Identifier: Apache-2.0
// What one step saw, asked, was told, did and found: values for sinks and reports.
#pragma once

#include "actions/execute.h"
#include "actions/parse.h"
#include "actions/resolve.h"
#include "agent/policy_gate.h"
#include "base/clock.h"
#include "engine/chat.h"
#include "platforms/platform.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct StepTimings {
    Duration capture{};
    Duration render{};
    Duration generate{};
    Duration parse{};
    Duration gate{};
    Duration resolve{};
    Duration execute{}; ///< input only
    Duration settle{};
    Duration verify{};
    Duration record{};  ///< of the step's events, those before this one
};

struct Step {
    int index = 0; ///< from 1
    Screenshot seen;
    std::string app;                   ///< in front of a phone; empty: not asked, or unknown
    std::string prompt_text;           ///< all text parts, pictures as "<picture WxH>"
    Completion reply;
    std::optional<ParsedReply> parsed; ///< unset: the answer held no action
    std::string parse_error;
    std::optional<double> confidence;  ///< of the place that the model points at; unset: none, or nobody knows
    GateDecision gate;
    Plan plan;
    ActionResult result;
    std::optional<Screenshot> after;
    std::string interrupted; ///< who took the target away half-way: "paused", "human", "script"; empty: nobody
    StepTimings timings;
};

/// How a task ended. Only `Done` is success: the model's own claim, or that every step of a task file came true.
enum class TaskOutcome {
    Done,           ///< the model says that the goal is reached, or every step of the task file came true
    Unconfirmed,    ///< it says so, but none of its actions had an effect that was seen, or its last one was refused or cut short
    FellShort,      ///< a step of a task file did not come true
    Infeasible,     ///< the model says that it cannot be done
    BudgetExceeded, ///< steps, wall time or tokens
    Stuck,          ///< repeats without progress
    ParseFailures,  ///< too many answers in a row without an action
    Denied,         ///< policy said no and the model had no other way
    NeedsPerson,    ///< the model asks for a person
    Stopped,        ///< by a person or a signal
    Failed,         ///< platform, engine or recording broke
};
std::string_view task_outcome_name(TaskOutcome outcome);
/// cli.md: 0 done, 1 fell short, 2 bad input, 3 stopped, 4 needs a person, 5 backend.
int task_exit_code(TaskOutcome outcome);

struct TaskReport {
    TaskOutcome outcome = TaskOutcome::Failed;
    std::string message;     ///< one sentence for a person
    std::string answer_utf8; ///< what the model answered, where it did
    int steps = 0;
    std::int64_t tokens = 0;
    Duration wall{};
};

} // namespace handeye
