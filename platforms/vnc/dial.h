// SPDX-License-Identifier: Apache-2.0
// A connected socket to a VNC server.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <string>

namespace handeye::vnc {

/// Non-blocking, without delay for small messages. Unavailable: nobody there, with what the system said of the last address tried;
/// NotFound: no such host. Waits as long as the system does: the platform ends this process at its deadline.
Result<FileDescriptor> dial(const std::string& host, const std::string& port, const std::string& unix_path);

} // namespace handeye::vnc
