// SPDX-License-Identifier: Apache-2.0
// One accepted socket: HTTP head, checks, WebSocket, and the Peer behind it. The I/O thread only.
#pragma once

#include "server/transport/beast_types.h"
#include "server/peer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace handeye {

struct Core;
class Connection;

/// Where a socket came in.
struct Entrance {
    std::optional<std::uint16_t> tcp_port; ///< the listener's; unset for Unix
    std::string address;                   ///< for rate limits and logs
    bool is_console = false;               ///< the console's own port
    bool is_tls = false;                   ///< its certificate, not its Host, is what a client was led by
};

/// All connections, in order of arrival, with the limits on their number.
class ConnectionSet {
public:
    explicit ConnectionSet(Core& core) : core_(core) {}
    /// Takes a socket that a listener accepted.
    void accept(AnySocket socket, Entrance entrance);
    void remove(std::uint64_t number) { connections_.erase(number); }
    void close_all(CloseCode code, const std::string& reason);
    /// Bytes that wait to be read on the other connections of `connection`'s token; 0 for one without.
    [[nodiscard]] std::size_t unread_beside(const Connection& connection) const;
    [[nodiscard]] std::size_t size() const { return connections_.size(); }
    [[nodiscard]] Core& core() { return core_; }

private:
    Core& core_;
    std::map<std::uint64_t, std::weak_ptr<Connection>> connections_;
    std::uint64_t next_number_ = 1;
};

} // namespace handeye
