// SPDX-License-Identifier: Apache-2.0
#include "agent/approval.h"

#include "base/hash.h"
#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

using nlohmann::json;

std::string_view approval_decision_name(ApprovalDecision decision) {
    switch (decision) {
    case ApprovalDecision::Approve: return "approve";
    case ApprovalDecision::Deny: return "deny";
    case ApprovalDecision::TakeOver: return "take_over";
    case ApprovalDecision::Expired: return "expired";
    case ApprovalDecision::Dropped: return "dropped";
    }
    return "deny";
}

std::string approval_digest(const ApprovalRequest& request) {
    return to_hex(sha256(fmt::format("{}\n{}\n{}\n{}", request.action_json, request.window, request.frame_sha256,
                                     request.expires_at.time_since_epoch().count())));
}

std::string canonical_resolved_json(const Action& action, const Plan& plan) {
    json points = json::array();
    for (const CoordinateChain& chain : plan.points) {
        points.push_back({{"x", chain.target.point.x},
                          {"y", chain.target.point.y},
                          {"width", chain.target.frame.width_px},
                          {"height", chain.target.frame.height_px}});
    }
    return dump_json(json{{"action", json::parse(to_canonical_json(action), nullptr, false)}, {"target", points}}); // keys are sorted
}

} // namespace handeye
