// SPDX-License-Identifier: Apache-2.0
// approval.*: what waits for a person's yes. Deciding needs the scope approve, which an agent with control does not hold.
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json approval_json(const ApprovalRecord& record) {
    const ApprovalRequest& request = record.request;
    json out{{"approval", request.approval},
             {"session", record.session},
             {"step", request.step},
             {"state", approval_state_name(record.state)},
             {"action", json::parse(request.action_json, nullptr, false)},
             {"action_digest", request.action_digest},
             {"crop", {{"x", request.crop.x}, {"y", request.crop.y}, {"width", request.crop.width_px}, {"height", request.crop.height_px}}},
             {"risk", request.risk},
             {"reason", request.reason},
             {"rule", request.rule},
             {"expires_at", format_utc(request.expires_at)}};
    if (request.window != 0) {
        out["window"] = {{"title", request.window_title}, {"app", request.window_app}};
    }
    if (!request.frame_sha256.empty()) {
        out["frame"] = request.frame_sha256;
    }
    if (record.state != ApprovalState::Pending) {
        out["by"] = record.by;
        out["note"] = record.note;
    }
    return out;
}

std::vector<std::shared_ptr<LiveSession>> sessions_of(SessionHub& hub) {
    std::vector<std::shared_ptr<LiveSession>> out;
    for (const SessionStatus& status : hub.list()) {
        if (auto session = hub.find(status.session); session) {
            out.push_back(std::move(session));
        }
    }
    return out;
}

std::shared_ptr<LiveSession> session_of_approval(const Call& call, const std::string& approval) {
    for (auto& session : sessions_of(call.core.hub)) {
        if (session->approvals().find(approval)) {
            return session;
        }
    }
    call.reply.fail(RpcError{ErrorKind::NoSuchApproval, fmt::format("there is no approval \"{}\"", approval), "approval"});
    return nullptr;
}

ApprovalDecision decision_from(const std::string& name) {
    for (const ApprovalDecision decision : {ApprovalDecision::Approve, ApprovalDecision::TakeOver}) {
        if (approval_decision_name(decision) == name) {
            return decision;
        }
    }
    return ApprovalDecision::Deny; // the schema let nothing else through
}

} // namespace

void approval_list(const Call& call) {
    const std::string wanted = call.params.value("session", "");
    json approvals = json::array();
    for (const auto& session : sessions_of(call.core.hub)) {
        if (!wanted.empty() && session->id() != wanted) {
            continue;
        }
        for (const ApprovalRecord& record : session->approvals().list()) {
            approvals.push_back(approval_json(record));
        }
    }
    call.reply.ok({{"approvals", std::move(approvals)}});
}

void approval_get(const Call& call) {
    const auto approval = call.params.at("approval").get<std::string>();
    if (const auto session = session_of_approval(call, approval); session) {
        call.reply.ok(approval_json(*session->approvals().find(approval)));
    }
}

// Taking over first takes the target away, then answers: the agent never sees a moment in which it may act.
void approval_decide(const Call& call) {
    const auto approval = call.params.at("approval").get<std::string>();
    const auto session = session_of_approval(call, approval);
    if (!session) {
        return;
    }
    const ApprovalDecision decision = decision_from(call.params.at("decision").get<std::string>());
    RpcResult<Lease> lease = Lease{};
    const auto take = [&] {
        if (decision == ApprovalDecision::TakeOver) {
            lease = session->acquire(LeaseMode::Human, Duration::zero(), call.peer.client());
        }
    };
    const auto decided = session->approvals().decide(approval, {decision, call.peer.client(), call.params.value("note", "")},
                                                     call.params.value("action_digest", ""), take);
    if (const auto* const error = std::get_if<RpcError>(&decided); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    if (const auto* const error = std::get_if<RpcError>(&lease); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    json out = approval_json(std::get<ApprovalRecord>(decided));
    if (decision == ApprovalDecision::TakeOver) {
        out["lease"] = std::get<Lease>(lease).id;
        (void)call.core.stopper.submit([session] { session->note_lease(); });
    }
    call.reply.ok(out);
}

} // namespace handeye
