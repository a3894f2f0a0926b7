// SPDX-License-Identifier: Apache-2.0
// A press is remembered before it is sent and forgotten after its release was sent, under one lock with the sending.
#include "platforms/vnc/input_gate.h"

#include "platforms/vnc/keysyms.h"

#include <algorithm>
#include <utility>

namespace handeye::vnc {
namespace {

constexpr Duration kServerPatience = std::chrono::seconds(10);
constexpr Duration kReleasePatience = std::chrono::milliseconds(40); // of the 50 ms that a stop may take

} // namespace

InputGate::Obeying::Obeying(InputGate& gate, std::stop_token stop) : gate_(gate) {
    const std::lock_guard lock(gate_.mutex_);
    gate_.stop_ = std::move(stop);
}

InputGate::Obeying::~Obeying() {
    const std::lock_guard lock(gate_.mutex_);
    gate_.stop_ = {};
}

Result<void> InputGate::use(std::shared_ptr<Link> link) {
    const std::lock_guard lock(mutex_);
    link_ = std::move(link);
    return send_releases();
}

Result<void> InputGate::may_send() const {
    if (is_closed_ || stop_.stop_requested()) {
        return Error{ErrorCode::Cancelled, "input was stopped: nothing is pressed any more"};
    }
    return {};
}

Result<void> InputGate::send_pointer() {
    const Point at = pointer_.value_or(Point{});
    return link_->send_pointer({buttons_, at.x, at.y});
}

/// Without the lock: who lets go must not wait for a server that is slow.
Result<void> InputGate::keep_pace() {
    std::shared_ptr<Link> link;
    std::stop_token stop;
    {
        const std::lock_guard lock(mutex_);
        link = link_;
        stop = stop_;
    }
    return link->keep_pace(clock_.now() + kServerPatience, stop);
}

/// x11vnc holds pointer events back while it looks whether a window scrolls, but no keys: what is of the other kind waits.
Result<void> InputGate::turn_to(Kind kind) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(last_, kind) == kind || link_ == nullptr) {
            return {};
        }
    }
    return sync();
}

Result<void> InputGate::move(Point to) {
    TRY(turn_to(Kind::Pointer));
    {
        const std::lock_guard lock(mutex_);
        TRY(may_send());
        pointer_ = to;
        TRY(send_pointer());
    }
    return keep_pace();
}

Result<void> InputGate::button(unsigned number, bool is_press) {
    if (const Result<void> turned = turn_to(Kind::Pointer); !turned && is_press) { // letting go is never refused
        return turned;
    }
    {
        const std::lock_guard lock(mutex_);
        const unsigned bit = 1U << (number - 1);
        if (is_press) {
            TRY(may_send());
        }
        buttons_ = is_press ? buttons_ | bit : buttons_ & ~bit;
        TRY(send_pointer());
    }
    return keep_pace();
}

Result<void> InputGate::press_key(const std::string& name, std::uint32_t keysym) {
    TRY(turn_to(Kind::Key));
    {
        const std::lock_guard lock(mutex_);
        TRY(may_send());
        const bool is_shifted = std::any_of(keys_.begin(), keys_.end(), [](const auto& key) { return is_shift(key.second); });
        const std::uint32_t sent = is_shifted ? shifted(keysym) : keysym;
        keys_[name] = sent;
        TRY(link_->send_key({sent, 1}));
    }
    return keep_pace();
}

/// A release without its press is sent all the same: the key may have been left down by somebody else.
Result<void> InputGate::release_key(const std::string& name, std::uint32_t keysym) {
    static_cast<void>(turn_to(Kind::Key)); // letting go is never refused
    {
        const std::lock_guard lock(mutex_);
        const auto found = keys_.find(name);
        TRY(link_->send_key({found != keys_.end() ? found->second : keysym, 0}));
        keys_.erase(name);
    }
    return keep_pace();
}

Result<void> InputGate::tap(std::uint32_t keysym) {
    TRY(turn_to(Kind::Key));
    {
        const std::lock_guard lock(mutex_);
        TRY(may_send());
        TRY(link_->send_key({keysym, 1}));
        TRY(link_->send_key({keysym, 0}));
    }
    return keep_pace();
}

Result<void> InputGate::sync() {
    std::shared_ptr<Link> link;
    std::stop_token stop;
    {
        const std::lock_guard lock(mutex_);
        link = link_;
        stop = stop_;
    }
    return link->wait_fence(TRY(link->begin_fence()), clock_.now() + kServerPatience, stop);
}

bool InputGate::has_button_down() const {
    const std::lock_guard lock(mutex_);
    return buttons_ != 0;
}

std::optional<Point> InputGate::pointer() const {
    const std::lock_guard lock(mutex_);
    return pointer_;
}

Result<void> InputGate::send_releases() {
    if (buttons_ != 0) {
        const unsigned held = std::exchange(buttons_, 0U);
        if (const Result<void> sent = send_pointer(); !sent) {
            buttons_ = held; // at a server that went away: when it is back
            return sent;
        }
    }
    while (!keys_.empty()) {
        TRY(link_->send_key({keys_.begin()->second, 0}));
        keys_.erase(keys_.begin());
    }
    return {};
}

Result<void> InputGate::release_all() {
    std::shared_ptr<Link> link;
    {
        const std::lock_guard lock(mutex_);
        if (link_ == nullptr || (buttons_ == 0 && keys_.empty() && link_->state().failure)) {
            return {};
        }
        TRY(send_releases());
        link = link_;
    }
    // Also where nothing was held: what was sent before the stop has arrived when this returns.
    const std::uint64_t number = TRY(link->begin_fence());
    const Result<void> taken = link->wait_fence(number, clock_.now() + kReleasePatience, {});
    return !taken && taken.error().code == ErrorCode::DeadlineExceeded ? Result<void>() : taken; // a slow server reads it when it reads
}

} // namespace handeye::vnc
