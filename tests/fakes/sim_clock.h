// SPDX-License-Identifier: Apache-2.0
// Simulated time: sleeping moves the clock instead of waiting, so that a session of minutes runs in milliseconds.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <atomic>

namespace handeye::fakes {

/// Any thread may use it. Starts at one second of monotonic time and at 2026-01-01 on the wall.
class SimClock final : public Clock {
public:
    TimePoint now() override { return TimePoint(Duration(now_ns_.load())); }
    WallTime wall_now() override {
        constexpr std::int64_t kStartSeconds = 1'767'225'600;
        return WallTime(std::chrono::seconds(kStartSeconds) + Duration(now_ns_.load()));
    }
    WaitResult sleep_until(TimePoint deadline, std::stop_token stop) override {
        if (stop.stop_requested()) {
            return WaitResult::Stopped;
        }
        std::int64_t current = now_ns_.load();
        while (current < deadline.time_since_epoch().count() &&
               !now_ns_.compare_exchange_weak(current, deadline.time_since_epoch().count())) {
        }
        return WaitResult::Reached;
    }
    void advance(Duration by) { now_ns_ += by.count(); }

private:
    std::atomic<std::int64_t> now_ns_{1'000'000'000};
};

} // namespace handeye::fakes
