// SPDX-License-Identifier: Apache-2.0
#include "apps/target.h"

#include "base/command_line.h"
#include "base/file.h"
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
constexpr std::size_t kListMax = 1000;
constexpr Duration kWindowDeadline = std::chrono::seconds(15);
constexpr Duration kWindowPoll = std::chrono::milliseconds(20);

constexpr TargetField kFields[] = {
    {"display", &TargetSpec::display, "x11 web", "X display, e.g. :0 (default: $DISPLAY)"},
    {"window", &TargetSpec::window, "x11", "Only the window whose title contains this"},
    {"region", &TargetSpec::region, "x11", "Only this part of the display: X,Y,WIDTH,HEIGHT"},
    {"headless", &TargetSpec::headless, "x11 web", "Start an own invisible display or page of WIDTHxHEIGHT"},
    {"attach", &TargetSpec::attach, "web android vnc", "What runs already: HOST:PORT of a browser's DevTools or of the adb server; HOST:DISPLAY or HOST::PORT of a VNC server"},
    {"url", &TargetSpec::url, "web", "First page"},
    {"browser", &TargetSpec::browser, "web", "Browser program (default: the Chromium that is installed)"},
    {"scale", &TargetSpec::scale, "web", "Device pixels of a CSS pixel, e.g. 2"},
    {"allow_domains", &TargetSpec::allow_domains, "web", "Load these domains and schemes only, e.g. example.org,*.example.net,data:"},
    {"deny_domains", &TargetSpec::deny_domains, "web", "Never load these domains and schemes"},
    {"grant", &TargetSpec::grant, "web", "Permissions that pages may have, e.g. geolocation,notifications (default: none)"},
    {"uploads", &TargetSpec::uploads, "web", "Folder whose files may be given to pages (default: none but downloads)"},
    {"downloads", &TargetSpec::downloads, "web", "Folder for downloads (default: one of the session)"},
    {"user", &TargetSpec::user, "vnc", "Name to give to a server that asks for one"},
    {"password_file", &TargetSpec::password_file, "vnc", "File of mode 0600 with the server's password (default: $HANDEYE_VNC_PASSWORD)"},
    {"tls", &TargetSpec::tls, "vnc", "auto (default): encrypted where the server offers it; require; verify: with a certificate"},
    {"ca_file", &TargetSpec::ca_file, "vnc", "Authorities that may have signed the server's certificate, PEM (default: the system's)"},
    {"view_only", &TargetSpec::view_only, "vnc", "Look only: every input is refused"},
    {"serial", &TargetSpec::serial, "android", "The phone with this serial (see `adb devices`)"},
};

bool is_set(const TargetSpec& spec, const TargetField& field) {
    const auto* const text = std::get_if<std::string TargetSpec::*>(&field.value);
    return text != nullptr ? !(spec.**text).empty() : spec.*std::get<bool TargetSpec::*>(field.value);
}

bool has_word(std::string_view words, std::string_view word) {
    return fmt::format(" {} ", words).find(fmt::format(" {} ", word)) != std::string::npos;
}

/// A field that the platform does not know would change nothing: that is said, not passed over.
Result<void> check_fields(const TargetSpec& spec) {
    for (const TargetField& field : kFields) {
        if (!is_set(spec, field) || has_word(field.platforms, spec.platform)) {
            continue;
        }
        std::vector<std::string_view> known;
        for (const TargetField& other : kFields) {
            if (has_word(other.platforms, spec.platform)) {
                known.push_back(other.name);
            }
        }
        return Error{ErrorCode::InvalidArgument, fmt::format("target field \"{}\" is of platform {}, not of \"{}\"{}{}", field.name, field.platforms,
                                                             spec.platform.substr(0, 64), known.empty() ? "" : ", which knows: ", fmt::join(known, ", "))};
    }
    return {};
}

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

/// "a, b c": words between commas and blanks.
Result<std::vector<std::string>> words(std::string_view text, std::string_view field) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t begin = std::min(text.find_first_not_of(", \n"), text.size());
        text.remove_prefix(begin);
        const std::size_t length = std::min(text.find_first_of(", \n"), text.size());
        if (length > 0) {
            out.emplace_back(text.substr(0, length));
        }
        text.remove_prefix(length);
        if (out.size() > kListMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} lists more than {} entries", field, kListMax)};
        }
    }
    return out;
}

