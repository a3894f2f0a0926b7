// SPDX-License-Identifier: Apache-2.0
// `handeye console`: asks the daemon for a one-time ticket and opens its page in the user's browser. The ticket stands in no command
// line, which other users of the machine can read: the browser is given a file of this user's that leads to the page.
#include "apps/cli/command.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/net/json_rpc.h"

#include <array>
#include <filesystem>
#include <utility>

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
constexpr Duration kPageLook = std::chrono::milliseconds(100);
constexpr Duration kPatience = std::chrono::seconds(20); // a browser that is not running yet takes its time

/// False when there is no xdg-open, or it found no browser.
bool open_in_browser(const std::filesystem::path& page) {
    std::string program = "xdg-open", address = page.string();
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

/// A page that leads to `url`, readable by this user alone; gone when this ends.
class LeadingPage {
public:
    static Result<LeadingPage> write(const std::string& url, Clock& clock) {
        TRY(make_private_dir(runtime_dir()));
        std::filesystem::path path = runtime_dir() / fmt::format("console-{}.html", TRY(make_ulid(clock.wall_now())));
        TRY(write_file_atomic(path, fmt::format("<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=\"0;url={}\"><title>handeye</title>\n", url), 0600));
        return LeadingPage(std::move(path));
    }
    LeadingPage(LeadingPage&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    LeadingPage& operator=(LeadingPage&&) = delete;
    LeadingPage(const LeadingPage&) = delete;
    LeadingPage& operator=(const LeadingPage&) = delete;
    ~LeadingPage() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    explicit LeadingPage(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

/// The daemon, as the console's opener sees it.
class Daemon {
public:
    static Result<Daemon> reach(const std::string& daemon, const Context& context) {
        Endpoint endpoint{.unix_path = runtime_dir() / "handeyed.sock", .host = {}};
        if (!daemon.empty()) {
            endpoint = TRY(parse_endpoint(daemon));
        }
        Daemon out(TRY(WebSocketClient::connect(endpoint, {}, context.stop)), context);
        TRY(out.rpc_.identify("handeye console", "", out.clock_.now() + kCallDeadline, context.stop));
        return out;
    }
    Result<nlohmann::json> ask(const std::string& method) {
        const std::string answer = TRY(rpc_.call(method, "{}", clock_.now() + kCallDeadline, stop_));
        return parse_json(answer, {});
    }
    Result<int> connections() {
        const nlohmann::json info = TRY(ask("connection.info"));
        return info.value("connections", 0);
    }
    /// Waits until somebody more than `before` is connected, which is the page.
    Result<bool> has_page_come(int before) {
        const TimePoint deadline = clock_.now() + kPatience;
        while (clock_.now() < deadline) {
            if (TRY(connections()) > before) {
                return true;
            }
            if (clock_.sleep_for(kPageLook, stop_) == WaitResult::Stopped) {
                return false;
            }
        }
        return false;
    }

private:
    Daemon(std::unique_ptr<WebSocketClient> socket, const Context& context) : rpc_(std::move(socket)), stop_(context.stop) {}
    SystemClock clock_;
    JsonRpcClient rpc_;
    std::stop_token stop_;
};

/// False: no browser, or one that may not read the file (some are confined).
Result<bool> show_page(Daemon& daemon, const std::string& url) {
    SystemClock clock;
    const LeadingPage page = TRY(LeadingPage::write(url, clock));
    const int before = TRY(daemon.connections());
    return open_in_browser(page.path()) ? daemon.has_page_come(before) : Result<bool>(false);
}

Result<int> run_console(const std::string& address, bool only_print, const Context& context) {
    Daemon daemon = TRY(Daemon::reach(address, context));
    const nlohmann::json pass = TRY(daemon.ask("console.open"));
    const std::string url = pass.value("url", "");
    if (context.json) {
        print_json(pass);
        return 0;
    }
    if (!only_print && TRY(show_page(daemon, url))) {
        print("The console is open in your browser.");
        return 0;
    }
    print(url);
    print(fmt::format("{}Good once, within {} s.", only_print ? "" : "No browser came by itself: open this address. ", pass.value("ticket_life_ms", 0) / 1000));
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
