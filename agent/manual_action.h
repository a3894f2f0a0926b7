// SPDX-License-Identifier: Apache-2.0
// One action that does not come from the loop: a person at the console, a script. It goes the same way as the agent's: parse,
// resolve, gate, execute, record.
#pragma once

#include "agent/policy.h"
#include "agent/policy_gate.h"
#include "agent/step.h"
#include "agent/step_sink.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <functional>
#include <stop_token>
#include <string>

namespace handeye {

/// What the log tells of who did it and how.
enum class Secrecy { Plain, Secret };
struct ManualAction {
    std::string action_text; ///< in any dialect (thousandths of the target) or in canonical form (target pixels)
    std::string by;          ///< the client's name, for the log
    Secrecy secrecy = Secrecy::Plain; ///< Secret: the log holds the number of characters instead of the text
};

/// Borrowed for the call.
struct ManualContext {
    Platform& platform;
    Clock& clock;
    StepSink& sink;
    PolicyGate& gate;
    SettleOptions settle;
    /// Asked before each event; an error ends the action there.
    std::function<Result<void>()> may_go_on;
    bool may_approve = false; ///< a rule that asks is answered by asking for the action at all
};

struct ManualResult {
    Action action;
    GateDecision gate;
    Plan plan;
    ActionResult result; ///< Refused with the reason when the gate said no or the action cannot be resolved
};

/// ParseFailed when the text is no action; Cancelled when `stop` came first; an Error of the sink: what cannot be recorded is
/// not done. Nothing stays pressed on any way out.
Result<ManualResult> perform_manually(const ManualAction& manual, const ManualContext& with, const std::stop_token& stop);

/// The result as clients get it: verb, certainty, reason, route, landed, points, events_sent, changed, settled, timings. One JSON object.
std::string to_json_text(const ManualResult& result);

} // namespace handeye
