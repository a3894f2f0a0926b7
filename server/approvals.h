// SPDX-License-Identifier: Apache-2.0
// The approvals of one session: the session's thread waits here while somebody decides.
#pragma once

#include "agent/approval.h"
#include "server/rpc.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace handeye {

enum class ApprovalState { Pending, Approved, Denied, TakenOver, Expired, Dropped };
std::string_view approval_state_name(ApprovalState state);

struct ApprovalRecord {
    std::string session;
    ApprovalRequest request;
    ApprovalState state = ApprovalState::Pending;
    std::string by;
    std::string note;
};

/// Any thread.
class Approvals {
public:
    /// `on_request` hears of each new one, and again when it waits no more; on the session's thread; must not block.
    Approvals(std::string session, Clock& clock, std::function<void(const ApprovalRecord&)> on_request);

    /// What the session asks (AskForApproval).
    ApprovalAnswer ask(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop);

    /// NoSuchApproval; ApprovalStale when it is not pending any more, or the digest is given and is another one.
    /// `before_told` runs once the decision counts, before the session's thread hears of it.
    RpcResult<ApprovalRecord> decide(const std::string& approval, const ApprovalAnswer& answer, const std::string& digest,
                                     const std::function<void()>& before_told = [] {});
    [[nodiscard]] std::optional<ApprovalRecord> find(const std::string& approval) const;
    /// Newest last.
    [[nodiscard]] std::vector<ApprovalRecord> list() const;

private:
    ApprovalRecord* find_locked(const std::string& approval);

    const std::string session_;
    Clock& clock_;
    const std::function<void(const ApprovalRecord&)> on_request_;
    mutable std::mutex mutex_; // guards the two below
    std::condition_variable_any changed_;
    std::deque<ApprovalRecord> records_; // oldest first
};

} // namespace handeye
