// SPDX-License-Identifier: Apache-2.0
// The model and the prompts of today over the screens of a recording: which of its actions would be others now. Nothing is done.
#pragma once

#include "agent/recorder.h"
#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"
#include "engine/chat_model.h"
#include "prompts/render.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

/// One answer, then and now.
struct ReplayedAnswer {
    int step = 0;               ///< of the task, from 1
    std::string call_then;      ///< as the model wrote it; empty: its answer held no action
    std::string call_now;
    std::optional<Point> at_then; ///< in the target's pixels; unset: the action has no place
    std::optional<Point> at_now;
    bool is_same = false;       ///< does the same to the same thing
    std::string why;            ///< what differs: "another place, 212 px away"; empty: nothing
    bool is_prompt_same = false;
    Duration took{};
};

struct ModelReplayOptions {
    std::string prompt;         ///< prompt folder; empty: the model's own
    RenderOptions render;
    std::function<void(const ReplayedAnswer&)> on_answer; ///< as they come; may be empty
};

/// Every step of the last task at which a model was asked, each with the history that was recorded before it, in the sampling that was
/// recorded. Two actions are the same when they do the same (verb, text, keys, direction) and, where they have a place, when the place of
/// now lies in the element that was hit then, or within 2 % of the target's longer side of it where no element was known. InvalidArgument
/// for a recording that is damaged or holds no such step; Unsupported for set-of-marks prompts, whose marks are not recorded; errors of
/// the model and Cancelled are handed on.
Result<std::vector<ReplayedAnswer>> replay_model(const Recording& recording, ChatModel& model, Clock& clock, const ModelReplayOptions& options, std::stop_token stop);

} // namespace handeye
