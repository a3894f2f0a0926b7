// SPDX-License-Identifier: Apache-2.0
// What a person is asked before an action is performed, and what the answer may be. An approval is for one resolved action on
// one picture of its target; the session checks both again before it acts.
#pragma once

#include "actions/action.h"
#include "actions/resolve.h"
#include "base/clock.h"
#include "base/geometry.h"

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace handeye {

struct ApprovalRequest {
    std::string approval;      ///< ULID
    int task = 0;
    int step = 0;
    std::string action_json;   ///< canonical_resolved_json()
    std::string frame_sha256;  ///< of the recorded picture; empty where it was withheld
    std::uint64_t window = 0;  ///< that it goes to, by the platform's number; 0: none, or unknown
    std::string window_title;  ///< for the person; so is the next
    std::string window_app;    ///< its program; empty: unknown
    Rect crop;                 ///< what must stay as it is, in target pixels
    std::string risk;          ///< "low", "medium", "high"
    std::string reason;
    std::string rule;
    WallTime expires_at{};
    std::string action_digest; ///< approval_digest(), hexadecimal
};
/// SHA-256 over all that an approval is for: the resolved action, the window and the picture, and until when.
std::string approval_digest(const ApprovalRequest& request);

enum class ApprovalDecision {
    Approve,
    Deny,
    TakeOver, ///< a person goes on by hand
    Expired,  ///< nobody answered in time
    Dropped,  ///< stopped, paused or pre-empted while it waited
};
std::string_view approval_decision_name(ApprovalDecision decision);

struct ApprovalAnswer {
    ApprovalDecision decision = ApprovalDecision::Deny;
    std::string by;
    std::string note; ///< for the model, after a denial
};

/// Blocks until somebody has answered, the request has expired, or `stop`. Called on the session's thread. Calls `announce` once,
/// as soon as the request can be answered.
using AskForApproval =
    std::function<ApprovalAnswer(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop)>;

/// The action with the places where it goes, in one way of writing.
std::string canonical_resolved_json(const Action& action, const Plan& plan);

} // namespace handeye
