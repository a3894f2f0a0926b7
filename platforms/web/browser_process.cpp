// SPDX-License-Identifier: Apache-2.0
#include "platforms/web/browser_process.h"

#include "base/json.h"
#include "base/json_fields.h"
#include "base/net/http_get.h"
#include "base/printable.h"
#include "platforms/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

namespace {

constexpr std::array<const char*, 3> kNames{"chromium", "chromium-browser", "google-chrome"};
constexpr std::string_view kProfilePrefix = "handeye-web-";
constexpr Duration kStartPatience = std::chrono::seconds(60);
constexpr Duration kStartPoll = std::chrono::milliseconds(20);
constexpr std::size_t kPortFileMax = 4096;
constexpr std::size_t kWordsMax = 600;
constexpr std::string_view kBrowserPath = "/devtools/browser/";
constexpr std::size_t kUuidLength = 36;

/// What a session needs quiet: nothing asked of a person, nothing fetched for the browser itself, no page slowed because it is covered.
constexpr std::array kSwitches{
    "--remote-debugging-port=0", "--remote-debugging-address=127.0.0.1", "--no-first-run", "--no-default-browser-check",
    "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-domain-reliability", "--disable-breakpad", "--disable-client-side-phishing-detection", "--metrics-recording-only",
    "--no-service-autorun", "--password-store=basic", "--use-mock-keychain", "--disable-search-engine-choice-screen",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
    "--disable-hang-monitor", "--disable-prompt-on-repost", "--disable-ipc-flooding-protection", "--hide-crash-restore-bubble",
    "--disable-features=Translate,OptimizationHints,MediaRouter,PaintHolding,DestroyProfileOnBrowserClose",
};

} // namespace

Result<std::filesystem::path> find_browser(const std::string& given) {
    if (!given.empty()) {
        return std::filesystem::path(TRY(find_program(given).with_context("browser")));
    }
    for (const char* name : kNames) {
        if (const auto found = find_program(name)) {
            return std::filesystem::path(*found);
        }
    }
    return Error{ErrorCode::Unavailable, "no Chromium here: apt-get install chromium, or name a browser with --browser"};
}

Result<std::string> browser_version(const std::filesystem::path& program) {
    std::string quoted = "'";
    for (const char c : program.string()) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    FILE* const pipe = popen((quoted + "' --version 2>/dev/null").c_str(), "re");
    if (pipe == nullptr) {
        return Error{ErrorCode::Unavailable, fmt::format("{} cannot be run", program.string())};
    }
    std::array<char, 256> line{};
    const bool has_line = std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr;
    const int status = pclose(pipe);
    std::string text = has_line ? std::string(line.data()) : std::string();
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.pop_back();
    }
    if (status != 0 || text.empty()) {
        return Error{ErrorCode::Unavailable, fmt::format("{} --version failed", program.string())};
    }
    return printable(text);
}

Result<BrowserAddress> find_running_browser(const std::string& host_port, const std::stop_token& stop) {
    Endpoint endpoint = TRY(parse_endpoint(host_port).with_context("the browser to attach to"));
    if (!endpoint.unix_path.empty()) {
        return Error{ErrorCode::InvalidArgument, "a browser listens on HOST:PORT, not on a Unix socket"};
    }
    std::string body;
    HttpGetOptions options;
    options.body_bytes_max = 65536;
    options.connect_timeout = std::chrono::seconds(10);
    options.idle_timeout = std::chrono::seconds(10);
    const HttpSink sink{[](const HttpHead&) -> Result<HttpBody> { return HttpBody::Wanted; },
                        [&](std::span<const std::uint8_t> piece) -> Result<void> {
                            body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                            return {};
                        }};
    const std::string advice = fmt::format("start one with `chromium --remote-debugging-port={}` and a --user-data-dir of its own", endpoint.port);
    const auto head = http_get({endpoint, "/json/version"}, options, sink, stop);
    if (!head) {
        return Error{head.error().code, fmt::format("no browser at {}: {}; {}", host_port, head.error().message, advice)};
    }
    const auto reply = parse_json(body, {.bytes_max = 65536, .depth_max = 8});
    const std::string url = reply && head->status == 200 ? json_text(*reply, "webSocketDebuggerUrl") : std::string();
    const std::size_t scheme = url.find("://");
    const std::size_t path = scheme == std::string::npos ? scheme : url.find('/', scheme + 3);
    if (path == std::string::npos) {
        return Error{ErrorCode::Unavailable, fmt::format("what listens at {} is no browser with DevTools (it answered {}); {}", host_port, head->status, advice)};
    }
    return BrowserAddress{endpoint, url.substr(path)}; // the host in it may be the browser's own view of itself
}

