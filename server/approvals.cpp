// SPDX-License-Identifier: Apache-2.0
// A decision counts once, for one request, while that request waits: everything else is refused as stale.
#include "server/approvals.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kRecordsKept = 64;

ApprovalState state_after(ApprovalDecision decision) {
    switch (decision) {
    case ApprovalDecision::Approve: return ApprovalState::Approved;
    case ApprovalDecision::Deny: return ApprovalState::Denied;
    case ApprovalDecision::TakeOver: return ApprovalState::TakenOver;
    case ApprovalDecision::Expired: return ApprovalState::Expired;
    case ApprovalDecision::Dropped: return ApprovalState::Dropped;
    }
    return ApprovalState::Dropped;
}

ApprovalDecision decision_of(ApprovalState state) {
    switch (state) {
    case ApprovalState::Approved: return ApprovalDecision::Approve;
    case ApprovalState::Denied: return ApprovalDecision::Deny;
    case ApprovalState::TakenOver: return ApprovalDecision::TakeOver;
    case ApprovalState::Expired: return ApprovalDecision::Expired;
    case ApprovalState::Pending:
    case ApprovalState::Dropped: return ApprovalDecision::Dropped;
    }
    return ApprovalDecision::Dropped;
}

} // namespace

std::string_view approval_state_name(ApprovalState state) {
    switch (state) {
    case ApprovalState::Pending: return "pending";
    case ApprovalState::Approved: return "approved";
    case ApprovalState::Denied: return "denied";
    case ApprovalState::TakenOver: return "taken_over";
    case ApprovalState::Expired: return "expired";
    case ApprovalState::Dropped: return "dropped";
    }
    return "dropped";
}

Approvals::Approvals(std::string session, Clock& clock, std::function<void(const ApprovalRecord&)> on_request)
    : session_(std::move(session)), clock_(clock), on_request_(std::move(on_request)) {}

ApprovalRecord* Approvals::find_locked(const std::string& approval) {
    const auto found = std::find_if(records_.begin(), records_.end(), [&](const ApprovalRecord& r) { return r.request.approval == approval; });
    return found == records_.end() ? nullptr : &*found;
}

ApprovalAnswer Approvals::ask(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop) {
    const ApprovalRecord record{session_, request, ApprovalState::Pending, "", ""};
    {
        const std::lock_guard lock(mutex_);
        records_.push_back(record);
        if (records_.size() > kRecordsKept) {
            records_.pop_front();
        }
    }
    announce();
    on_request_(record);
    std::unique_lock lock(mutex_);
    const auto is_decided = [&] {
        const ApprovalRecord* const now = find_locked(request.approval);
        return now == nullptr || now->state != ApprovalState::Pending;
    };
    changed_.wait_for(lock, stop, request.expires_at - clock_.wall_now(), is_decided);
    ApprovalRecord* const now = find_locked(request.approval);
    if (now != nullptr && (now->state == ApprovalState::Pending || (stop.stop_requested() && now->state != ApprovalState::TakenOver))) {
        now->state = stop.stop_requested() ? ApprovalState::Dropped : ApprovalState::Expired;
    }
    const ApprovalRecord settled = now != nullptr ? *now : ApprovalRecord{session_, request, ApprovalState::Dropped, "", ""};
    lock.unlock();
    on_request_(settled);
    return {decision_of(settled.state), settled.by, settled.note};
}

RpcResult<ApprovalRecord> Approvals::decide(const std::string& approval, const ApprovalAnswer& answer, const std::string& digest,
                                            const std::function<void()>& before_told) {
    const std::lock_guard lock(mutex_);
    ApprovalRecord* const record = find_locked(approval);
    if (record == nullptr) {
        return RpcError{ErrorKind::NoSuchApproval, fmt::format("there is no approval \"{}\"", approval), "approval"};
    }
    if (record->state == ApprovalState::Pending && clock_.wall_now() >= record->request.expires_at) {
        record->state = ApprovalState::Expired;
        changed_.notify_all();
    }
    if (record->state != ApprovalState::Pending) {
        return RpcError{ErrorKind::ApprovalStale, fmt::format("approval \"{}\" is {} already", approval, approval_state_name(record->state)), "approval"};
    }
    if (!digest.empty() && digest != record->request.action_digest) {
        return RpcError{ErrorKind::ApprovalStale, "the approval is for another action than the one that was shown", "action_digest"};
    }
    record->state = state_after(answer.decision);
    record->by = answer.by;
    record->note = answer.note;
    before_told();
    changed_.notify_all();
    return *record;
}

std::optional<ApprovalRecord> Approvals::find(const std::string& approval) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(records_.begin(), records_.end(), [&](const ApprovalRecord& r) { return r.request.approval == approval; });
    return found == records_.end() ? std::nullopt : std::optional(*found);
}

std::vector<ApprovalRecord> Approvals::list() const {
    const std::lock_guard lock(mutex_);
    return {records_.begin(), records_.end()};
}

} // namespace handeye
