// SPDX-License-Identifier: Apache-2.0
#include "server/event_feed.h"

#include "base/json.h"
#include "base/log.h"
#include "server/core.h"
#include "server/peer.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kPage = 64;
constexpr std::size_t kSubscriptionsMax = 16;
// Sent only to who names them: too many for everyone.
constexpr std::array<std::string_view, 2> kHighVolume{"engine.token", "frame"};

bool is_wanted(const SubscribeRequest& request, const std::string& type) {
    if (request.types.empty()) {
        return std::find(kHighVolume.begin(), kHighVolume.end(), type) == kHighVolume.end();
    }
    return request.types.contains(type);
}

std::string gap_text(const std::string& session, std::uint64_t from, std::uint64_t to, std::string_view reason) {
    return notification_text("events.gap",
                             dump_json(json{{"session", session}, {"from", from}, {"to", to}, {"reason", reason}}));
}

} // namespace

RpcResult<std::string> EventFeed::subscribe(SubscribeRequest request) {
    if (subscriptions_.size() >= kSubscriptionsMax) {
        return RpcError{ErrorKind::LimitExceeded, fmt::format("a connection holds at most {} subscriptions", kSubscriptionsMax), ""};
    }
    for (const std::string& session : request.sessions) {
        if (!core_.hub.find(session) && !core_.hub.recording(session)) {
            return RpcError{ErrorKind::NoSuchSession, fmt::format("there is no session \"{}\"", session), "sessions"};
        }
    }
    const std::string id = fmt::format("sub-{}", next_id_++);
    Subscription& made = subscriptions_[id];
    made.request = std::move(request);
    std::vector<std::string> sessions = made.request.sessions;
    if (sessions.empty()) {
        for (const SessionStatus& status : core_.hub.list()) {
            sessions.push_back(status.session);
        }
    }
    for (const std::string& session : sessions) {
        add_feed(made, session);
    }
    // The reply names the subscription, so it goes out before the first event: pump later.
    core_.loop.post([this, id, peer = peer_.weak_from_this()] {
        const auto alive = peer.lock();
        const auto found = alive ? subscriptions_.find(id) : subscriptions_.end();
        if (!alive || found == subscriptions_.end()) {
            return;
        }
        std::vector<std::string> feeds;
        for (const auto& [session, feed] : found->second.feeds) {
            feeds.push_back(session);
        }
        for (const std::string& session : feeds) {
            pump(id, session);
        }
    });
    return id;
}

void EventFeed::add_feed(Subscription& subscription, const std::string& session) {
    const auto live = core_.hub.find(session);
    Feed feed;
    feed.last_seq = live ? live->status().last_seq : kUnknown;
    if (subscription.request.from_seq) {
        feed.next_seq = std::max<std::uint64_t>(1, *subscription.request.from_seq);
    } else {
        feed.next_seq = live ? feed.last_seq + 1 : kUnknown; // a closed recording has nothing new
    }
    subscription.feeds[session] = feed;
}

bool EventFeed::acknowledge(const std::string& subscription, const std::string& session, std::uint64_t seq) {
    const auto found = subscriptions_.find(subscription);
    const auto feed = found == subscriptions_.end() ? std::map<std::string, Feed>::iterator() : found->second.feeds.find(session);
    if (found == subscriptions_.end() || feed == found->second.feeds.end()) {
        return false;
    }
    std::deque<std::uint64_t>& waiting = feed->second.unacknowledged;
    waiting.erase(waiting.begin(), std::upper_bound(waiting.begin(), waiting.end(), seq));
    pump(subscription, session);
    return true;
}

bool EventFeed::is_window_full(const Subscription& subscription, const Feed& feed) {
    return subscription.request.window && feed.unacknowledged.size() >= *subscription.request.window; // events.ack goes on
}

