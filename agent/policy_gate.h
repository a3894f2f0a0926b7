// SPDX-License-Identifier: Apache-2.0
// The gate: what is known about one resolved action, held against a policy. Needs no model and no screen.
#pragma once

#include "actions/action.h"
#include "actions/resolve.h"
#include "agent/policy.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// What an action is about, once it is known where it goes.
struct ActionFacts {
    Action action;
    std::vector<Point> points;        ///< every place to which the pointer goes, in target pixels
    /// Under each point and, for what goes to the keyboard, with the focus; unset: not asked, or the platform does not know.
    std::optional<std::vector<WindowInfo>> windows;
    std::vector<std::string> labels;  ///< under each end of a click or drag, as its program tells it; empty: nobody tells
    std::string called;               ///< what the model calls it; it may be wrong or lie, so it allows nothing
    std::optional<double> confidence = 1; ///< how certain a model was of the place, 0 to 1; what people and scripts point at is; unset: nobody knows
    int minute_of_day = 0;            ///< local time
};
/// The action that a canonical JSON text stands for: what policy.explain is asked about.
Result<Action> action_from_json(std::string_view text_utf8);
/// Facts that need no further look at the screen: points from the plan, labels from its elements, time from the clock.
ActionFacts facts_of(const Action& action, const Plan& plan, const std::vector<Element>& elements, WallTime now);
/// True when the action sends keys to whatever has the focus.
bool uses_keyboard(const Action& action);

enum class Gate { Allow, Ask, Deny };
std::string_view gate_name(Gate gate);
struct GateDecision {
    Gate gate = Gate::Allow;
    std::string rule;   ///< which line decided: "deny_verbs: type", "rule 2: no terminals", "otherwise"
    std::string reason; ///< for a person and for the model's next prompt
};

/// "low", "medium", "high": how much an action can do; for the person who is asked.
std::string_view risk_of(const Action& action);

/// A policy ready for use, and the counts of one task. One thread at a time.
class PolicyGate {
public:
    /// InvalidArgument as check_policy().
    static Result<PolicyGate> create(const Policy& policy);
    ~PolicyGate();
    PolicyGate(PolicyGate&&) noexcept;
    PolicyGate& operator=(PolicyGate&&) noexcept;

    /// Whether a rule looks at windows: only then need facts have them.
    [[nodiscard]] bool needs_windows() const;
    /// Counts towards max_count.
    GateDecision decide(const ActionFacts& facts);
    /// The same answer without counting.
    [[nodiscard]] GateDecision explain(const ActionFacts& facts) const;

private:
    struct Impl;
    explicit PolicyGate(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace handeye
