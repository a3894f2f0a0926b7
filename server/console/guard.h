// SPDX-License-Identifier: Apache-2.0
// Who may knock at the console's port: the one page that this program serves there, and nobody else. Pure.
#pragma once

#include "server/console/files.h"
#include "server/http_guard.h"

#include <cstdint>
#include <variant>

namespace handeye {

/// A WebSocket upgrade of /ws that may go on.
struct ConsoleUpgrade {};

/// What a request to the console's port gets: a refusal, the WebSocket, or a file. The Host must be 127.0.0.1 with this
/// port. An Origin, which a browser always sends with a WebSocket, must be http:// before the same; the WebSocket is
/// refused without one. Nothing changes state over HTTP, so there is no other method than GET.
std::variant<HttpRefusal, ConsoleUpgrade, const ConsoleFile*> route_console_request(const RequestHead& head, std::uint16_t port);

} // namespace handeye
