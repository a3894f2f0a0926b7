// SPDX-License-Identifier: Apache-2.0
// Performs a Plan on a Platform and says what is known about its effect.
#pragma once

#include "actions/resolve.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace handeye {

struct ActionResult {
    Certainty certainty = Certainty::Unverifiable;
    std::string reason;          ///< why refused, partial or a suspected no-op
    std::string route;           ///< how text went, e.g. "keysyms"; "events" otherwise
    std::optional<Point> landed; ///< where the pointer was after the last event, read back from the platform
    int events_sent = 0;
    Settled settled;             ///< how the picture came to rest afterwards
    Duration input_time{};
    Duration settle_time{};
};

struct ExecuteOptions {
    SettleOptions settle;
    /// Asked before every op; an error ends the plan there: Refused when nothing was sent yet, otherwise Partial, with its message.
    std::function<Result<void>(const Op& op)> before;
    /// Called after every op, whatever came of it; may be empty.
    std::function<void()> after = {};
    /// Text goes in pieces of this many characters, with `before` asked before each; 0: at once.
    std::size_t piece_characters = 0;
};

/// Checks `stop` before every event. On every way out (done, error, stop) nothing stays pressed.
/// An error of the platform comes back as ActionResult Partial or Refused with its reason, unless the platform itself is
/// gone (Unavailable). A stop gives Partial with reason "stopped". When the stop_source's request_stop() has returned, what was
/// pressed is released, and no press, motion or character follows (where the platform can promise it: inject_unless_stopped).
Result<ActionResult> execute(const Plan& plan, Platform& platform, Clock& clock, const ExecuteOptions& options,
                             std::stop_token stop);

} // namespace handeye
