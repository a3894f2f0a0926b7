// SPDX-License-Identifier: Apache-2.0
// Tells the service manager how the daemon is: READY=1, STATUS=..., WATCHDOG=1, STOPPING=1 (sd_notify's datagram).
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace handeye {

class ServiceNotify {
public:
    /// `socket`: $NOTIFY_SOCKET, a path or "@abstract"; empty: nobody listens and send() does nothing.
    explicit ServiceNotify(std::string socket) : socket_(std::move(socket)) {}
    static ServiceNotify from_environment();

    /// One datagram of "NAME=value" lines. Any thread. Unavailable when nobody takes it; callers may go on.
    Result<void> send(std::string_view lines) const;

private:
    std::string socket_;
};

/// How often WATCHDOG=1 is due (half of $WATCHDOG_USEC); nullopt: not asked for, or meant for another process.
std::optional<Duration> watchdog_interval();

} // namespace handeye
