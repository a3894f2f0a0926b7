// SPDX-License-Identifier: Apache-2.0
// From what `handeyed` was told to what its parts are given, at the start and again at each SIGHUP.
#pragma once

#include "apps/approval_notices.h"
#include "apps/daemon_options.h"
#include "apps/daemon_secrets.h"
#include "server/control_server.h"
#include "server/service_notify.h"

#include <string>

namespace handeye {

Result<void> apply_log(const DaemonOptions& options);
/// Without the token.
ControlServerOptions server_options(const DaemonOptions& options);
/// The token file's; made when absent. Empty where only a Unix socket listens: there the kernel says who comes.
Result<std::string> token_for(const DaemonOptions& options);
/// What sessions start with.
Result<SessionOptions> session_defaults(const DaemonOptions& options);

/// A running daemon, as a reload sees it.
struct RunningDaemon {
    ControlServer& server;
    ApprovalNotices& notices;
    const ServiceNotify& notify;
    DaemonSecrets& secrets;
    const DaemonOptions& started; ///< what it was started with
    DaemonOptions in_force;       ///< what was read last
};
/// Reads everything again, whole or not at all, and tells the service manager and the log how that went and what counts only at
/// the next start.
void reload_daemon(RunningDaemon& daemon);

} // namespace handeye
