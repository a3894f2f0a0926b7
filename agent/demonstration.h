// SPDX-License-Identifier: Apache-2.0
// A person shows a task: what their hands do becomes a session's events, as if an agent had done it, so that reports, exports and
// replays need no second way.
#pragma once

#include "agent/step_sink.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

struct DemonstrationOptions {
    std::string session_id; ///< ULID
    std::string title_utf8; ///< the task's goal
    std::string stop_chord = "ctrl+alt+escape"; ///< ends the recording, and is not in it; empty: none
    /// Text for a window that tells nothing of its fields, by AT-SPI or otherwise: it may be a password.
    enum class UnknownText { IsSecret, IsPlain } unknown_text = UnknownText::IsSecret;
    /// What happens in such a window is not recorded: the terminal from which it runs. May be empty.
    std::function<bool(const WindowInfo& window)> is_own_window;
    std::function<void()> on_ready; ///< from now on nothing is missed; may be empty
    std::function<void(int step, const std::string& summary)> on_step; ///< recorded; may be empty
};

struct DemonstrationReport {
    int steps = 0;
    std::vector<std::string> secrets;  ///< names that stand for what was typed: "password_1"; "text_1" where the field was unknown
    std::vector<std::string> left_out; ///< what was done and cannot be recorded, one line each
    std::vector<std::string> notes;    ///< what a replay depends on beside the screen, one line each
    std::optional<Error> cut_short;    ///< why it ended though nobody said so: the display is gone, the disk is full
};

/// Records until `stop`, or until the person presses the stop chord. What was typed into a password field, or may have been,
/// never reaches the sink: a reference stands for it. Unsupported where a person's input cannot be followed; InvalidArgument for a
/// chord that is none; an Error of the sink or of the screen before there was anything to record. Later ones cut it short: what was
/// recorded until then stays, and the task ends `failed`.
Result<DemonstrationReport> record_demonstration(const DemonstrationOptions& options, Platform& platform, Clock& clock, StepSink& sink, std::stop_token stop);

} // namespace handeye
