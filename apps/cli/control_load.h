// SPDX-License-Identifier: Apache-2.0
// Puts clients on a daemon that it starts for the purpose, and measures what they cost.
#pragma once

#include "base/result.h"

namespace handeye {

struct ControlLoad {
    double idle_mib = 0;       ///< resident memory of the daemon with the idle clients, above that with one
    double idle_cpu_share = 0; ///< of one core, while they idle
    double active_p99_ms = 0;  ///< request to reply, of clients that each send ten a second
    double stalled_ratio = 0;  ///< p99 of 99 clients beside one that follows a log of megabytes and a screen and never reads, over p99 without it; both in turns
    double stalled_mib = 0;    ///< what that one makes the daemon grow, at its worst
};

/// Starts the handeyed beside this program in a folder of its own, without a model, and a session on a screen of its own (Xvfb). Takes about seven times `seconds`.
Result<ControlLoad> run_control_load(int idle, int active, int seconds);

} // namespace handeye
