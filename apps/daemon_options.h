// SPDX-License-Identifier: Apache-2.0
// What `handeyed` was told: command line over configuration file over defaults.
#pragma once

#include "base/net/client.h"
#include "base/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct DaemonOptions {
    std::vector<Endpoint> listen;      ///< at least one
    std::filesystem::path token_file;
    std::string model;                 ///< folder of a checkpoint; empty: $HANDEYE_MODEL, else the bundled one
    std::filesystem::path sessions_dir;
    int threads = 0;                   ///< of the engine; 0: one per core
    bool is_verbose = false;
};

/// Keys: listen (one or a list), model, token_file, sessions_dir, threads. Errors read "NAME:LINE: ...".
Result<DaemonOptions> parse_daemon_config(std::string_view yaml, const std::string& name);

/// Either options, or the exit code of a run that ends here (--help, --version, bad use) with everything said.
struct ParsedCommandLine {
    std::optional<DaemonOptions> options;
    int exit_code = 0;
};
ParsedCommandLine parse_daemon_command_line(int argc, char** argv);

/// 2: bad use or input, 5: something is missing or failed.
int daemon_exit_code(const Error& error);

} // namespace handeye