Result<std::unique_ptr<BrowserProcess>> BrowserProcess::start(const LaunchOptions& options, Clock& clock, const std::stop_token& stop) {
    if (!options.is_headless && options.display.empty() && std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) {
        return Error{ErrorCode::NotFound, "a browser with a window needs a display, and $DISPLAY is not set; --headless 1280x800 needs none"};
    }
    std::unique_ptr<BrowserProcess> process(new BrowserProcess);
    std::error_code problem;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(problem);
    if (problem) {
        return Error{ErrorCode::IoFailed, fmt::format("no folder for temporary files: {}; set TMPDIR to one", problem.message())};
    }
    process->profile_ = TRY(make_owned_folder(parent, kProfilePrefix));
    std::vector<std::string> argv{options.program.string()};
    argv.insert(argv.end(), kSwitches.begin(), kSwitches.end());
    argv.push_back(fmt::format("--user-data-dir={}", process->profile_.path.string()));
    argv.push_back(fmt::format("--window-size={},{}", options.window.width_px, options.window.height_px));
    if (options.is_headless) {
        argv.insert(argv.end(), {"--headless=new", "--mute-audio"});
    }
    if (getuid() == 0) {
        argv.emplace_back("--no-sandbox"); // Chromium refuses to run as root with one
    }
    argv.insert(argv.end(), options.extra.begin(), options.extra.end());
    argv.emplace_back("about:blank");
    const FileDescriptor words(open((process->profile_.path / "stderr").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    process->child_ = TRY(GuardedChild::start(std::move(argv), merged_environment(options.display.empty() ? Environment() : Environment{{"DISPLAY", options.display}}), -1, words.get()));
    TRY(process->wait_until_listening(clock, stop));
    return process;
}

BrowserProcess::~BrowserProcess() {
    child_.reset();
    std::error_code ignored;
    for (int attempt = 0; attempt < 5 && std::filesystem::exists(profile_.path, ignored); ++attempt) { // a helper that is dying may still write
        std::filesystem::remove_all(profile_.path, ignored);
    }
}

std::string BrowserProcess::last_words() const {
    const auto words = read_file(profile_.path / "stderr", 1U << 20U);
    if (!words || words->empty()) {
        return "it said nothing";
    }
    return printable(words->size() > kWordsMax ? words->substr(words->size() - kWordsMax) : *words);
}

std::string BrowserProcess::failure() const {
    return child_->has_ended() ? fmt::format("the browser ended: {}", last_words()) : std::string();
}

Result<void> BrowserProcess::wait_until_listening(Clock& clock, const std::stop_token& stop) {
    const TimePoint deadline = clock.now() + kStartPatience;
    while (clock.now() < deadline) {
        // "PORT\nPATH": the second line has no end, so that it is there whole when it begins as it must and the browser accepts it.
        const auto text = read_file(profile_.path / "DevToolsActivePort", kPortFileMax);
        const std::size_t line = text ? text->find('\n') : std::string::npos;
        int port = 0;
        if (line != std::string::npos && std::from_chars(text->data(), text->data() + line, port).ec == std::errc() && port > 0 && port < 65536 &&
            text->substr(line + 1).starts_with(kBrowserPath) && text->size() >= line + 1 + kBrowserPath.size() + kUuidLength) {
            address_ = {Endpoint{{}, "127.0.0.1", static_cast<std::uint16_t>(port)}, text->substr(line + 1)};
            return {};
        }
        if (child_->has_ended()) {
            return Error{ErrorCode::Unavailable, fmt::format("the browser did not start: {}", last_words())};
        }
        if (clock.sleep_for(kStartPoll, stop) == WaitResult::Stopped) {
            return Error{ErrorCode::Cancelled, "stopped while the browser started"};
        }
    }
    return Error{ErrorCode::DeadlineExceeded, fmt::format("the browser did not listen within {} s: {}",
                                                          std::chrono::duration_cast<std::chrono::seconds>(kStartPatience).count(), last_words())};
}

} // namespace handeye::web
