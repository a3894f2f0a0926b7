// SPDX-License-Identifier: Apache-2.0
// WebSocket client over a Unix socket or TCP, for whoever speaks to a daemon, a browser or a remote model.
// TLS where the endpoint says so. A thread inside answers pings and reads ahead, so a client that is busy elsewhere stays
// connected; what it read ahead is bounded, and then the sender has to wait.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

/// Where a server listens. `unix_path` wins when it is not empty.
struct Endpoint {
    std::filesystem::path unix_path;
    std::string host; ///< a name or an address, IPv6 without brackets
    std::uint16_t port = 0;
    bool is_tls = false; ///< TCP through TLS
};
/// "unix:PATH", "HOST:PORT" or "[IPV6]:PORT", the last two with "tls:" before them for TLS. InvalidArgument shows what was given
/// and the forms.
Result<Endpoint> parse_endpoint(std::string_view text);
/// The form that parse_endpoint() reads.
std::string to_string(const Endpoint& endpoint);

/// PEM files of a TLS client.
struct TlsOptions {
    std::filesystem::path ca_file; ///< authorities that may vouch for the server; empty: the system's
    std::filesystem::path cert;    ///< shown to a server that asks for one; empty: none
    std::filesystem::path key;
    std::string server_name = {};  ///< whom the server's certificate must be of; empty: the endpoint's host
};

struct WebSocketOptions {
    std::string target = "/ws";                              ///< path of the upgrade request
    std::vector<std::pair<std::string, std::string>> headers; ///< added to the upgrade request
    Duration connect_timeout = std::chrono::seconds(5);      ///< socket and handshake together
    std::size_t message_bytes_max = 16U << 20U;              ///< a longer message ends the connection with 1009
    std::size_t inbox_bytes_max = 16U << 20U;                ///< read ahead and not yet received; one message more may be
    TlsOptions tls;                                          ///< for an endpoint with is_tls
};

struct WebSocketMessage {
    bool is_text = true;
    std::string bytes;
};

/// What the other side said when it closed; code 1006: it did not say anything.
struct WebSocketClose {
    std::uint16_t code = 1006;
    std::string reason;
};

/// Any thread may send; one thread receives. Deadlines are of the machine's steady clock.
class WebSocketClient {
public:
    /// Unavailable: nobody listens, or the upgrade was refused (with the HTTP status). DeadlineExceeded, Cancelled.
    static Result<std::unique_ptr<WebSocketClient>> connect(const Endpoint& endpoint, const WebSocketOptions& options = {},
                                                            std::stop_token stop = {});
    /// Closes with 1000 and waits half a second for the answer.
    virtual ~WebSocketClient() = default;

    /// Returns when the operating system has taken the message. After DeadlineExceeded it may still be sent.
    virtual Result<void> send_text(std::string_view text, TimePoint deadline) = 0;
    /// The next message in order. Unavailable once the connection is closed and everything was received.
    virtual Result<WebSocketMessage> receive(TimePoint deadline, std::stop_token stop = {}) = 0;
    /// Starts an orderly end; messages that are on the way can still be received.
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    /// Meaningful once receive() answered Unavailable.
    [[nodiscard]] virtual WebSocketClose close_reason() const = 0;
};

} // namespace handeye
