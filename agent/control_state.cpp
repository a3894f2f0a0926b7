// SPDX-License-Identifier: Apache-2.0
#include "agent/control_state.h"

#include "base/hash.h"

#include <fmt/format.h>

namespace handeye {

std::string_view hold_name(Hold hold) {
    switch (hold) {
    case Hold::None: return "none";
    case Hold::Paused: return "paused";
    case Hold::Human: return "human";
    case Hold::Script: return "script";
    }
    return "none";
}

void ControlState::expire_locked() {
    const TimePoint now = clock_.now();
    if (lease_ && lease_->expires_at != TimePoint{} && now >= lease_->expires_at) {
        lease_.reset();
    }
    if (input_until_ && now >= *input_until_) {
        input_until_.reset();
    }
}

Hold ControlState::hold_locked() {
    expire_locked();
    if (input_until_ || (lease_ && lease_->mode == LeaseMode::Human)) {
        return Hold::Human;
    }
    if (lease_) {
        return Hold::Script;
    }
    return is_paused_ && !may_step_ ? Hold::Paused : Hold::None;
}

// The token is handed out, so that its callbacks run outside the lock.
void ControlState::changed_locked(std::stop_source& interrupted) {
    if (hold_locked() != Hold::None && !running_.stop_requested()) {
        interrupted = running_;
    }
    changed_.notify_all();
}

void ControlState::pause() {
    std::stop_source interrupted(std::nostopstate);
    {
        const std::lock_guard lock(mutex_);
        is_paused_ = true;
        may_step_ = false;
        changed_locked(interrupted);
    }
    interrupted.request_stop();
}

void ControlState::resume() {
    const std::lock_guard lock(mutex_);
    is_paused_ = false;
    may_step_ = false;
    input_until_.reset();
    changed_.notify_all();
}

void ControlState::step() {
    const std::lock_guard lock(mutex_);
    is_paused_ = true;
    may_step_ = true;
    input_until_.reset();
    changed_.notify_all();
}

Result<Lease> ControlState::acquire(LeaseMode mode, Duration ttl, std::string by, bool is_busy) {
    const std::string id = TRY(random_hex(16));
    std::stop_source interrupted(std::nostopstate);
    Lease lease{id, mode, std::move(by), {}};
    {
        const std::lock_guard lock(mutex_);
        const Hold now = hold_locked();
        if (mode == LeaseMode::Script && (now == Hold::Human || now == Hold::Script || (is_busy && now == Hold::None))) {
            return Error{ErrorCode::Overloaded, fmt::format("the target is held by {}", now == Hold::None ? "the agent" : hold_name(now))};
        }
        lease.expires_at = ttl > Duration::zero() ? clock_.now() + ttl : TimePoint{};
        lease_ = lease;
        changed_locked(interrupted);
    }
    interrupted.request_stop();
    return lease;
}

Result<void> ControlState::release(const std::string& lease) {
    const std::lock_guard lock(mutex_);
    expire_locked();
    if (!lease_ || lease_->id != lease) {
        return Error{ErrorCode::NotFound, "that lease does not hold the target: it was released, has expired or was pre-empted"};
    }
    lease_.reset();
    input_until_.reset();
    changed_.notify_all();
    return {};
}

std::optional<Lease> ControlState::lease() {
    const std::lock_guard lock(mutex_);
    expire_locked();
    return lease_;
}

bool ControlState::may_act(const std::string& lease) {
    const std::lock_guard lock(mutex_);
    const Hold now = hold_locked();
    if (lease.empty()) {
        return now == Hold::None;
    }
    return lease_ && lease_->id == lease;
}

bool ControlState::human_input() {
    if (!options_.pauses_on_input) {
        return false;
    }
    std::stop_source interrupted(std::nostopstate);
    bool is_new = false;
    {
        const std::lock_guard lock(mutex_);
        is_new = hold_locked() != Hold::Human;
        input_until_ = clock_.now() + options_.input_idle;
        changed_locked(interrupted);
    }
    interrupted.request_stop();
    return is_new;
}

Hold ControlState::hold() {
    const std::lock_guard lock(mutex_);
    return hold_locked();
}

bool ControlState::is_paused() {
    const std::lock_guard lock(mutex_);
    return is_paused_;
}

std::stop_token ControlState::running() {
    const std::lock_guard lock(mutex_);
    return running_.get_token();
}

std::optional<TimePoint> ControlState::next_expiry_locked() const {
    std::optional<TimePoint> next = input_until_;
    if (lease_ && lease_->expires_at != TimePoint{} && (!next || lease_->expires_at < *next)) {
        next = lease_->expires_at;
    }
    return next;
}

WaitResult ControlState::wait_until_free(const std::stop_token& stop, const std::function<void(Hold)>& on_hold) {
    std::unique_lock lock(mutex_);
    Hold told = Hold::None;
    for (;;) {
        if (stop.stop_requested()) {
            return WaitResult::Stopped;
        }
        const Hold now = hold_locked();
        if (now == Hold::None) {
            may_step_ = false; // a step that was asked for begins here
            running_ = std::stop_source();
            return WaitResult::Reached;
        }
        if (now != told) {
            told = now;
            lock.unlock();
            on_hold(now);
            lock.lock();
            continue; // it may have changed meanwhile
        }
        const auto is_other = [&] { return hold_locked() != told; };
        if (const auto expiry = next_expiry_locked(); expiry) {
            changed_.wait_for(lock, stop, *expiry - clock_.now(), is_other);
        } else {
            changed_.wait(lock, stop, is_other);
        }
    }
}

} // namespace handeye
