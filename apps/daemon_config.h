// SPDX-License-Identifier: Apache-2.0
// The configuration file of `handeyed`: YAML read strictly into DaemonOptions. Its schema: docs/config.schema.json.
#pragma once

#include "apps/daemon_options.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

inline constexpr std::size_t kConfigBytesMax = 64U << 10U;

/// Errors read "NAME:LINE:COLUMN: ..." and name the nearest key for one that does not exist.
Result<DaemonOptions> parse_daemon_config(std::string_view yaml, const std::string& name);

/// Every key that is read, nested ones with a dot: "limits.connections". Sorted.
std::vector<std::string> daemon_config_keys();

} // namespace handeye
