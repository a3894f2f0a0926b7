// SPDX-License-Identifier: Apache-2.0
// The servers of one model: which are up, who is asked first, and what was learnt of each. Knows no sockets.
#pragma once

#include "base/clock.h"
#include "remote/options.h"
#include "remote/server_traits.h"

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace handeye {

/// Any thread. Servers are named by their place in the options.
class Pool {
public:
    Pool(std::vector<RemoteAddress> addresses, Duration pause_first, Duration pause_max);

    /// In the order in which they are asked: the one that had this session before (its caches know it), then those that have fewest
    /// sessions and questions, then those that are down, the one first that was looked at longest ago.
    [[nodiscard]] std::vector<std::size_t> order(const std::string& session) const;
    /// A question of the session goes there, until the guard ends. The session stays there once `keep()` was called.
    class Visit {
    public:
        Visit(Pool& pool, std::size_t server, std::string session);
        ~Visit();
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;
        void keep();

    private:
        Pool& pool_;
        const std::size_t server_;
        const std::string session_;
    };

    /// True when it was down.
    bool mark_up(std::size_t server);
    /// Looked at again after a pause, which doubles each time, or after `pause`. True when it was up.
    bool mark_down(std::size_t server, const std::string& why, TimePoint now, std::optional<Duration> pause = {});
    /// Those that are down and due at `now`.
    [[nodiscard]] std::vector<std::size_t> due(TimePoint now) const;
    /// When the next is due; nullopt: all are up.
    [[nodiscard]] std::optional<TimePoint> next_due() const;

    [[nodiscard]] const RemoteAddress& address(std::size_t server) const { return seats_[server].address; }
    [[nodiscard]] std::size_t size() const { return seats_.size(); }
    /// nullopt: nobody has asked it yet.
    [[nodiscard]] std::optional<ServerTraits> traits(std::size_t server) const;
    void learn_model(std::size_t server, const ServedModel& model);
    void learn_refused(std::size_t server, const std::vector<std::string>& fields);
    void learn_splitting(std::size_t server);
    /// True once for each server and text: what a log says once.
    bool say_once(std::size_t server, const std::string& what);

private:
    struct Seat {
        RemoteAddress address;
        std::optional<ServerTraits> traits;
        bool is_up = true;
        std::string why; ///< it is down
        Duration pause{};
        TimePoint due{};
        std::size_t questions = 0; ///< that are being answered
        std::size_t sessions = 0;  ///< that stay there
        std::vector<std::string> said;
    };
    struct Stay {
        std::string session;
        std::size_t server = 0;
    };
    void keep(const std::string& session, std::size_t server);

    const Duration pause_first_;
    const Duration pause_max_;
    mutable std::mutex mutex_; // guards the rest, but the addresses
    std::vector<Seat> seats_;
    std::list<Stay> stays_; ///< the last used one first
    std::unordered_map<std::string, std::list<Stay>::iterator> by_session_;
};

} // namespace handeye
