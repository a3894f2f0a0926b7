// SPDX-License-Identifier: Apache-2.0
// What a person says of models on servers, on a command line or in the daemon's configuration, as options of the client.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "remote/options.h"

#include <string>

namespace CLI {
class App;
}

namespace handeye {

struct RemoteSettings {
    std::string api_key_env;  ///< variable that holds the key; empty: HANDEYE_API_KEY, where it is set
    std::string api_key_file; ///< file that holds it (0600); it wins
    std::string ca_file;
    bool allows_plain_http = false;
    std::string prompt;       ///< empty: by the server or the model's name
    RemoteTimeouts timeouts;
    int tries = RemoteOptions().rounds_max; ///< of each server, for one question
};

/// `--api-key-env`, `--api-key-file`, `--model-ca`, `--allow-plain-http` and `--first-token-timeout`.
void add_remote_options(CLI::App& app, RemoteSettings& settings);
/// With what is not a default in `said` over `settings`.
RemoteSettings merged(RemoteSettings settings, const RemoteSettings& said);
/// Whether two of them ask the same.
bool is_same(const RemoteSettings& a, const RemoteSettings& b);

/// Reads the key, and takes its variable out of the environment, so that no program that is started inherits it: before other threads
/// run. Errors of parse_remote_addresses() and check_remote_options(), and of a key's file or variable that is named and not there.
Result<RemoteOptions> to_remote_options(const std::string& urls, const RemoteSettings& settings);

} // namespace handeye
