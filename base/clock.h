// SPDX-License-Identifier: Apache-2.0
// Time through a seam: whoever waits takes a Clock, so that tests run in simulated time.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>

namespace handeye {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

enum class WaitResult { Reached, Stopped };

class Clock {
public:
    virtual ~Clock() = default;
    virtual TimePoint now() = 0;
    virtual WallTime wall_now() = 0;
    /// Returns at the deadline, or at once when `stop` is requested. Callable from any thread.
    virtual WaitResult sleep_until(TimePoint deadline, std::stop_token stop) = 0;

    WaitResult sleep_for(Duration duration, std::stop_token stop) {
        return sleep_until(now() + duration, std::move(stop));
    }
};

/// The machine's own monotonic and wall clocks. Stateless: one instance serves the program.
class SystemClock final : public Clock {
public:
    TimePoint now() override;
    WallTime wall_now() override;
    WaitResult sleep_until(TimePoint deadline, std::stop_token stop) override;
};

/// "2026-11-21T10:44:40.123Z"
std::string format_utc(WallTime time);

} // namespace handeye
