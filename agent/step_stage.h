// SPDX-License-Identifier: Apache-2.0
// What the stages of a step have in common. Inside this folder only.
#pragma once

#include "agent/step_runner.h"
#include "base/clock.h"

#include <optional>
#include <string>
#include <vector>

namespace handeye {

/// Adds the time of its own life to a counter.
class Stopwatch {
public:
    Stopwatch(Clock& clock, Duration& total) : clock_(clock), total_(total), start_(clock.now()) {}
    ~Stopwatch() { total_ += clock_.now() - start_; }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

private:
    Clock& clock_;
    Duration& total_;
    TimePoint start_;
};

/// Where passwords are shown, in the target's frame: what is painted over before anything is written.
std::vector<Rect> secret_boxes(const std::vector<Element>& elements);

inline StageResult go_on() { return std::optional<TaskEnd>(); }

/// What a prompt says of the session's policy; empty: nothing is forbidden.
std::string describe_policy(const Policy& policy);

/// Asks for what click_confidence() reads.
void tell_places(ChatRequest& request);

inline bool is_whole(StopReason reason) { return reason == StopReason::StopToken || reason == StopReason::StopText; }

inline StageResult end(TaskOutcome outcome, std::string message) { return std::optional(TaskEnd{outcome, std::move(message)}); }

} // namespace handeye