bool EventFeed::must_wait(const std::string& id, Subscription& subscription, const Feed& feed) {
    if (is_window_full(subscription, feed)) {
        return true;
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (subscription.request.event_gap == Duration::zero() || now >= subscription.not_before) {
        subscription.not_before = now + subscription.request.event_gap;
        return false;
    }
    if (!std::exchange(subscription.is_waiting, true)) {
        core_.loop.after(subscription.not_before - now, [this, id, peer = peer_.weak_from_this()] {
            const auto alive = peer.lock();
            const auto found = alive ? subscriptions_.find(id) : subscriptions_.end();
            if (alive && found != subscriptions_.end()) {
                found->second.is_waiting = false;
                on_drained();
            }
        });
    }
    return true;
}

// Of a type that is coalesced, an older event makes way for a newer one of the same page.
void EventFeed::send(const Subscription& subscription, Feed& feed, const EventPage& page, std::size_t index, const std::string& session) {
    const EventText& event = *page[index];
    const bool is_older = subscription.request.coalesce.contains(event.type) &&
                          std::any_of(page.begin() + static_cast<std::ptrdiff_t>(index) + 1, page.end(),
                                      [&](const auto& later) { return later->type == event.type; });
    if (subscription.request.window) {
        feed.unacknowledged.push_back(event.seq);
    }
    peer_.send(is_older ? gap_text(session, event.seq, event.seq, "coalesced") : event.notification);
}

bool EventFeed::unsubscribe(const std::string& subscription) { return subscriptions_.erase(subscription) != 0; }

void EventFeed::on_event(const std::string& session) {
    const auto live = core_.hub.find(session);
    const std::uint64_t last_seq = live ? live->status().last_seq : 0;
    std::vector<std::string> due;
    for (auto& [id, subscription] : subscriptions_) {
        auto feed = subscription.feeds.find(session);
        if (feed == subscription.feeds.end() && subscription.request.sessions.empty()) {
            feed = subscription.feeds.emplace(session, Feed{}).first; // opened after the subscription: from its first event
        }
        if (feed != subscription.feeds.end()) {
            feed->second.last_seq = feed->second.last_seq == kUnknown ? kUnknown : std::max(feed->second.last_seq, last_seq);
            due.push_back(id);
        }
    }
    for (const std::string& id : due) {
        pump(id, session);
    }
}

void EventFeed::on_progress(const std::string& session, std::size_t characters, const std::string& tail) {
    for (const auto& [id, subscription] : subscriptions_) {
        const auto& names = subscription.request.sessions;
        if (subscription.request.wants_progress &&
            (names.empty() || std::find(names.begin(), names.end(), session) != names.end())) {
            peer_.send_latest("engine.progress " + session,
                              notification_text("engine.progress", dump_json(json{{"session", session},
                                                                                  {"characters", characters},
                                                                                  {"tail", tail}})));
            return;
        }
    }
}

void EventFeed::on_drained() {
    std::vector<std::pair<std::string, std::string>> due;
    for (const auto& [id, subscription] : subscriptions_) {
        for (const auto& [session, feed] : subscription.feeds) {
            if (!feed.is_reading && feed.next_seq <= feed.last_seq) {
                due.emplace_back(id, session);
            }
        }
    }
    for (const auto& [id, session] : due) {
        pump(id, session);
    }
}

void EventFeed::skip_to_newest(Feed& feed, std::uint64_t max_lag, const std::string& session) {
    if (feed.last_seq == kUnknown || feed.last_seq - feed.next_seq < max_lag) {
        return;
    }
    const std::uint64_t to = feed.last_seq - max_lag;
    peer_.send(gap_text(session, feed.next_seq, to, "further behind than max_lag"));
    feed.next_seq = to + 1;
}

void EventFeed::pump(const std::string& id, const std::string& session) {
    const auto subscription = subscriptions_.find(id);
    if (subscription == subscriptions_.end() || !peer_.has_room()) {
        return;
    }
    Feed& feed = subscription->second.feeds[session];
    if (feed.is_reading || feed.next_seq == kUnknown || feed.next_seq > feed.last_seq || is_window_full(subscription->second, feed)) {
        return;
    }
    const auto recording = core_.hub.recording(session);
    if (!recording) {
        feed.last_seq = feed.next_seq - 1; // not on disk (yet): the next event asks again
        return;
    }
    if (subscription->second.request.max_lag) {
        skip_to_newest(feed, *subscription->second.request.max_lag, session);
    }
    feed.is_reading = true;
    core_.reader.read(session, *recording, feed.next_seq, kPage,
                      [this, peer = peer_.weak_from_this(), id, session](Result<EventPage> page) {
                          if (const auto alive = peer.lock(); alive) {
                              take_page(id, session, std::move(page));
                          }
                      });
}

void EventFeed::take_page(const std::string& id, const std::string& session, Result<EventPage> page) {
    const auto subscription = subscriptions_.find(id);
    if (subscription == subscriptions_.end()) {
        return;
    }
    Feed& feed = subscription->second.feeds[session];
    feed.is_reading = false;
    if (!page) {
        log::error("server", fmt::format("session {}: {}", session, page.error().message));
        peer_.send(gap_text(session, feed.next_seq, feed.last_seq, page.error().message));
        feed.next_seq = kUnknown;
        return;
    }
    if (page->empty()) {
        feed.last_seq = feed.next_seq - 1; // the end, as far as it is written
        return;
    }
    for (std::size_t i = 0; i < page->size(); ++i) {
        // What is not wanted takes no room in a window and no time of a rate.
        if (is_wanted(subscription->second.request, (*page)[i]->type)) {
            if (!peer_.has_room() || must_wait(id, subscription->second, feed)) {
                return; // on_drained(), an acknowledgement or the rate's timer goes on from next_seq
            }
            send(subscription->second, feed, *page, i, session);
        }
        feed.next_seq = (*page)[i]->seq + 1;
    }
    pump(id, session);
}

bool EventFeed::is_caught_up() const {
    for (const auto& [id, subscription] : subscriptions_) {
        for (const auto& [session, feed] : subscription.feeds) {
            if (feed.is_reading || (feed.next_seq != kUnknown && feed.next_seq <= feed.last_seq)) {
                return false;
            }
        }
    }
    return true;
}

std::string EventFeed::cursor() const {
    for (const auto& [id, subscription] : subscriptions_) {
        for (const auto& [session, feed] : subscription.feeds) {
            if (feed.next_seq <= feed.last_seq && feed.next_seq != kUnknown) {
                return fmt::format(R"({{"session":"{}","from_seq":{}}})", session, feed.next_seq);
            }
        }
    }
    return "";
}

} // namespace handeye
