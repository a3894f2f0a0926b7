// SPDX-License-Identifier: Apache-2.0
// One client's subscriptions: each follows recordings by cursor, so that what is sent is what is stored: in order, nothing
// lost, nothing twice. A slow client is simply further behind; memory does not grow with it. The I/O thread only.
#pragma once

#include "server/event_reader.h"
#include "server/rpc.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace handeye {

struct Core;
class Peer;

struct SubscribeRequest {
    std::vector<std::string> sessions;       ///< empty: all, those to come included
    std::set<std::string> types;             ///< empty: all
    std::optional<std::uint64_t> from_seq;   ///< unset: from now on
    std::optional<std::uint64_t> max_lag;    ///< further behind, events are skipped and events.gap says which
    std::optional<std::uint64_t> window;     ///< at most this many events of a session go out unacknowledged
    Duration event_gap{};                    ///< > 0: the least time between two events
    std::set<std::string> coalesce;          ///< types of which only the newest of those that wait is sent
    bool wants_progress = false;             ///< engine.progress, which is not recorded
};

class EventFeed {
public:
    EventFeed(Core& core, Peer& peer) : core_(core), peer_(peer) {}

    RpcResult<std::string> subscribe(SubscribeRequest request);
    /// False when there is no such subscription.
    bool unsubscribe(const std::string& subscription);

    /// False when there is no such subscription, or it does not follow that session.
    bool acknowledge(const std::string& subscription, const std::string& session, std::uint64_t seq);

    /// The log of `session` has grown.
    void on_event(const std::string& session);
    void on_progress(const std::string& session, std::size_t characters, const std::string& tail);
    /// There is room in the peer's queue again.
    void on_drained();
    /// Nothing that is stored is still to be sent.
    [[nodiscard]] bool is_caught_up() const;
    /// Where to go on after a disconnect: {"session", "from_seq"} of the first feed that is behind; "" when none is.
    [[nodiscard]] std::string cursor() const;

private:
    struct Feed {
        std::uint64_t next_seq = 1;
        std::uint64_t last_seq = 0; ///< known to be stored; kUnknown: read until the end
        std::deque<std::uint64_t> unacknowledged; ///< with a window: numbers that were sent; as many as it holds
        bool is_reading = false;
    };
    struct Subscription {
        SubscribeRequest request;
        std::map<std::string, Feed> feeds; ///< by session
        TimePoint not_before{};            ///< with a rate: when the next event may go
        bool is_waiting = false;           ///< for that moment
    };
    void add_feed(Subscription& subscription, const std::string& session);
    void pump(const std::string& id, const std::string& session);
    void skip_to_newest(Feed& feed, std::uint64_t max_lag, const std::string& session);
    [[nodiscard]] static bool is_window_full(const Subscription& subscription, const Feed& feed);
    /// The next event cannot go yet; it stays in the log.
    [[nodiscard]] bool must_wait(const std::string& id, Subscription& subscription, const Feed& feed);
    void send(const Subscription& subscription, Feed& feed, const EventPage& page, std::size_t index, const std::string& session);
    void take_page(const std::string& id, const std::string& session, Result<EventPage> page);

    Core& core_;
    Peer& peer_;
    std::map<std::string, Subscription> subscriptions_;
    std::uint64_t next_id_ = 1;
};

} // namespace handeye
