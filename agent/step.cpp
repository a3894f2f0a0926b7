// SPDX-License-Identifier: Apache-2.0
#include "agent/step.h"

namespace handeye {

std::string_view task_outcome_name(TaskOutcome outcome) {
    switch (outcome) {
    case TaskOutcome::Done: return "done";
    case TaskOutcome::Unconfirmed: return "unconfirmed";
    case TaskOutcome::FellShort: return "fell_short";
    case TaskOutcome::Infeasible: return "infeasible";
    case TaskOutcome::BudgetExceeded: return "budget_exceeded";
    case TaskOutcome::Stuck: return "stuck";
    case TaskOutcome::ParseFailures: return "parse_failures";
    case TaskOutcome::Denied: return "denied";
    case TaskOutcome::NeedsPerson: return "needs_person";
    case TaskOutcome::Stopped: return "stopped";
    case TaskOutcome::Failed: return "failed";
    }
    return "failed";
}

int task_exit_code(TaskOutcome outcome) {
    switch (outcome) {
    case TaskOutcome::Done: return 0;
    case TaskOutcome::Unconfirmed:
    case TaskOutcome::FellShort:
    case TaskOutcome::Infeasible:
    case TaskOutcome::BudgetExceeded:
    case TaskOutcome::Stuck:
    case TaskOutcome::ParseFailures: return 1;
    case TaskOutcome::Denied:
    case TaskOutcome::Stopped: return 3;
    case TaskOutcome::NeedsPerson: return 4;
    case TaskOutcome::Failed: return 5;
    }
    return 5;
}

} // namespace handeye
