// SPDX-License-Identifier: Apache-2.0
// A task handed to a running daemon, its events shown as they come.
#pragma once

#include "agent/session.h"
#include "agent/task_bundle.h"
#include "apps/cli/daemon_call.h"
#include "apps/cli/result_files.h"
#include "apps/target.h"
#include "base/result.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace handeye::cli {

/// A task file, to be handed over with all that it names.
struct RemoteFile {
    TaskBundleFiles parts;
    std::map<std::string, std::string> vars;
    std::string languages;
    ResultFiles results;
};

struct RemoteTask {
    DaemonAddress daemon; ///< its text empty: the user's own socket, if a daemon listens there
    TargetSpec target;
    std::string goal;
    std::optional<RemoteFile> file; ///< instead of the goal
    std::vector<std::string> secrets; ///< names of the daemon's
    SessionOptions session; ///< budget, policy, surface, sampling
    bool has_own_steps_max = true; ///< else a task file's own limit of steps counts
};
/// Whether a daemon listens there.
bool is_daemon_there(const DaemonAddress& daemon, const Context& context);
/// The exit code; nullopt when no daemon was named and none listens.
Result<std::optional<int>> run_in_daemon(const RemoteTask& task, const Context& context);

} // namespace handeye::cli
