// SPDX-License-Identifier: Apache-2.0
#include "server/console/guard.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {

std::variant<HttpRefusal, ConsoleUpgrade, const ConsoleFile*> route_console_request(const RequestHead& head, std::uint16_t port) {
    if (head.hosts.size() != 1) {
        return HttpRefusal{400, fmt::format("a request has one Host header, this one has {}", head.hosts.size())};
    }
    const std::string authority = fmt::format("127.0.0.1:{}", port);
    if (head.hosts.front() != authority) {
        return HttpRefusal{403, fmt::format("this Host is not served: use {}", authority)};
    }
    const bool is_own_page = std::all_of(head.origins.begin(), head.origins.end(),
                                         [&](const std::string& origin) { return origin == "http://" + authority; });
    if (head.origins.size() > 1 || !is_own_page) {
        return HttpRefusal{403, "only the console's own page may speak to this port"};
    }
    if (head.target == "/ws") {
        if (!head.is_get || !head.is_upgrade) {
            return HttpRefusal{426, "/ws is a WebSocket: ask for an upgrade"};
        }
        if (head.origins.empty()) {
            return HttpRefusal{403, "this port serves the console's page: programs use the Unix socket"};
        }
        return ConsoleUpgrade{};
    }
    const ConsoleFile* const file = find_console_file(head.target);
    if (file == nullptr) {
        return HttpRefusal{404, "there are /ui/ and /ws"};
    }
    if (!head.is_get) {
        return HttpRefusal{405, "the console's files can be read, nothing else"};
    }
    return file;
}

} // namespace handeye