Result<void> put_web(const TargetSpec& spec, WebOptions& web) {
    web.url = spec.url;
    web.browser = spec.browser;
    web.downloads = spec.downloads;
    web.uploads = spec.uploads;
    web.allow = TRY(words(spec.allow_domains, "allow_domains"));
    web.deny = TRY(words(spec.deny_domains, "deny_domains"));
    web.grant = TRY(words(spec.grant, "grant"));
    if (spec.scale.empty()) {
        return {};
    }
    const auto [end, problem] = std::from_chars(spec.scale.data(), spec.scale.data() + spec.scale.size(), web.scale);
    if (problem != std::errc() || end != spec.scale.data() + spec.scale.size() || !(web.scale >= 0.25 && web.scale <= 8)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("scale \"{}\" is not a number from 0.25 to 8, e.g. 1.5", spec.scale.substr(0, 40))};
    }
    return {};
}

bool put(const nlohmann::json& value, const TargetField& field, TargetSpec& spec) {
    if (const auto* const text = std::get_if<std::string TargetSpec::*>(&field.value); text != nullptr && value.is_string()) {
        spec.**text = value.get<std::string>();
        return true;
    }
    if (const auto* const flag = std::get_if<bool TargetSpec::*>(&field.value); flag != nullptr && value.is_boolean()) {
        spec.**flag = value.get<bool>();
        return true;
    }
    return false;
}

std::string list_of_fields() {
    std::vector<std::string_view> texts, flags;
    for (const TargetField& field : kFields) {
        (std::holds_alternative<bool TargetSpec::*>(field.value) ? flags : texts).push_back(field.name);
    }
    return fmt::format("texts: {}{}{}", fmt::join(texts, ", "), flags.empty() ? "" : "; true or false: ", fmt::join(flags, ", "));
}

} // namespace

std::span<const TargetField> target_fields() { return kFields; }

Result<PlatformOptions> to_platform_options(const TargetSpec& spec) {
    TRY(check_fields(spec));
    PlatformOptions options;
    options.platform = spec.platform;
    options.display = spec.display;
    options.window_title = spec.window;
    options.serial = spec.serial;
    options.attach = spec.attach;
    TRY(put_web(spec, options.web));
    options.vnc = {.user = spec.user, .password_file = spec.password_file, .tls = spec.tls, .ca_file = spec.ca_file, .view_only = spec.view_only};
    if (spec.is_from_client) {
        options.vnc.bound_passwords = client_password_folder();
    }
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

Result<TargetSpec> target_from_json(const std::string& platform, std::string_view target_json, const ClientTargets& allowed) {
    TargetSpec spec;
    spec.platform = platform;
    spec.is_from_client = true;
    if (target_json.empty()) {
        return spec;
    }
    const nlohmann::json target = TRY(parse_json(target_json));
    if (!target.is_object()) {
        return Error{ErrorCode::InvalidArgument, "target must be an object"};
    }
    for (const auto& [key, value] : target.items()) {
        const auto* const field = std::find_if(std::begin(kFields), std::end(kFields), [&](const TargetField& one) { return one.name == key; });
        if (key == "launch" && value.is_array() && std::all_of(value.begin(), value.end(), [](const auto& line) { return line.is_string(); })) {
            spec.launch = value.get<std::vector<std::string>>();
        } else if (field == std::end(kFields) || !put(value, *field, spec)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("target.{} is unknown or of the wrong type; {}; array of texts: launch", key, list_of_fields())};
        }
    }
    TRY(check_client_target(spec, allowed));
    return spec;
}

std::string target_to_json(const TargetSpec& spec) {
    nlohmann::json target = nlohmann::json::object();
    for (const TargetField& field : kFields) {
        if (is_set(spec, field)) {
            std::visit([&](auto member) { target[std::string(field.name)] = spec.*member; }, field.value);
        }
    }
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

Result<LocalCheckpoint> find_model(const std::string& given) {
    const std::string wanted = wanted_model(given);
    return wanted.empty() ? find_bundled_model() : find_checkpoint(wanted, {});
}

std::string wanted_model(const std::string& given) {
    const char* const from_environment = std::getenv("HANDEYE_MODEL");
    return given.empty() && from_environment != nullptr ? from_environment : given;
}

} // namespace handeye
