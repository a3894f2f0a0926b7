// SPDX-License-Identifier: Apache-2.0
// "unix:PATH" and "HOST:PORT" to an Endpoint and back.
#include "base/net/client.h"

#include <charconv>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kUnixPathMax = 107; // sun_path holds 108 with its end

Error bad_endpoint(std::string_view text, std::string_view why) {
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("\"{}\" {}; the forms are unix:PATH, HOST:PORT, [IPV6]:PORT, and tls: before the last two", text, why)};
}

} // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
    Endpoint endpoint;
    if (text.starts_with("unix:")) {
        endpoint.unix_path = std::string(text.substr(5));
        if (endpoint.unix_path.empty()) {
            return bad_endpoint(text, "names no path");
        }
        if (endpoint.unix_path.native().size() > kUnixPathMax) {
            return bad_endpoint(text, fmt::format("has a path of {} bytes, sockets take {}",
                                                  endpoint.unix_path.native().size(), kUnixPathMax));
        }
        return endpoint;
    }
    const std::string_view whole = text;
    if (text.starts_with("tls:")) {
        endpoint.is_tls = true;
        text.remove_prefix(4);
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return bad_endpoint(whole, "has no port");
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.empty() || host.find(':') != std::string_view::npos) {
        return bad_endpoint(whole, "names no host");
    }
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (port.empty() || problem != std::errc() || end != port.data() + port.size()) {
        return bad_endpoint(whole, fmt::format("has \"{}\" where a port from 0 to 65535 belongs", port));
    }
    endpoint.host = std::string(host);
    return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
    if (!endpoint.unix_path.empty()) {
        return "unix:" + endpoint.unix_path.string();
    }
    const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
    const std::string_view scheme = endpoint.is_tls ? "tls:" : "";
    return is_ipv6 ? fmt::format("{}[{}]:{}", scheme, endpoint.host, endpoint.port)
                   : fmt::format("{}{}:{}", scheme, endpoint.host, endpoint.port);
}

} // namespace handeye
