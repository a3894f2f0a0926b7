// SPDX-License-Identifier: Apache-2.0
#include "remote/pool.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace handeye {
namespace {

constexpr std::size_t kStaysMax = 4096;
constexpr std::size_t kSaidMax = 64;

} // namespace

Pool::Pool(std::vector<RemoteAddress> addresses, Duration pause_first, Duration pause_max) : pause_first_(pause_first), pause_max_(pause_max) {
    for (RemoteAddress& address : addresses) {
        seats_.push_back({.address = std::move(address), .traits = {}, .why = {}, .said = {}});
    }
}

std::vector<std::size_t> Pool::order(const std::string& session) const {
    const std::lock_guard lock(mutex_);
    const auto stay = by_session_.find(session);
    const std::size_t home = stay == by_session_.end() ? seats_.size() : stay->second->server;
    const auto rank = [&](std::size_t i) {
        const Seat& seat = seats_[i];
        const TimePoint due = seat.is_up ? TimePoint() : seat.due;
        return std::tuple(!seat.is_up, due, i != home, seat.sessions + seat.questions, i);
    };
    std::vector<std::size_t> out(seats_.size());
    std::iota(out.begin(), out.end(), std::size_t{0});
    std::sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    return out;
}

Pool::Visit::Visit(Pool& pool, std::size_t server, std::string session) : pool_(pool), server_(server), session_(std::move(session)) {
    const std::lock_guard lock(pool_.mutex_);
    ++pool_.seats_[server_].questions;
}

Pool::Visit::~Visit() {
    const std::lock_guard lock(pool_.mutex_);
    --pool_.seats_[server_].questions;
}

void Pool::Visit::keep() { pool_.keep(session_, server_); }

void Pool::keep(const std::string& session, std::size_t server) {
    const std::lock_guard lock(mutex_);
    if (const auto known = by_session_.find(session); known != by_session_.end()) {
        stays_.splice(stays_.begin(), stays_, known->second);
        --seats_[stays_.front().server].sessions;
        stays_.front().server = server;
    } else {
        stays_.push_front({session, server});
        by_session_.emplace(session, stays_.begin());
    }
    ++seats_[server].sessions;
    if (stays_.size() > kStaysMax) {
        --seats_[stays_.back().server].sessions;
        by_session_.erase(stays_.back().session);
        stays_.pop_back();
    }
}

bool Pool::mark_up(std::size_t server) {
    const std::lock_guard lock(mutex_);
    seats_[server].pause = Duration::zero();
    return !std::exchange(seats_[server].is_up, true);
}

bool Pool::mark_down(std::size_t server, const std::string& why, TimePoint now, std::optional<Duration> pause) {
    const std::lock_guard lock(mutex_);
    Seat& seat = seats_[server];
    seat.pause = std::clamp(seat.pause * 2, pause_first_, pause_max_);
    seat.due = now + pause.value_or(seat.pause);
    seat.why = why;
    return std::exchange(seat.is_up, false);
}

std::vector<std::size_t> Pool::due(TimePoint now) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < seats_.size(); ++i) {
        if (!seats_[i].is_up && seats_[i].due <= now) {
            out.push_back(i);
        }
    }
    return out;
}

std::optional<TimePoint> Pool::next_due() const {
    const std::lock_guard lock(mutex_);
    std::optional<TimePoint> next;
    for (const Seat& seat : seats_) {
        if (!seat.is_up) {
            next = std::min(next.value_or(seat.due), seat.due);
        }
    }
    return next;
}

std::optional<ServerTraits> Pool::traits(std::size_t server) const {
    const std::lock_guard lock(mutex_);
    return seats_[server].traits;
}

void Pool::learn_model(std::size_t server, const ServedModel& model) {
    const std::lock_guard lock(mutex_);
    std::optional<ServerTraits>& traits = seats_[server].traits;
    if (!traits || traits->model.kind != model.kind || traits->model.name != model.name) { // another server there now: what was learnt of the old one is void
        traits = ServerTraits{.model = model, .refused = {}};
    } else {
        traits->model = model;
    }
}

void Pool::learn_refused(std::size_t server, const std::vector<std::string>& fields) {
    const std::lock_guard lock(mutex_);
    if (seats_[server].traits) {
        seats_[server].traits->refused.insert(fields.begin(), fields.end());
    }
}

void Pool::learn_splitting(std::size_t server) {
    const std::lock_guard lock(mutex_);
    if (seats_[server].traits) {
        seats_[server].traits->splits_reasoning = true;
    }
}

bool Pool::say_once(std::size_t server, const std::string& what) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string>& said = seats_[server].said;
    if (said.size() >= kSaidMax || std::find(said.begin(), said.end(), what) != said.end()) {
        return false;
    }
    said.push_back(what);
    return true;
}

} // namespace handeye
