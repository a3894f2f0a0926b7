// SPDX-License-Identifier: Apache-2.0
#include "apps/daemon_reload.h"

#include "base/file.h"
#include "server/listen_socket.h"

#include <fmt/format.h>

namespace handeye {
namespace {

/// Everything that can fail comes before anything that stays changed.
Result<void> take_up(RunningDaemon& daemon, const DaemonOptions& fresh) {
    const SessionOptions defaults = TRY(session_defaults(fresh));
    FreshOptions options;
    options.server = server_options(fresh);
    options.server.token = TRY(token_for(fresh));
    options.policy = defaults.policy;
    options.approval_ttl = defaults.approval_ttl;
    options.kill_chord = fresh.hot_key;
    options.secrets = TRY(daemon.secrets.read());
    TRY(apply_log(fresh)); // leaves it as it was when the file cannot be opened
    if (auto taken = daemon.server.reload(options); !taken) {
        (void)apply_log(daemon.in_force);
        return taken;
    }
    daemon.secrets.hide(options.secrets);
    daemon.notices.configure(fresh.approvals);
    daemon.in_force = fresh;
    return {};
}

} // namespace

Result<void> apply_log(const DaemonOptions& options) {
    TRY(log::set_file(options.log_file));
    log::set_level(options.log_level);
    log::set_format(options.log_format);
    return {};
}

ControlServerOptions server_options(const DaemonOptions& options) {
    const DaemonLimits& limits = options.limits;
    return {.listen = options.listen,
            .tokens_file = config_dir() / "tokens.json",
            .tls = {options.tls_cert, options.tls_key, options.tls_client_ca},
            .sessions_dir = options.sessions_dir,
            .recordings = {.age_max = std::chrono::hours(24) * options.recordings.keep_days,
                           .quota_bytes = options.recordings.quota_bytes,
                           .when_full = options.recordings.when_full == RecordingSettings::WhenFull::DeleteOldest ? RecordingRules::WhenFull::DeleteOldest
                                                                                                                  : RecordingRules::WhenFull::Refuse},
            .message_bytes_max = limits.message_bytes,
            .connections_max = limits.connections,
            .unidentified_max = limits.unidentified,
            .sessions_max = limits.sessions,
            .identify_timeout = limits.identify_timeout,
            .idle_timeout = limits.idle_timeout,
            .write_timeout = limits.write_timeout,
            .queue_bytes_max = limits.queue_bytes};
}

Result<std::string> token_for(const DaemonOptions& options) {
    for (const Endpoint& endpoint : options.listen) {
        if (endpoint.unix_path.empty()) {
            if (options.token_file == config_dir() / "token") {
                TRY(make_private_dir(config_dir()));
            }
            return read_or_make_token(options.token_file);
        }
    }
    return std::string();
}

Result<SessionOptions> session_defaults(const DaemonOptions& options) {
    SessionOptions defaults;
    if (!options.policy_json.empty()) {
        defaults.policy = TRY(policy_from_json(options.policy_json));
        defaults.policy.origin = options.policy_origin;
    }
    defaults.approval_ttl = options.approvals.expiry;
    return defaults;
}

void reload_daemon(RunningDaemon& daemon) {
    const auto since_boot = std::chrono::duration_cast<std::chrono::microseconds>(SystemClock().now().time_since_epoch()).count();
    (void)daemon.notify.send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", since_boot));
    const auto fresh = reload_daemon_config(daemon.in_force);
    const auto taken = fresh ? take_up(daemon, *fresh) : Result<void>(fresh.error());
    if (!taken) {
        log::error("daemon", "the configuration stays as it was: " + taken.error().message);
        (void)daemon.notify.send("READY=1\nSTATUS=the configuration stays as it was: " + taken.error().message);
        return;
    }
    log::info("daemon", "the configuration was read again");
    const std::vector<std::string> later = keys_for_next_start(daemon.started, *fresh);
    std::string status = "READY=1\nSTATUS=the configuration was read again";
    if (!later.empty()) {
        const std::string what = fmt::format("what changed of {} counts at the next start", fmt::join(later, ", "));
        log::warn("daemon", what);
        status += "; " + what;
    }
    (void)daemon.notify.send(status);
}

} // namespace handeye
