// SPDX-License-Identifier: Apache-2.0
#include "apps/target.h"

#include "apps/models/store.h"
#include "base/command_line.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr int kSideMaxPx = 16384;
constexpr Duration kWindowDeadline = std::chrono::seconds(15);
constexpr Duration kWindowPoll = std::chrono::milliseconds(20);

// "12,34,56,78" or "640x480": whole numbers between separators, nothing else.
std::optional<std::vector<int>> numbers(std::string_view text, char separator) {
    std::vector<int> out;
    while (true) {
        int value = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (problem != std::errc() || value < 0 || value > kSideMaxPx) {
            return std::nullopt;
        }
        out.push_back(value);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.empty()) {
            return out;
        }
        if (text.front() != separator) {
            return std::nullopt;
        }
        text.remove_prefix(1);
    }
}

Result<void> launch_and_wait(Platform& platform, const std::string& line, Clock& clock, const std::stop_token& stop) {
    const std::vector<std::string> argv = TRY(split_command(line));
    std::set<std::uint64_t> before;
    for (const WindowInfo& window : TRY(platform.windows())) {
        before.insert(window.id);
    }
    TRY(platform.perform(LaunchApp{argv}));
    const TimePoint deadline = clock.now() + kWindowDeadline;
    while (clock.now() < deadline) {
        const std::vector<WindowInfo> windows = TRY(platform.windows());
        const bool is_new = std::any_of(windows.begin(), windows.end(), [&](const WindowInfo& window) {
            return !before.contains(window.id) && !window.area.size().is_empty();
        });
        if (is_new) {
            TRY(platform.settle({.quiet = std::chrono::milliseconds(250)}, stop));
            return {};
        }
        if (const std::string failure = platform.launch_failure(); !failure.empty()) {
            return Error{ErrorCode::Unavailable,
                         fmt::format("\"{}\" {} before it showed a window; run it by hand to see what it says", line, failure)};
        }
        if (clock.sleep_for(kWindowPoll, stop) == WaitResult::Stopped) {
            return Error{ErrorCode::Cancelled, "stopped while a program started"};
        }
    }
    return Error{ErrorCode::DeadlineExceeded, fmt::format("\"{}\" showed no window within 15 s", line)};
}

} // namespace

Result<PlatformOptions> to_platform_options(const TargetSpec& spec) {
    PlatformOptions options;
    options.platform = spec.platform;
    options.display = spec.display;
    options.window_title = spec.window;
    if (!spec.region.empty()) {
        const auto part = numbers(spec.region, ',');
        if (!part || part->size() != 4 || (*part)[2] == 0 || (*part)[3] == 0) {
            return Error{ErrorCode::InvalidArgument,
                         fmt::format("region \"{}\" is not X,Y,WIDTH,HEIGHT in pixels, e.g. 100,50,640,480", spec.region)};
        }
        options.region = Rect{(*part)[0], (*part)[1], (*part)[2], (*part)[3]};
    }
    if (!spec.headless.empty()) {
        const auto size = numbers(spec.headless, 'x');
        if (!size || size->size() != 2 || (*size)[0] < 64 || (*size)[1] < 64) {
            return Error{ErrorCode::InvalidArgument,
                         fmt::format("headless size \"{}\" is not WIDTHxHEIGHT from 64x64 to {}x{}", spec.headless,
                                     kSideMaxPx, kSideMaxPx)};
        }
        if (!spec.display.empty()) {
            return Error{ErrorCode::InvalidArgument, "--display and --headless exclude each other"};
        }
        options.headless = Size{(*size)[0], (*size)[1]};
    }
    return options;
}

Result<TargetSpec> target_from_json(const std::string& platform, std::string_view target_json) {
    TargetSpec spec;
    spec.platform = platform;
    if (target_json.empty()) {
        return spec;
    }
    const nlohmann::json target = TRY(parse_json(target_json));
    if (!target.is_object()) {
        return Error{ErrorCode::InvalidArgument, "target must be an object"};
    }
    const std::array<std::pair<std::string_view, std::string*>, 4> texts{
        {{"display", &spec.display}, {"window", &spec.window}, {"region", &spec.region}, {"headless", &spec.headless}}};
    for (const auto& [key, value] : target.items()) {
        const auto* const field =
            std::find_if(texts.begin(), texts.end(), [&](const auto& text) { return text.first == key; });
        if (field != texts.end() && value.is_string()) {
            *field->second = value.get<std::string>();
        } else if (key == "launch" && value.is_array() &&
                   std::all_of(value.begin(), value.end(), [](const auto& line) { return line.is_string(); })) {
            spec.launch = value.get<std::vector<std::string>>();
        } else {
            return Error{ErrorCode::InvalidArgument,
                         fmt::format("target.{} is unknown or of the wrong type; texts: display, window, region, headless; "
                                     "array of texts: launch",
                                     key)};
        }
    }
    return spec;
}

std::string target_to_json(const TargetSpec& spec) {
    nlohmann::json target = nlohmann::json::object();
    const auto put = [&](const char* key, const std::string& text) {
        if (!text.empty()) {
            target[key] = text;
        }
    };
    put("display", spec.display);
    put("window", spec.window);
    put("region", spec.region);
    put("headless", spec.headless);
    if (!spec.launch.empty()) {
        target["launch"] = spec.launch;
    }
    return dump_json(target);
}

Result<std::unique_ptr<Platform>> open_target(const TargetSpec& spec, Clock& clock, std::stop_token stop) {
    PlatformOptions options = TRY(to_platform_options(spec));
    if (spec.launch.empty()) {
        return open_platform(options, clock);
    }
    // A window that the launched program is about to show cannot be found yet: start on the whole display, then scope.
    PlatformOptions whole = options;
    whole.window_title.clear();
    std::unique_ptr<Platform> platform = TRY(open_platform(whole, clock));
    for (const std::string& line : spec.launch) {
        TRY(launch_and_wait(*platform, line, clock, stop));
    }
    if (options.window_title.empty()) {
        return platform;
    }
    if (options.headless) {
        return Error{ErrorCode::InvalidArgument, "--window cannot scope a --headless session that launches its programs; "
                                                 "leave --window out: the programs have the display to themselves"};
    }
    return open_platform(options, clock);
}

Result<std::filesystem::path> find_model(const std::string& given) {
    namespace fs = std::filesystem;
    const char* from_environment = std::getenv("HANDEYE_MODEL");
    if (!given.empty() || (from_environment != nullptr && from_environment[0] != '\0')) {
        return find_checkpoint(given.empty() ? from_environment : given, {});
    }
    std::error_code problem;
    const fs::path program = fs::read_symlink("/proc/self/exe", problem).parent_path();
    const std::array<fs::path, 3> places{program / "../share/handeye/models/nano", program / "../../../models/nano",
                                         program / "../../models/nano"};
    for (const fs::path& place : places) {
        if (fs::exists(place / "config.json", problem)) {
            return fs::weakly_canonical(place, problem);
        }
    }
    return Error{ErrorCode::NotFound, "the bundled model was not found beside the program: name a checkpoint with --model DIR"};
}

} // namespace handeye
