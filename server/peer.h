// SPDX-License-Identifier: Apache-2.0
// One client as the protocol sees it: hello, identify, requests, what waits to be sent. Knows no sockets.
// The I/O thread only.
#pragma once

#include "server/call.h"
#include "server/event_feed.h"
#include "server/rpc.h"
#include "server/scope.h"
#include "server/screen_streams.h"
#include "server/send_queue.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace handeye {

struct Core;

/// Close codes of the protocol beyond those of RFC 6455.
enum class CloseCode : std::uint16_t {
    Normal = 1000,
    GoingAway = 1001,
    Unsupported = 1003,
    TooBig = 1009,
    SlowConsumer = 4008,
    NotIdentified = 4401,
    ProtocolUnsupported = 4406,
    RateLimited = 4429, ///< or there are too many connections
};

/// Of a message with pictures for the model; others have ControlServerOptions::message_bytes_max.
inline constexpr std::size_t kPictureMessageBytesMax = 24U << 20U;

class Peer : public std::enable_shared_from_this<Peer> {
public:
    /// How the transport is reached. Both may be called at any time, also after the transport is gone.
    struct Link {
        std::function<void()> wake; ///< the queue is not empty
        /// Sends what is queued, then closes.
        std::function<void(CloseCode code, const std::string& reason)> close;
    };
    struct Origin {
        bool is_local_user = false; ///< a Unix peer of this user: needs no token
        std::string address;        ///< for rate limits and logs
        bool is_console = false;    ///< came through the console's port: a one-time ticket is its way in
    };
    Peer(Core& core, Origin origin, Link link);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    /// Says hello and starts the clock for identify.
    void open();
    void take_text(std::string_view text);
    void take_binary();

    void send(std::string text);
    void send_latest(std::string_view key, std::string text);
    /// A picture; one that still waits under this key makes way for it.
    void send_frame(std::string_view key, std::string bytes);
    /// Cancels the request with this id; false when none is under way.
    bool cancel(const std::string& id_json);
    void close(CloseCode code, const std::string& reason);
    /// For a client that does not read: drops what waits, says where to go on.
    void close_slow();

    [[nodiscard]] SendQueue& queue() { return queue_; }
    /// True while more events may be queued.
    [[nodiscard]] bool has_room() const;
    /// The transport has sent something.
    void on_sent();
    [[nodiscard]] EventFeed& feed() { return feed_; }
    [[nodiscard]] ScreenStreams& streams() { return streams_; }
    [[nodiscard]] const Origin& origin() const { return origin_; }

    [[nodiscard]] bool is_identified() const { return is_identified_; }
    void set_identified(ScopeSet scopes, std::string client) {
        is_identified_ = true;
        scopes_ = scopes;
        client_ = std::move(client);
    }
    /// The token that let it in, as its sum; empty: it needed none.
    void set_token_sha256(std::string sum) { token_sha256_ = std::move(sum); }
    [[nodiscard]] const std::string& token_sha256() const { return token_sha256_; }
    /// Of a named token; empty: this user, by whatever way.
    void set_token_name(std::string name) { token_name_ = std::move(name); }
    [[nodiscard]] const std::string& token_name() const { return token_name_; }
    /// The key of a request as this one's own: another token's same key is another key.
    [[nodiscard]] std::string own_key(const std::string& request_key) const;
    [[nodiscard]] ScopeSet scopes() const { return scopes_; }
    [[nodiscard]] const std::string& client() const { return client_; }

private:
    Core& core_;
    const Origin origin_;
    const Link link_;
    SendQueue queue_;
    EventFeed feed_;
    ScreenStreams streams_;
    std::map<std::string, Reply> under_way_; ///< by the request's id
    ScopeSet scopes_;
    std::string client_;
    std::string token_sha256_;
    std::string token_name_;
    bool is_identified_ = false;
    bool is_closing_ = false;
};

} // namespace handeye
