// SPDX-License-Identifier: Apache-2.0
// What `handeyed` was told: command line over configuration file over defaults.
#pragma once

#include "apps/client_targets.h"
#include "apps/remote_settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/net/client.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Of the control server; the defaults are ControlServerOptions' own.
struct DaemonLimits {
    std::size_t connections = 256;
    std::size_t unidentified = 64;
    std::size_t sessions = 64;
    std::size_t message_bytes = 1U << 20U;
    std::size_t queue_bytes = 4U << 20U;
    Duration identify_timeout = std::chrono::seconds(5);
    Duration idle_timeout = std::chrono::seconds(40);
    Duration write_timeout = std::chrono::seconds(20);
};

/// Of what sessions leave on the disk; quota_bytes 0: none.
struct RecordingSettings {
    enum class WhenFull { Refuse, DeleteOldest };
    int keep_days = 0; ///< 0: for ever
    std::uint64_t quota_bytes = 32ULL << 30U;
    WhenFull when_full = WhenFull::Refuse;
};

/// How people hear of an action that waits for them.
struct ApprovalSettings {
    enum class Notify { Desktop, None };
    Notify notify = Notify::Desktop;
    std::string webhook;              ///< http: or https: URL; empty: none. It may hold a secret: never logged whole
    std::filesystem::path webhook_ca; ///< PEM file; empty: the system's authorities
    Duration expiry = std::chrono::minutes(5);
    bool operator==(const ApprovalSettings&) const = default;
};

/// What the command line said; it wins over the file, each time the file is read.
struct CommandLine {
    std::vector<Endpoint> listen;
    std::string token_file;
    std::string model;
    std::string sessions_dir;
    int threads = -1;
    bool is_verbose = false;
    bool skips_checksums = false;
    std::vector<std::string> adapters;
    std::string quantize;
    RemoteSettings remote;
};

struct DaemonOptions {
    std::vector<Endpoint> listen;      ///< at least one
    std::filesystem::path token_file;
    std::string model;                 ///< folder of a checkpoint, a name (docs/models.md), or URLs of servers (docs/scaling.md); empty: $HANDEYE_MODEL, else the bundled one
    RemoteSettings remote;             ///< of a model on servers
    std::filesystem::path models_root; ///< where models that are known by name lie
    std::vector<std::string> adapters; ///< PEFT LoRA folders for the model
    std::string quantize;              ///< "", "8bit" or "4bit": packs a 16-bit model while it is loaded
    std::string device = "cpu";        ///< or "cuda", "cuda:1"
    double gpu_memory_gb = 0;          ///< of it, at most; 0: what is free
    std::filesystem::path sessions_dir;
    int threads = 0;                   ///< of the engine; 0: one per core
    std::filesystem::path tls_cert;    ///< PEM chain; empty: no TLS, loopback only
    std::filesystem::path tls_key;
    std::filesystem::path tls_client_ca; ///< not empty: clients must show a certificate of it
    std::string policy_json;           ///< the policy of every session (docs/policy.md); empty: none
    std::string policy_origin;         ///< where it stands: "config.yaml:12"
    ApprovalSettings approvals;
    std::string hot_key = "ctrl+alt+escape"; ///< of sessions on a display that a person uses; empty: none
    bool skips_checksums = false;            ///< do not compare model files with the sums beside them
    DaemonLimits limits;
    RecordingSettings recordings;
    ClientTargets targets;
    std::filesystem::path task_files_root; ///< whose files task files may read; empty: none
    log::Level log_level = log::Level::Warn;
    log::Format log_format = log::Format::Text;
    std::filesystem::path log_file;    ///< empty: stderr
    std::filesystem::path config_file; ///< that was read; empty: none was there
    CommandLine command_line;
};

/// models.root of the default configuration file, for programs that are not the daemon; where nothing says another place,
/// $XDG_DATA_HOME/handeye/models.
Result<std::filesystem::path> read_models_root();
/// Reads the file that `running` came from once more, with the same command line over it. A file that is gone is an error: its
/// rules would go with it.
Result<DaemonOptions> reload_daemon_config(const DaemonOptions& running);
/// The keys that differ and count only at the next start: "listen", "model", ...
std::vector<std::string> keys_for_next_start(const DaemonOptions& running, const DaemonOptions& fresh);

/// Either options, or the exit code of a run that ends here (--help, --version, bad use) with everything said.
struct ParsedCommandLine {
    std::optional<DaemonOptions> options;
    int exit_code = 0;
    bool is_check = false; ///< --check-config: say what is wrong with the options, and end
};
ParsedCommandLine parse_daemon_command_line(int argc, char** argv);

/// 2: bad use or input, 5: something is missing or failed.
int daemon_exit_code(const Error& error);

} // namespace handeye
