// SPDX-License-Identifier: Apache-2.0
// A command that consists of subcommands, a row each.
#pragma once

#include "apps/cli/command.h"

#include <span>

namespace handeye::cli {

struct SubcommandRow {
    const char* name;
    const char* help;
    Runner (*declare)(CLI::App& app);
};

/// Declares the rows below `app`, one of which must be given, and runs the one that was.
Runner declare_group(CLI::App& app, std::span<const SubcommandRow> rows);

} // namespace handeye::cli
