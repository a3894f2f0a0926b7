// SPDX-License-Identifier: Apache-2.0
// Which process, and which program, a window belongs to.
#pragma once

#include "platforms/x11/connection.h"

#include <string>

namespace handeye::x11 {

/// As the server knows it from the socket of its client; where it does not, as the window itself says, if it says that it is of
/// this machine. 0: unknown.
int pid_of(Connection& connection, ::Window window);
/// The file name of the program that a process runs: "chromium"; empty: unknown.
std::string program_of(int pid);

} // namespace handeye::x11
