// SPDX-License-Identifier: Apache-2.0
#include "apps/daemon_options.h"

#include "apps/data_dir.h"

#include "apps/daemon_config.h"
#include "base/file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr int kThreadsMax = 1024;

void fill_defaults(DaemonOptions& options) {
    if (options.listen.empty()) {
        options.listen.push_back({.unix_path = runtime_dir() / "handeyed.sock"});
    }
    if (options.token_file.empty()) {
        options.token_file = config_dir() / "token";
    }
    if (options.sessions_dir.empty()) {
        options.sessions_dir = state_dir() / "sessions";
    }
    if (options.models_root.empty()) {
        options.models_root = data_dir() / "models";
    }
}

// It says what the agent may do: so nobody else may say it.
Result<void> check_writers(const std::filesystem::path& path) {
    constexpr mode_t kOthersWrite = 0022;
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0 || (about.st_uid != ::geteuid() && about.st_uid != 0)) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{} must belong to this user or to root", path.string())};
    }
    if ((about.st_mode & kOthersWrite) != 0) {
        return Error{ErrorCode::PermissionDenied,
                     fmt::format("{}: its mode is {:04o} and others may write it: chmod go-w", path.string(), about.st_mode & 07777U)};
    }
    return {};
}

// The file that was named must exist. The default one need not; a link to nothing there is a mistake.
Result<DaemonOptions> read_config(const std::string& named, bool is_reload) {
    const std::filesystem::path path = named.empty() ? config_dir() / "config.yaml" : std::filesystem::path(named);
    std::error_code problem;
    if (named.empty() && std::filesystem::symlink_status(path, problem).type() == std::filesystem::file_type::not_found) {
        return DaemonOptions{};
    }
    const std::string text = TRY(read_file(path, kConfigBytesMax));
    TRY(check_writers(path));
    if (is_reload && text.find_first_not_of(" \t\r\n") == std::string::npos) { // cut off while somebody writes it, or by a full disk
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is empty; `{{}}` in it says that nothing is configured", path.string())};
    }
    DaemonOptions options = TRY(parse_daemon_config(text, path.string()));
    options.config_file = path;
    return options;
}

void put_over(const CommandLine& said, DaemonOptions& options) {
    options.listen = said.listen.empty() ? std::move(options.listen) : said.listen;
    options.token_file = said.token_file.empty() ? options.token_file : std::filesystem::path(said.token_file);
    options.model = said.model.empty() ? options.model : said.model;
    options.adapters = said.adapters.empty() ? options.adapters : said.adapters;
    options.quantize = said.quantize.empty() ? options.quantize : said.quantize;
    options.remote = merged(options.remote, said.remote);
    options.sessions_dir = said.sessions_dir.empty() ? options.sessions_dir : std::filesystem::path(said.sessions_dir);
    options.threads = said.threads < 0 ? options.threads : said.threads;
    options.skips_checksums = options.skips_checksums || said.skips_checksums;
    if (said.is_verbose) {
        options.log_level = log::Level::Info;
    }
    options.command_line = said;
    fill_defaults(options);
}

} // namespace

std::filesystem::path data_dir() {
    if (const char* const set = std::getenv("XDG_DATA_HOME"); set != nullptr && set[0] == '/') {
        return std::filesystem::path(set) / "handeye";
    }
    const char* const home = std::getenv("HOME");
    return std::filesystem::path(home != nullptr ? home : "/") / ".local/share/handeye";
}

Result<std::filesystem::path> read_models_root() {
    DaemonOptions options = TRY(read_config("", false));
    fill_defaults(options);
    return options.models_root;
}

Result<DaemonOptions> reload_daemon_config(const DaemonOptions& running) {
    DaemonOptions options = TRY(read_config(running.config_file, true));
    put_over(running.command_line, options);
    return options;
}

std::vector<std::string> keys_for_next_start(const DaemonOptions& running, const DaemonOptions& fresh) {
    const auto same_place = [](const Endpoint& a, const Endpoint& b) { return to_string(a) == to_string(b); };
    const bool same_listen = std::equal(running.listen.begin(), running.listen.end(), fresh.listen.begin(), fresh.listen.end(), same_place);
    std::vector<std::string> keys;
    const auto note = [&keys](bool is_same, const char* key) {
        if (!is_same) {
            keys.emplace_back(key);
        }
    };
    note(same_listen, "listen");
    note(running.model == fresh.model, "model");
    note(is_same(running.remote, fresh.remote), "remote");
    note(running.models_root == fresh.models_root, "models.root");
    note(running.adapters == fresh.adapters, "adapters");
    note(running.quantize == fresh.quantize, "quantize");
    note(running.device == fresh.device, "device");
    note(running.gpu_memory_gb == fresh.gpu_memory_gb, "gpu_memory_gb");
    note(running.threads == fresh.threads, "threads");
    note(running.skips_checksums == fresh.skips_checksums, "checksums");
    note(running.sessions_dir == fresh.sessions_dir, "sessions_dir");
    note(running.task_files_root == fresh.task_files_root, "tasks.files_root");
    note(running.targets == fresh.targets, "targets");
    note(running.tls_cert.empty() == fresh.tls_cert.empty(), "tls");
    return keys;
}

