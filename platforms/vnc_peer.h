// SPDX-License-Identifier: Apache-2.0
// The other process of the platform "vnc": libgvnc and everything that a VNC server sends live there alone, since libgvnc was not made
// for servers that lie to it, and its main loop is the process's own.
#pragma once

#include <functional>

namespace handeye {

/// Talks to the platform over `socket` (platforms/vnc/wire.h) and to one VNC server until either is gone; what is held down is let go
/// when the platform is. `enter_sandbox` is called once connected, before a byte of the server is read. Returns the exit code.
int serve_vnc(int socket, const std::function<bool()>& enter_sandbox);

} // namespace handeye
