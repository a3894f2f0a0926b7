// SPDX-License-Identifier: Apache-2.0
// Who may knock: the checks on an HTTP request's head that keep web pages away from a local daemon. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// What the checks look at; every Host and Origin header that came, in order.
struct RequestHead {
    std::string target;
    std::vector<std::string> hosts;
    std::vector<std::string> origins;
    bool is_get = true;
    bool is_upgrade = false;
};

struct HttpRefusal {
    int status = 403;
    std::string reason; ///< one line; shown to the client
};

/// nullopt: no web page, and no other name of this machine; before anything else is looked at, for every path.
std::optional<HttpRefusal> check_sender(const RequestHead& head, std::optional<std::uint16_t> tcp_port);

/// nullopt: a WebSocket upgrade of /ws that may go on. `tcp_port`: the listener's own; unset on a Unix socket, where
/// nobody can be lured to and Host says nothing. No Origin is allowed at all: no browser page has business here.
std::optional<HttpRefusal> check_request(const RequestHead& head, std::optional<std::uint16_t> tcp_port);

/// "127.0.0.1", "localhost" or "[::1]", each alone or with this port. Exactly: no upper case, no trailing dot, no other
/// spelling of the same address, since none of them comes from a well-meaning client.
bool is_loopback_host(std::string_view host, std::uint16_t port);

} // namespace handeye