int daemon_exit_code(const Error& error) {
    switch (error.code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::ParseFailed:
    case ErrorCode::OutOfBounds:
    case ErrorCode::LimitExceeded:
    case ErrorCode::NotFound:
    case ErrorCode::Unsupported:
    case ErrorCode::PermissionDenied: return 2;
    case ErrorCode::Unavailable:
    case ErrorCode::Overloaded:
    case ErrorCode::Cancelled:
    case ErrorCode::DeadlineExceeded:
    case ErrorCode::IoFailed:
    case ErrorCode::OutOfMemory:
    case ErrorCode::EngineLost:
    case ErrorCode::Internal: return 5;
    }
    return 5;
}

ParsedCommandLine parse_daemon_command_line(int argc, char** argv) {
    CLI::App app{"handeyed keeps sessions on screens and works on tasks there; programs and people steer it over a socket."};
    app.name("handeyed");
    app.set_version_flag("--version", "handeyed " HANDEYE_VERSION);
    std::string config;
    std::vector<std::string> listen;
    CommandLine said;
    bool is_check = false;
    app.add_option("--config", config, "YAML file (docs/service.md); SIGHUP reads it again\n"
                                       "(default: $XDG_CONFIG_HOME/handeye/config.yaml, where there is one)");
    app.add_option("--listen", listen, "unix:PATH or HOST:PORT of this machine; may be given several times\n"
                                       "(default: unix:$XDG_RUNTIME_DIR/handeye/handeyed.sock)");
    app.add_option("--token-file", said.token_file, "The token that TCP clients must show; made with 256 random bits when absent\n"
                                               "(default: $XDG_CONFIG_HOME/handeye/token)");
    app.add_option("--model", said.model, "Folder of a checkpoint, NAME[:FORMAT[:QUANTIZATION]], or URLs of servers (docs/scaling.md)\n(default: $HANDEYE_MODEL, else the bundled model)")->join(',');
    app.add_option("--prompt", said.remote.prompt, "Prompt for a model on a server (default: by what the server or the model's name tells)");
    add_remote_options(app, said.remote);
    app.add_option("--adapter", said.adapters, "Folder of a PEFT LoRA adapter for the model (repeatable: they add up)")->allow_extra_args(false)->type_name("DIR");
    app.add_option("--quantize", said.quantize, "Pack a 16-bit model while it is loaded: less memory, and a longer start")->check(CLI::IsMember({"8bit", "4bit"}));
    app.add_option("--sessions-dir", said.sessions_dir, "Where recordings go (default: $XDG_STATE_HOME/handeye/sessions)");
    app.add_option("--threads", said.threads, "Threads of the engine (default: one per core)")->check(CLI::Range(0, kThreadsMax));
    app.add_flag("--no-checksums", said.skips_checksums, "Do not compare the model's files with the SHA-256 sums beside them");
    app.add_flag("--check-config", is_check, "Read the configuration and the files it names, say what is wrong with them, and end");
    app.add_flag("-v,--verbose", said.is_verbose, "Log what happens to stderr");
    app.footer("Try it:      handeyed &   then   handeye run \"Click Save.\" --window \"My form\"\n"
               "Over TCP:    handeyed --listen 127.0.0.1:7625   with the token from the token file\n"
               "Emergency:   kill -USR1 stops every task and lets go of all keys\n"
               "Whoever may connect controls this desktop: the socket is for this user alone, TCP for this machine alone.\n"
               "Exit codes:  0 ended in good order, 2 bad use or input, 5 something is missing or failed.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return {std::nullopt, app.exit(problem) == 0 ? 0 : 2};
    }
    auto options = read_config(config, false);
    for (const std::string& text : listen) {
        auto endpoint = parse_endpoint(text);
        if (endpoint) {
            said.listen.push_back(std::move(*endpoint));
        } else if (options) {
            options = std::move(endpoint).error().with_context("--listen");
        }
    }
    if (!options) {
        fmt::print(stderr, "handeyed: {}\n", options.error().message);
        return {std::nullopt, daemon_exit_code(options.error())};
    }
    put_over(said, *options);
    return {std::move(*options), 0, is_check};
}

} // namespace handeye
