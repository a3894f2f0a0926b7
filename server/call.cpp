// SPDX-License-Identifier: Apache-2.0
#include "server/call.h"

#include "base/json.h"
#include "server/core.h"
#include "server/loop.h"

#include <atomic>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

struct Reply::State {
    Loop* loop = nullptr;
    std::function<void(Outcome)> deliver;
    std::stop_source stop;
    std::shared_ptr<State> next; ///< what is cancelled in place of this; ends with the answer
    std::atomic<bool> is_answered = false;
    std::atomic<bool> is_expired = false;
    std::atomic<OnCancel> on_cancel = OnCancel::AnswerAtOnce;
    std::atomic<OnHangUp> on_hang_up = OnHangUp::GoesOn;
};

Reply::Reply(Loop& loop, std::function<void(Outcome)> deliver) : state_(std::make_shared<State>()) {
    state_->loop = &loop;
    state_->deliver = std::move(deliver);
}

void Reply::give(Outcome outcome) const {
    if (state_->is_answered.exchange(true)) {
        return;
    }
    if (state_->is_expired && outcome.error && outcome.error->kind == ErrorKind::Cancelled) {
        outcome.error = RpcError{ErrorKind::DeadlineExceeded, "stopped at the client's deadline: " + outcome.error->message, ""};
    }
    state_->loop->dispatch([state = state_, outcome = std::move(outcome)]() mutable {
        const auto deliver = std::exchange(state->deliver, nullptr); // what it holds goes with it
        state->next.reset();
        deliver(std::move(outcome));
    });
}

void Reply::ok(const nlohmann::json& result) const {
    if (!is_answered()) {
        give({dump_json(result), std::nullopt});
    }
}

void Reply::fail(const RpcError& error) const { give({"", error}); }

std::stop_token Reply::stop() const { return state_->stop.get_token(); }

void Reply::set_cancelling(OnCancel on_cancel, OnHangUp on_hang_up) const {
    state_->on_cancel = on_cancel;
    state_->on_hang_up = on_hang_up;
}

void Reply::pass_cancelling_to(const Reply& other) const { state_->next = other.state_; }

void Reply::cancel() const {
    if (state_->next) {
        Reply(state_->next).cancel();
        return;
    }
    state_->stop.request_stop();
    if (state_->on_cancel == OnCancel::AnswerAtOnce) {
        fail(RpcError{ErrorKind::Cancelled, "cancelled by the client", ""});
    }
}

void Reply::expire() const {
    state_->is_expired = true;
    if (state_->next) {
        Reply(state_->next).expire();
    } else {
        cancel();
    }
}

void Reply::hang_up() const {
    if (state_->next) {
        Reply(state_->next).hang_up();
        return;
    }
    if (state_->on_hang_up == OnHangUp::IsCancelled) {
        state_->stop.request_stop();
    }
}

bool Reply::is_answered() const { return state_->is_answered; }

std::shared_ptr<LiveSession> find_session_or_fail(const Call& call) {
    const auto id = call.params.at("session").get<std::string>();
    auto session = call.core.hub.find(id);
    if (!session) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no session \"{}\"", id), "session"});
    }
    return session;
}

} // namespace handeye
