// SPDX-License-Identifier: Apache-2.0
// Values to log lines: one function per event type of docs/events.md. Pure. Inside this folder only.
#pragma once

#include "agent/approval.h"
#include "agent/frame_encoder.h"
#include "agent/session.h"
#include "agent/step.h"
#include "agent/step_sink.h"
#include "agent/stuck.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handeye::events {

/// Text as a blob of media type text/plain.
Blob text_blob(std::string_view text_utf8);

/// Which step of which task an event tells of.
struct At {
    int task = 0;
    int step = 0;
    int attempt = 1; ///< of the question: 2 after an answer without an action
};

struct Captured {
    const Screenshot* screenshot = nullptr;
    std::optional<EncodedFrame> frame; ///< unset: withheld
    std::string withheld;              ///< why
    int masks = 0;
    Duration capture_time{};
    Duration encode_time{};
};
struct Verified {
    Certainty certainty = Certainty::Unverifiable;
    std::string reason;
    Rect changed; ///< empty: nothing
};

SessionEvent session_opened(const std::string& session_id, const SessionOptions& options, const DisplayInfo& display,
                            const ModelInfo& model);
SessionEvent session_closed(int tasks);
SessionEvent task_started(int task, const std::string& goal_utf8);
SessionEvent task_step_started(At at);
SessionEvent observation_captured(At at, std::string_view when, const Captured& captured);
SessionEvent prompt_built(At at, const RenderedPrompt& prompt, const std::string& prompt_text, const std::string& prompt_name,
                          Surface surface, const SamplingOptions& sampling);
SessionEvent engine_finished(At at, const Result<Completion>& reply, Duration wall);
/// `confidence`: of the place that a model points at. `found_json`: of a step that was known beforehand, how its target was found; empty: nothing was looked for.
SessionEvent action_proposed(At at, const ParsedReply& reply, const std::string& found_json = {}, std::optional<double> confidence = {});
SessionEvent model_asked(At at, const std::string& prompt, const ChatRequest& request);
SessionEvent action_not_recognised(At at, const std::string& why);
SessionEvent action_gated(At at, const GateDecision& decision);
SessionEvent approval_requested(const ApprovalRequest& request);
SessionEvent approval_decided(const std::string& approval, const ApprovalAnswer& answer);
/// `why`: "expired", "interrupted", "target_changed".
SessionEvent approval_expired(const std::string& approval, std::string_view why);
/// `state`: "running", "paused", "waiting_for_approval", "human", "script".
SessionEvent task_state(int task, std::string_view state);
/// `elements`: of the screen on which it was performed.
SessionEvent action_executed(At at, const Plan& plan, const ActionResult& result, const std::vector<Element>& elements = {});
SessionEvent action_verified(At at, const Verified& verified);
SessionEvent task_step_finished(At at, const Step& step, const std::string& observation, std::int64_t tokens_so_far);
SessionEvent loop_suspected(At at, const StuckVerdict& verdict);
SessionEvent budget_exceeded(At at, std::string_view budget, double used, double limit);
SessionEvent task_finished(int task, const TaskReport& report);

/// All text parts of a request, pictures as "<picture WxH>".
std::string prompt_text(const ChatRequest& request);

} // namespace handeye::events
