// SPDX-License-Identifier: Apache-2.0
// A task handed to a running daemon, its events shown as they come.
#pragma once

#include "agent/session.h"
#include "apps/cli/daemon_call.h"
#include "apps/target.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <vector>

namespace handeye::cli {

struct RemoteTask {
    DaemonAddress daemon; ///< its text empty: the user's own socket, if a daemon listens there
    TargetSpec target;
    std::string goal;
    std::vector<std::string> secrets; ///< names of the daemon's
    SessionOptions session; ///< budget, policy, surface, sampling
};
/// The exit code; nullopt when no daemon was named and none listens.
Result<std::optional<int>> run_in_daemon(const RemoteTask& task, const Context& context);

} // namespace handeye::cli
