// SPDX-License-Identifier: Apache-2.0
// Connects a socket to an endpoint, through TLS where the endpoint says so: what comes out always carries plain bytes, so that
// the WebSocket and HTTP templates know one kind of socket. Included by .cpp files of this folder only.
#pragma once

#include "base/net/beast_types.h"
#include "base/net/client.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

namespace handeye {

/// How long a caller waits, and what ends its wait.
struct Patience {
    TimePoint deadline{};
    Duration timeout{}; ///< for messages: what the deadline was made from
    std::stop_token stop;
};

/// Runs `io` on the caller's thread until `done` is set. `give_up` must make the pending operation end; it runs on this thread.
/// Unavailable, DeadlineExceeded or Cancelled, each beginning with `what`.
Result<void> run_until(asio::io_context& io, std::optional<error_code>& done, const Patience& patience, const std::function<void()>& give_up,
                       std::string_view what);

/// `start` begins one operation of `socket` that sets `done` when it ends; the wait for it is run_until(), and giving up closes the socket.
Result<void> run_operation(asio::io_context& io, AnySocket& socket, std::optional<error_code>& done, const Patience& patience, std::string_view what,
                           const std::function<void()>& start);

/// Of TLS the certificate is checked against the authorities and the endpoint's host name, or the one in `tls`; the copying between TLS and what
/// is returned goes on as long as `io` runs.
Result<AnySocket> dial(asio::io_context& io, const Endpoint& endpoint, const TlsOptions& tls, const Patience& patience);

} // namespace handeye
