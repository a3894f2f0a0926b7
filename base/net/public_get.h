// SPDX-License-Identifier: Apache-2.0
// Fetches what a stranger names by URL, without letting the stranger use this machine to reach what only it can reach.
#pragma once

#include "base/net/http_client.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Whether an address (4 or 16 bytes, in network order) is one of the public internet: not private, local to a machine or link, shared by a
/// carrier, for documentation or tests, multicast, and none that carries another address inside (mapped, 6to4, Teredo, NAT64).
bool is_public_address(std::span<const std::uint8_t> address);
/// Of numeric text; false for what is none.
bool is_public_address(std::string_view numeric);

/// All addresses of a name, as numeric text.
using ResolveHost = std::function<Result<std::vector<std::string>>(const std::string& host)>;
/// What getaddrinfo() says. It cannot be stopped; the system's resolver has its own time limits.
Result<std::vector<std::string>> resolve_host(const std::string& host);

struct PublicGetOptions {
    std::vector<std::string> hosts; ///< that may be asked: "NAME" on the scheme's own port, or "NAME:PORT"; see check_media_host()
    std::size_t bytes_max = 20U << 20U;
    Duration timeout = std::chrono::seconds(10); ///< for everything together, name look-up apart
    TlsOptions tls;
    ResolveHost resolve = resolve_host;
    std::function<Endpoint(Endpoint)> route = {}; ///< where a checked address is really connected to; empty: there. For tests
};

/// InvalidArgument for what is no name of a host (lower-case letters, digits, "-" and "."; addresses are none), with :PORT or without.
Result<void> check_media_host(std::string_view host);

/// The body of a 200 answer. The name is looked up once; when one of its addresses is not public, nothing is asked; the connection goes to an
/// address that was checked, the certificate must be of the name. Redirects and compressed bodies are errors.
/// PermissionDenied, InvalidArgument (the URL), Unavailable, LimitExceeded, DeadlineExceeded, Cancelled.
Result<std::vector<std::uint8_t>> get_public(std::string_view url, const PublicGetOptions& options, const std::stop_token& stop);

} // namespace handeye
