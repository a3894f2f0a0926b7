// SPDX-License-Identifier: Apache-2.0
#include "server/http_guard.h"

#include <array>

#include <fmt/format.h>

namespace handeye {

bool is_loopback_host(std::string_view host, std::uint16_t port) {
    constexpr std::array<std::string_view, 3> kNames{"127.0.0.1", "localhost", "[::1]"};
    for (const std::string_view name : kNames) {
        if (host == name || host == fmt::format("{}:{}", name, port)) {
            return true;
        }
    }
    return false;
}

std::optional<HttpRefusal> check_sender(const RequestHead& head, std::optional<std::uint16_t> tcp_port) {
    if (head.hosts.size() != 1) {
        return HttpRefusal{400, fmt::format("a request has one Host header, this one has {}", head.hosts.size())};
    }
    if (!head.target.starts_with('/')) {
        return HttpRefusal{400, "the request target must be a path"};
    }
    if (tcp_port && !is_loopback_host(head.hosts.front(), *tcp_port)) {
        return HttpRefusal{403, "this Host is not served: use 127.0.0.1, localhost or [::1]"};
    }
    if (!head.origins.empty()) {
        return HttpRefusal{403, "requests with an Origin are refused: web pages may not control this desktop"};
    }
    return std::nullopt;
}

std::optional<HttpRefusal> check_request(const RequestHead& head, std::optional<std::uint16_t> tcp_port) {
    if (auto refusal = check_sender(head, tcp_port); refusal) {
        return refusal;
    }
    if (head.target != "/ws") {
        return HttpRefusal{404, "there is only /ws"};
    }
    if (!head.is_get || !head.is_upgrade) {
        return HttpRefusal{426, "/ws is a WebSocket: ask for an upgrade"};
    }
    return std::nullopt;
}

} // namespace handeye
