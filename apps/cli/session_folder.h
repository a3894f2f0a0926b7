// SPDX-License-Identifier: Apache-2.0
// The part of `handeye sessions` that works on the folder of recordings, with or without a daemon.
#pragma once

#include "apps/cli/command.h"

#include <utility>
#include <vector>

namespace handeye::cli {

/// Declares `list`, `prune`, `keep` and `unkeep`; each with what runs it. The subcommands are the app's.
std::vector<std::pair<CLI::App*, Runner>> declare_folder_commands(CLI::App& sessions);

} // namespace handeye::cli
