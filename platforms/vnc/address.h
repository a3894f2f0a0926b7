// SPDX-License-Identifier: Apache-2.0
// Where a VNC server listens, as viewers write it. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace handeye::vnc {

struct Address {
    std::string host;      ///< empty: a Unix socket
    int port = 0;
    std::string unix_path; ///< empty: TCP
};

/// "HOST", "HOST:DISPLAY" for displays 0 to 99 (port 5900 + DISPLAY), "HOST:PORT" above, "HOST::PORT" for any port, ":1" on this
/// machine, "[::1]:1" for IPv6, and "unix:/PATH" or "/PATH". InvalidArgument says which of them it is not.
Result<Address> parse_address(std::string_view text);
/// "HOST::PORT" or the path: one spelling for messages.
std::string describe(const Address& address);
/// The server runs on this machine, as far as the address tells.
bool is_local(const Address& address);

} // namespace handeye::vnc
