// SPDX-License-Identifier: Apache-2.0
// What the subcommands of `handeye` share: one row per command, common options, errors to exit codes, stop signals.
#pragma once

#include "apps/target.h"
#include "base/result.h"

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include <nlohmann/json_fwd.hpp>

namespace CLI {
class App;
}

namespace handeye::cli {

/// What a command gets besides its own options.
struct Context {
    bool json = false;      ///< one JSON document (or lines) on stdout and nothing else
    std::stop_token stop;   ///< requested by SIGINT, SIGTERM and SIGHUP
    std::function<void(std::function<bool()>)> on_interrupt; ///< what SIGINT asks first, on the signals' thread: true: it is dealt with
    std::function<bool()> is_hung_up; ///< whether it was SIGHUP: the terminal is gone, the person has not said stop
};

/// Declares its options on the subcommand and returns what runs it; the result is the exit code.
using Runner = std::function<Result<int>(const Context&)>;
struct CommandRow {
    const char* name;
    const char* help;
    Runner (*declare)(CLI::App& app);
    const char* group; ///< its heading in --help
};

// Nearly one per file of this folder.
Runner declare_act(CLI::App& app);
Runner declare_approve(CLI::App& app);
Runner declare_bench(CLI::App& app);
Runner declare_chat(CLI::App& app);
Runner declare_completion(CLI::App& app);
Runner declare_console(CLI::App& app);
Runner declare_doctor(CLI::App& app);
Runner declare_engine(CLI::App& app);
Runner declare_events(CLI::App& app);
Runner declare_export(CLI::App& app);
Runner declare_answer(CLI::App& app);
Runner declare_lease(CLI::App& app);
Runner declare_mcp(CLI::App& app);
Runner declare_models(CLI::App& app);
Runner declare_platforms(CLI::App& app);
Runner declare_policy(CLI::App& app);
Runner declare_record(CLI::App& app);
Runner declare_recordings(CLI::App& app);
Runner declare_replay(CLI::App& app);
Runner declare_report(CLI::App& app);
Runner declare_reset_stop(CLI::App& app);
Runner declare_run(CLI::App& app);
Runner declare_screenshot(CLI::App& app);
Runner declare_serve(CLI::App& app);
Runner declare_sessions(CLI::App& app);
Runner declare_stop(CLI::App& app);
Runner declare_task(CLI::App& app);
Runner declare_tasks(CLI::App& app);
Runner declare_token(CLI::App& app);
Runner declare_verify(CLI::App& app);

/// Exit codes of docs: 0 done, 1 fell short, 2 bad use or input, 3 stopped, 4 needs a person, 5 backend missing or failed.
int exit_code(ErrorCode code);

/// Says so where there is a config of the daemon: a person who wrote rules there may believe that they hold here, too.
void tell_of_rules_that_do_not_hold(std::string_view what);
void add_target_options(CLI::App& app, TargetSpec& spec);
/// `--no-checksums`, for what loads a model.
void add_checksums_option(CLI::App& app, bool& skips);

/// One line of JSON on stdout.
void print_json(const nlohmann::json& value);
/// Human text on stdout; control characters in it are shown, not obeyed.
void print(const std::string& text);
/// Progress on stderr, overwriting the last line when it is a terminal.
void print_progress(const std::string& text);

/// Blocks SIGINT, SIGTERM and SIGHUP for the program and waits for them on a thread: the first asks to stop and releases
/// everything that is pressed, the second ends the program at once. Make it before any other thread.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
    /// Whether the first was SIGHUP.
    [[nodiscard]] bool is_hung_up() const { return first_ == SIGHUP; }
    /// SIGINT asks it first, on the waiting thread, and does nothing more where it says true. Empty: none.
    void on_interrupt(std::function<bool()> handler);

private:
    bool is_dealt_with(int signal);

    std::mutex mutex_; // guards handler_
    std::function<bool()> handler_;
    std::atomic<int> first_{0};
    std::stop_source source_;
    std::jthread waiter_;
};

} // namespace handeye::cli
