// SPDX-License-Identifier: Apache-2.0
// The Chrome DevTools Protocol over one WebSocket: calls matched to replies by number, events to one handler. A browser is not
// trusted: messages are bounded in size and depth, calls in time, and a connection that breaks the protocol is given up.
#pragma once

#include "base/net/client.h"
#include "base/result.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include <nlohmann/json_fwd.hpp>

namespace handeye::web {

struct CdpEvent {
    std::string_view method;
    std::string_view session; ///< empty: the browser's own
    const nlohmann::json& params; ///< an object
};

class Cdp {
public:
    /// Runs on the reading thread: it may post(), never call() nor wait().
    using EventHandler = std::function<void(const CdpEvent& event)>;
    using ReplyHandler = std::function<void(const Result<nlohmann::json>& reply)>;

    struct Pending; // one call that is under way
    using Ticket = std::shared_ptr<Pending>;

    /// `path` is that of the browser's own target ("/devtools/browser/..."). Nothing is read before listen().
    static Result<std::unique_ptr<Cdp>> connect(const Endpoint& endpoint, const std::string& path, const std::stop_token& stop);
    /// Once, and not before the handlers can reach this object: they run from here on, until close() returns. `on_lost` says when the
    /// connection ends by itself.
    void listen(EventHandler on_event, std::function<void()> on_lost);
    /// Ends the reading: no handler runs afterwards, and nothing is answered any more. Not from a handler.
    void close();
    ~Cdp() { close(); }
    Cdp(const Cdp&) = delete;
    Cdp& operator=(const Cdp&) = delete;

    /// Sends and waits. Unavailable: the connection or the session ended. DeadlineExceeded names the method. The browser's "no" is
    /// InvalidArgument with its words.
    Result<nlohmann::json> call(const std::string& session, std::string_view method, const nlohmann::json& params, Duration patience,
                                const std::stop_token& stop = {});
    /// The two halves of call(), for who must send while holding a lock and wait without it. Any thread.
    Result<Ticket> start(const std::string& session, std::string_view method, const nlohmann::json& params);
    Result<nlohmann::json> wait(const Ticket& ticket, Duration patience, const std::stop_token& stop = {});
    /// Sends and does not wait. `on_reply` runs on the reading thread, an Error included.
    void post(const std::string& session, std::string_view method, const nlohmann::json& params, ReplyHandler on_reply = {});

    /// Ends the wait for everything under way in this session: with `error`, or with an empty reply where there is none.
    void release(std::string_view session, const std::optional<Error>& error);
    [[nodiscard]] bool is_lost() const;

private:
    Cdp() = default;
    Result<Ticket> enter(const std::string& session, std::string_view method, ReplyHandler on_reply);
    Result<void> send(const Ticket& ticket, const nlohmann::json& params);
    void read(const std::stop_token& stop);
    Result<void> take(std::string bytes);
    void finish(std::uint64_t id, Result<nlohmann::json> reply);
    void lose(const Error& why);

    EventHandler on_event_; // the reading thread's
    std::function<void()> on_lost_;
    std::unique_ptr<WebSocketClient> socket_;
    mutable std::mutex mutex_; // guards what follows
    std::condition_variable_any changed_;
    std::map<std::uint64_t, Ticket> pending_;
    std::uint64_t next_id_ = 1;
    std::optional<Error> lost_;
    std::jthread reader_; // last: ends before the rest goes
};

} // namespace handeye::web
