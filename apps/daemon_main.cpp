// SPDX-License-Identifier: Apache-2.0
// `handeyed`: wires platforms, engine and control server together, and turns signals into their orderly end.
#include "apps/daemon_model.h"
#include "apps/daemon_options.h"
#include "apps/daemon_reload.h"
#include "apps/daemon_secrets.h"
#include "apps/models/store.h"
#include "apps/reload_thread.h"
#include "apps/secret_files.h"
#include "apps/target.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/picture_decoder.h"
#include "platforms/open_platform.h"
#include "server/control_server.h"
#include "server/listen_socket.h"
#include "server/service_notify.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace handeye {
namespace {

constexpr mode_t kPrivate = 0077;
constexpr Duration kReloadGrace = std::chrono::seconds(1);

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
        sigaddset(&set, number);
    }
    return set;
}

// The signal that ends the program; the others are served here.
int serve_signals(ControlServer& server, const sigset_t& set, ReloadThread& reloads) {
    for (;;) {
        int number = 0;
        sigwait(&set, &number);
        switch (number) {
        case SIGUSR1: server.stop_all("SIGUSR1"); break;
        case SIGHUP: reloads.ask(); break;
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

Result<std::filesystem::path> program_beside(const std::string& name) {
    std::error_code problem;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", problem);
    return problem ? Result<std::filesystem::path>(Error{ErrorCode::NotFound, "/proc/self/exe: " + problem.message()}) : self.parent_path() / name;
}

Result<std::unique_ptr<ControlServer>> start_server(const DaemonOptions& options, Clock& clock, const ServiceNotify& notify, ApprovalNotices& notices,
                                                    DaemonSecrets& secrets) {
    ControlServerOptions wanted = server_options(options);
    wanted.token = TRY(token_for(options));
    if (const auto interval = watchdog_interval(); interval) {
        wanted.tick = *interval;
        wanted.on_tick = [&notify] { (void)notify.send("WATCHDOG=1"); };
    }
    ControlServices services;
    services.clock = &clock;
    services.secrets = TRY(secrets.read());
    secrets.hide(services.secrets);
    services.decode_picture = [decoder = std::make_shared<PictureDecoder>(TRY(program_beside("handeye-decoder")))](std::span<const std::uint8_t> bytes, const std::stop_token& stop) {
        return decoder->decode(bytes, stop);
    };
    services.session_defaults = TRY(session_defaults(options));
    services.kill_chord = options.hot_key;
    services.task_files_root = options.task_files_root;
    services.on_approval = [&notices](const ApprovalNotice& notice) { notices.hear(notice); };
    services.on_question = [&notices](const QuestionNotice& notice) { notices.hear(notice); };
    services.open_platform = [&clock, allowed = options.targets](const std::string& platform, const std::string& target_json,
                                      std::stop_token stop) -> Result<std::unique_ptr<Platform>> {
        const TargetSpec spec = TRY(target_from_json(platform, target_json, allowed));
        return open_target(spec, clock, std::move(stop));
    };
    return ControlServer::start(std::move(wanted), std::move(services));
}

/// Set where the model is on servers; reads the key, and takes it out of the environment.
Result<std::optional<RemoteOptions>> remote_of(const DaemonOptions& options) {
    const std::string model = wanted_model(options.model);
    if (!names_servers(model)) {
        return std::optional<RemoteOptions>();
    }
    if (!options.adapters.empty() || !options.quantize.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is for a model that is loaded here, and {} is on a server", options.adapters.empty() ? "quantize" : "adapters", model)};
    }
    return std::optional(TRY(to_remote_options(model, options.remote)));
}

/// What start_server() would refuse, as far as it shows without making a file or opening a socket.
Result<void> check_without_start(const DaemonOptions& options) {
    std::error_code problem;
    const std::optional<RemoteOptions> remote = TRY(remote_of(options).with_context("model"));
    if (!options.model.empty() && !remote) {
        TRY(find_checkpoint(options.model, options.models_root).with_context("model"));
    }
    const bool has_tcp = std::any_of(options.listen.begin(), options.listen.end(), [](const Endpoint& endpoint) { return endpoint.unix_path.empty(); });
    if (has_tcp && std::filesystem::exists(config_dir(), problem)) {
        TRY(make_private_dir(config_dir())); // tokens lie there
    }
    TRY(session_defaults(options));
    TRY(load_secrets(config_dir()));
    TRY(ControlServer::check(server_options(options)));
    if (std::filesystem::exists(options.log_file, problem) && !std::filesystem::is_regular_file(options.log_file, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("log file {}: not a regular file", options.log_file.string())};
    }
    if (std::filesystem::exists(options.token_file, problem)) {
        TRY(token_for(options));
    }
    return {};
}

int run(int argc, char** argv) {
    const ParsedCommandLine parsed = parse_daemon_command_line(argc, argv);
    if (!parsed.options) {
        return parsed.exit_code;
    }
    const DaemonOptions& options = *parsed.options;
    if (parsed.is_check) {
        const auto checked = check_without_start(options);
        fmt::print(checked ? stdout : stderr, "handeyed: {}\n", checked ? "the configuration is fine" : checked.error().message);
        return checked ? 0 : daemon_exit_code(checked.error());
    }
    if (const auto logged = apply_log(options); !logged) {
        fmt::print(stderr, "handeyed: {}\n", logged.error().message);
        return daemon_exit_code(logged.error());
    }
    if (const auto forbidden = forbid_memory_dumps(); !forbidden) {
        fmt::print(stderr, "handeyed: {}\n", forbidden.error().message);
        return daemon_exit_code(forbidden.error());
    }
    allow_many_descriptors();
    ::umask(kPrivate);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN); // a write beyond RLIMIT_FSIZE fails, like one to a full disk
    const sigset_t signals = handled_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // before any thread, so that all inherit it

    SystemClock clock;
    const ServiceNotify notify = ServiceNotify::from_environment();
    ApprovalNotices notices(clock); // before the server, whose sessions tell it
    notices.configure(options.approvals);
    auto secrets = DaemonSecrets::from_environment();
    auto remote = secrets ? remote_of(options) : Result<std::optional<RemoteOptions>>(secrets.error());
    auto server = remote ? start_server(options, clock, notify, notices, *secrets) : Result<std::unique_ptr<ControlServer>>(remote.error());
    if (!server) {
        fmt::print(stderr, "handeyed: {}\n", server.error().message);
        return daemon_exit_code(server.error());
    }
    notices.set_server(server->get());
    DaemonModel model(**server, notify, options, *std::move(remote));
    (void)notify.send("READY=1");
    for (const Endpoint& endpoint : options.listen) {
        Endpoint shown = endpoint;
        shown.port = endpoint.unix_path.empty() && endpoint.port == 0 ? (*server)->tcp_port() : endpoint.port;
        fmt::print(stderr, "handeyed: listening on {}\n", to_string(shown));
    }

    RunningDaemon running{**server, notices, notify, *secrets, options, options};
    ReloadThread reloads([&running] { reload_daemon(running); });
    const int number = serve_signals(**server, signals, reloads);
    watch_for_second_signal(signals);
    const bool is_reload_over = reloads.end(kReloadGrace);
    (void)notify.send("STOPPING=1");
    log::info("daemon", fmt::format("ending after signal {}", number));
    notices.set_server(nullptr);
    model.forget_server();
    server->reset();
    if (model.is_loading() || !is_reload_over) {
        std::fflush(nullptr);
        std::_Exit(0); // nothing is held any more; a load of minutes, or a file that never comes, need not be waited for
    }
    return 0;
}

} // namespace
} // namespace handeye

int main(int argc, char** argv) {
    handeye::take_environment(); // before anything else can be started
    return handeye::run(argc, argv);
}
