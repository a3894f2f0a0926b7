// SPDX-License-Identifier: Apache-2.0
// `handeyed`: wires platforms, engine and control server together, and turns signals into their orderly end.
#include "apps/daemon_model.h"
#include "apps/daemon_options.h"
#include "apps/target.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "platforms/open_platform.h"
#include "server/control_server.h"
#include "server/listen_socket.h"
#include "server/service_notify.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace handeye {
namespace {

constexpr mode_t kPrivate = 0077;

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
        sigaddset(&set, number);
    }
    return set;
}

Result<void> apply_log(const DaemonOptions& options) {
    log::set_level(options.log_level);
    log::set_format(options.log_format);
    return log::set_file(options.log_file);
}

ControlServerOptions server_options(const DaemonOptions& options) {
    const DaemonLimits& limits = options.limits;
    return {.listen = options.listen,
            .tls = {options.tls_cert, options.tls_key, options.tls_client_ca},
            .sessions_dir = options.sessions_dir,
            .message_bytes_max = limits.message_bytes,
            .connections_max = limits.connections,
            .unidentified_max = limits.unidentified,
            .sessions_max = limits.sessions,
            .identify_timeout = limits.identify_timeout,
            .idle_timeout = limits.idle_timeout,
            .write_timeout = limits.write_timeout,
            .queue_bytes_max = limits.queue_bytes};
}

// The whole file is read before any of it counts; a file with a mistake changes nothing.
void reload(ControlServer& server, const ServiceNotify& notify, const DaemonOptions& running) {
    const auto since_boot = std::chrono::duration_cast<std::chrono::microseconds>(SystemClock().now().time_since_epoch()).count();
    (void)notify.send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", since_boot));
    const auto fresh = reload_daemon_config(running);
    const auto applied = fresh ? apply_log(*fresh) : Result<void>(fresh.error());
    if (!applied) {
        log::error("daemon", "the configuration stays as it was: " + applied.error().message);
        (void)notify.send("READY=1\nSTATUS=the configuration stays as it was: " + applied.error().message);
        return;
    }
    server.set_limits(server_options(*fresh));
    log::info("daemon", "the configuration was read again: limits and log are in force, the other keys count at the next start");
    (void)notify.send("READY=1\nSTATUS=the configuration was read again");
}

// The signal that ends the program; the others are served here.
int serve_signals(ControlServer& server, const sigset_t& set, const std::function<void()>& on_reload) {
    for (;;) {
        int number = 0;
        sigwait(&set, &number);
        switch (number) {
        case SIGUSR1: server.stop_all("SIGUSR1"); break;
        case SIGHUP: on_reload(); break;
        default: return number;
        }
    }
}

// From the first signal on, a second one ends the program at once, hands off the keys.
void watch_for_second_signal(const sigset_t& set) {
    std::thread([set] {
        int number = 0;
        do {
            sigwait(&set, &number);
        } while (number != SIGTERM && number != SIGINT);
        release_all_platforms();
        std::_Exit(128 + number);
    }).detach();
}

// Each client is one; the soft limit is low for the sake of programs that use select().
void allow_many_descriptors() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
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
    return std::string(); // only the Unix socket: the kernel says who comes
}

Result<std::unique_ptr<ControlServer>> start_server(const DaemonOptions& options, Clock& clock, const ServiceNotify& notify) {
    ControlServerOptions wanted = server_options(options);
    wanted.token = TRY(token_for(options));
    wanted.tokens_file = config_dir() / "tokens.json";
    if (const auto interval = watchdog_interval(); interval) {
        wanted.tick = *interval;
        wanted.on_tick = [&notify] { (void)notify.send("WATCHDOG=1"); };
    }
    ControlServices services;
    services.clock = &clock;
    if (!options.policy_json.empty()) {
        services.session_defaults.policy = TRY(policy_from_json(options.policy_json));
    }
    services.open_platform = [&clock](const std::string& platform, const std::string& target_json,
                                      std::stop_token stop) -> Result<std::unique_ptr<Platform>> {
        const TargetSpec spec = TRY(target_from_json(platform, target_json));
        return open_target(spec, clock, std::move(stop));
    };
    return ControlServer::start(std::move(wanted), std::move(services));
}

int run(int argc, char** argv) {
    const ParsedCommandLine parsed = parse_daemon_command_line(argc, argv);
    if (!parsed.options) {
        return parsed.exit_code;
    }
    const DaemonOptions& options = *parsed.options;
    if (const auto logged = apply_log(options); !logged) {
        fmt::print(stderr, "handeyed: {}\n", logged.error().message);
        return daemon_exit_code(logged.error());
    }
    allow_many_descriptors();
    ::umask(kPrivate);
    std::signal(SIGPIPE, SIG_IGN);
    const sigset_t signals = handled_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // before any thread, so that all inherit it

    SystemClock clock;
    const ServiceNotify notify = ServiceNotify::from_environment();
    auto server = start_server(options, clock, notify);
    if (!server) {
        fmt::print(stderr, "handeyed: {}\n", server.error().message);
        return daemon_exit_code(server.error());
    }
    DaemonModel model(**server, notify, options.model, options.threads);
    (void)notify.send("READY=1");
    for (const Endpoint& endpoint : options.listen) {
        Endpoint shown = endpoint;
        shown.port = endpoint.unix_path.empty() && endpoint.port == 0 ? (*server)->tcp_port() : endpoint.port;
        fmt::print(stderr, "handeyed: listening on {}\n", to_string(shown));
    }

    const int number = serve_signals(**server, signals, [&] { reload(**server, notify, options); });
    watch_for_second_signal(signals);
    (void)notify.send("STOPPING=1");
    log::info("daemon", fmt::format("ending after signal {}", number));
    model.forget_server();
    server->reset();
    if (model.is_loading()) {
        std::fflush(nullptr);
        std::_Exit(0); // nothing is held any more; a load of minutes need not be waited for
    }
    return 0;
}

} // namespace
} // namespace handeye

int main(int argc, char** argv) { return handeye::run(argc, argv); }
