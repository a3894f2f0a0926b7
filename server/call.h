// SPDX-License-Identifier: Apache-2.0
// One request on its way through a handler, and the answer it owes.
#pragma once

#include "server/rpc.h"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

struct Core;
class LiveSession;
class Loop;
class Peer;

/// How a request ended: a result, or why not.
struct Outcome {
    std::string result_json;
    std::optional<RpcError> error;
    bool has_acted = false; ///< it failed after something was done: a request key keeps that, nothing is done again
};

/// Who answers a request that is cancelled.
enum class OnCancel {
    AnswerAtOnce,    ///< the server; what the handler says later is dropped
    HandlerAnswers,  ///< the handler, once what it was doing has stopped
};
/// What becomes of a request whose client has gone.
enum class OnHangUp { GoesOn, IsCancelled };

/// The answer to one request. The first one counts, the others are dropped, so it may be given now or later and from any
/// thread. Copies answer the same request.
class Reply {
public:
    /// `deliver` is called once, on the loop.
    Reply(Loop& loop, std::function<void(Outcome)> deliver);
    void ok(const nlohmann::json& result) const;
    void fail(const RpcError& error) const;
    void fail(const Error& error) const { fail(to_rpc_error(error)); }
    void give(Outcome outcome) const;

    /// Requested when the client cancels, and when its deadline has passed.
    [[nodiscard]] std::stop_token stop() const;
    /// To be called before the handler returns.
    void set_cancelling(OnCancel on_cancel, OnHangUp on_hang_up) const;
    /// The client no longer wants it: asks the handler to stop, and answers with `cancelled` unless the handler will.
    void cancel() const;
    /// As cancel(); the answer is `deadline_exceeded`.
    void expire() const;
    void hang_up() const;
    /// From now on cancelling this cancels `other`, whose answer becomes this one's. The loop only.
    void pass_cancelling_to(const Reply& other) const;
    [[nodiscard]] bool is_answered() const;

private:
    struct State;
    explicit Reply(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

/// What a handler gets. `params` has passed the method's schema; everything but `reply` is for the handler's own time.
struct Call {
    Core& core;
    Peer& peer;
    const nlohmann::json& params;
    Reply reply;
};

/// The session that the parameter `session` names; nullptr when there is none, and then the call has failed with no_such_session.
std::shared_ptr<LiveSession> find_session_or_fail(const Call& call);

} // namespace handeye
