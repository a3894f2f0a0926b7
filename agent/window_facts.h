// SPDX-License-Identifier: Apache-2.0
// The windows that an action is about: what the rules on programs, classes, titles and domains look at, and where keys may go.
#pragma once

#include "actions/resolve.h"
#include "agent/policy_gate.h"
#include "platforms/platform.h"

#include <cstddef>
#include <stop_token>
#include <utility>

namespace handeye {

/// Fills facts.windows: what lies under each point, and for keys alone the window with the focus. Keys that follow a click go where
/// the click puts the focus: to the window under it. An error of the platform leaves the windows unset, which no allow rule takes.
void add_windows(ActionFacts& facts, Platform& platform);

/// Holds keys back that would go to another window than the gate, or the person who approved, was told of. For one action.
class FocusGuard {
public:
    /// Text is typed in pieces of this many characters, with a look before each.
    static constexpr std::size_t kPieceCharacters = 32;
    enum class Others {
        WhereTheRulesAllowIt, ///< another window will do when the gate allows the same action there
        Never,                ///< an approval is for one window
    };

    FocusGuard(ActionFacts facts, const PolicyGate& gate, Others others) : facts_(std::move(facts)), gate_(gate), others_(others) {}
    /// Before each op. Cancelled names both windows. Without windows in the facts nothing is held back.
    Result<void> before(const Op& op, Platform& platform, const std::stop_token& stop);

private:
    [[nodiscard]] bool may_go_to(const WindowInfo& window) const;

    ActionFacts facts_;
    const PolicyGate& gate_;
    const Others others_;
};

} // namespace handeye
