// SPDX-License-Identifier: Apache-2.0
// The size of the root window now and the monitors that share it.
#pragma once

#include "platforms/platform.h"
#include "platforms/x11/connection.h"

namespace handeye::x11 {

/// Asks the server: a display may be resized while we watch it.
Result<Size> root_size(Connection& connection);
/// All active monitors of the one root; a server without RandR 1.5 has one, as large as the root.
Result<std::vector<Monitor>> list_monitors(Connection& connection);

} // namespace handeye::x11
