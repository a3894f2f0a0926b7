// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/command.h"

#include "base/file.h"
#include "base/json.h"
#include "base/printable.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye::cli {

int exit_code(ErrorCode code) {
    switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::ParseFailed:
    case ErrorCode::OutOfBounds:
    case ErrorCode::LimitExceeded:
    case ErrorCode::NotFound: return 2;
    case ErrorCode::PermissionDenied:
    case ErrorCode::Cancelled: return 3;
    case ErrorCode::Unsupported:
    case ErrorCode::Unavailable:
    case ErrorCode::Overloaded:
    case ErrorCode::DeadlineExceeded:
    case ErrorCode::IoFailed:
    case ErrorCode::OutOfMemory:
    case ErrorCode::EngineLost:
    case ErrorCode::Internal: return 5;
    }
    return 5;
}

void tell_of_rules_that_do_not_hold(std::string_view what) {
    std::error_code problem;
    if (const std::filesystem::path config = config_dir() / "config.yaml"; std::filesystem::exists(config, problem)) {
        print_progress("");
        fmt::print(stderr, "handeye: {} runs in this program, not in handeyed: the rules of {} do not hold for it\n", what, config.string());
    }
}

namespace {

CLI::Option* add_field(CLI::App& app, const std::string& name, std::string& text, const std::string& help) { return app.add_option(name, text, help); }
CLI::Option* add_field(CLI::App& app, const std::string& name, bool& flag, const std::string& help) { return app.add_flag(name, flag, help); }

} // namespace

void add_target_options(CLI::App& app, TargetSpec& spec) {
    const char* const group = "Target";
    app.add_option("--platform", spec.platform, "Where to look and act (see `handeye platforms`)")
        ->capture_default_str()
        ->group(group);
    for (const TargetField& field : target_fields()) {
        std::string name = fmt::format("--{}", field.name);
        std::replace(name.begin(), name.end(), '_', '-');
        const std::string help = fmt::format("{} [{}]", field.help, field.platforms);
        std::visit([&](auto member) { add_field(app, name, spec.*member, help)->group(group); }, field.value);
    }
    app.add_option("--launch", spec.launch, "Start this program on the target first and wait for its window (repeatable)")
        ->allow_extra_args(false)
        ->group(group);
}

void add_checksums_option(CLI::App& app, bool& skips) {
    app.add_flag("--no-checksums", skips, "Do not compare the model's files with the SHA-256 sums beside them");
}

void print_json(const nlohmann::json& value) {
    fmt::print("{}\n", dump_json(value));
    std::fflush(stdout);
}

void print(const std::string& text) {
    fmt::print("{}\n", printable(text));
    std::fflush(stdout);
}

void print_progress(const std::string& text) {
    static const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
    if (is_terminal) {
        fmt::print(stderr, "\r\x1b[K{}{}", printable(text), text.empty() ? "" : " ");
        std::fflush(stderr);
    }
}

StopSignals::StopSignals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN); // a write beyond RLIMIT_FSIZE fails, like one to a full disk
    waiter_ = std::jthread([this, set](const std::stop_token& done) {
        constexpr timespec kLook{.tv_sec = 0, .tv_nsec = 100'000'000};
        int seen = 0;
        while (!done.stop_requested()) {
            const int signal = sigtimedwait(&set, nullptr, &kLook);
            if (signal < 0 || is_dealt_with(signal)) {
                continue;
            }
            if (seen == 0) {
                first_ = signal;
            }
            source_.request_stop();
            release_all_platforms();
            if (++seen >= 2) {
                std::_Exit(3);
            }
        }
    });
}

void StopSignals::on_interrupt(std::function<bool()> handler) {
    const std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
}

bool StopSignals::is_dealt_with(int signal) {
    const std::lock_guard lock(mutex_);
    return signal == SIGINT && handler_ && handler_();
}

StopSignals::~StopSignals() = default;

} // namespace handeye::cli
