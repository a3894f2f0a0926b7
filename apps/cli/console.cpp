// SPDX-License-Identifier: Apache-2.0
// `handeye console`: asks the daemon for a one-time ticket and opens its page in the user's browser.
#include "apps/cli/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/net/json_rpc.h"

#include <array>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye::cli {
namespace {

constexpr Duration kCallDeadline = std::chrono::seconds(10);

/// False when there is no xdg-open, or it found no browser.
bool open_in_browser(const std::string& url) {
    std::string program = "xdg-open", address = url;
    const std::array<char*, 3> argv{program.data(), address.data(), nullptr};
    posix_spawn_file_actions_t actions{};
    if (::posix_spawn_file_actions_init(&actions) != 0) {
        return false;
    }
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const bool is_started = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, argv.data(), environ) == 0;
    ::posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    return is_started && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Result<nlohmann::json> ask_daemon(const std::string& daemon, const Context& context) {
    SystemClock clock;
    Endpoint endpoint{.unix_path = runtime_dir() / "handeyed.sock", .host = {}};
    if (!daemon.empty()) {
        endpoint = TRY(parse_endpoint(daemon));
    }
    JsonRpcClient rpc(TRY(WebSocketClient::connect(endpoint, {}, context.stop)));
    TRY(rpc.identify("handeye console", "", clock.now() + kCallDeadline, context.stop));
    const std::string pass = TRY(rpc.call("console.open", "{}", clock.now() + kCallDeadline, context.stop));
    return parse_json(pass, {});
}

Result<int> run_console(const std::string& daemon, bool only_print, const Context& context) {
    const nlohmann::json pass = TRY(ask_daemon(daemon, context));
    const std::string url = pass.value("url", "");
    if (context.json) {
        print_json(pass);
    } else if (only_print || !open_in_browser(url)) {
        print(url);
        print(fmt::format("Good once, within {} s.", pass.value("ticket_life_ms", 0) / 1000));
    } else {
        print("The console is open in your browser.");
    }
    return 0;
}

} // namespace

Runner declare_console(CLI::App& app) {
    struct Options {
        std::string daemon;
        bool only_print = false;
    };
    const auto options = std::make_shared<Options>();
    app.add_option("--daemon", options->daemon, "unix:PATH of the daemon (default: this user's)");
    app.add_flag("--print", options->only_print, "Print the address instead of opening a browser");
    return [options](const Context& context) { return run_console(options->daemon, options->only_print, context); };
}

} // namespace handeye::cli
