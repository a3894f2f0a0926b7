// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <condition_variable>
#include <ctime>
#include <mutex>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace handeye {

TimePoint SystemClock::now() { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wall_now() { return std::chrono::system_clock::now(); }

WaitResult SystemClock::sleep_until(TimePoint deadline, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_until(lock, stop, deadline, [] { return false; });
    return stop.stop_requested() ? WaitResult::Stopped : WaitResult::Reached;
}

std::string format_utc(WallTime time) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
    const std::time_t seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(ms));
    const auto rest = ms.time_since_epoch().count() % 1000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), rest < 0 ? rest + 1000 : rest);
}

} // namespace handeye
