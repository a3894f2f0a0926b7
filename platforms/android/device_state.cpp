// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/device_state.h"

#include "platforms/android/shown.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace handeye::android {
namespace {

constexpr unsigned kFlagSecure = 0x2000; // WindowManager.LayoutParams.FLAG_SECURE
constexpr std::size_t kWindowsMax = 2000;

/// The word after `key`, up to a blank or one of ",})".
std::string_view word_after(std::string_view line, std::string_view key) {
    const std::size_t at = line.find(key);
    if (at == std::string_view::npos) {
        return {};
    }
    const std::string_view rest = line.substr(at + key.size());
    return rest.substr(0, rest.find_first_of(" ,})\r\t"));
}

/// "Window{4b1d u0 com.app/com.app.Main}" to its token and its title.
std::pair<std::string, std::string> window_in(std::string_view line) {
    constexpr std::string_view kOpen = "Window{";
    const std::size_t begin = line.find(kOpen);
    const std::size_t end = begin == std::string_view::npos ? begin : line.find('}', begin);
    if (end == std::string_view::npos) {
        return {};
    }
    const std::string_view inside = line.substr(begin + kOpen.size(), end - begin - kOpen.size());
    const std::size_t blank = inside.find(' '), last = inside.rfind(' ');
    if (blank == std::string_view::npos) {
        return {};
    }
    return {std::string(inside.substr(0, blank)), std::string(inside.substr(last + 1))};
}

/// "fl=LAYOUT_IN_SCREEN SECURE ..." (by name since Android 8) or "fl=#81812100".
bool is_secure_flags(std::string_view line) {
    constexpr std::string_view kFlags = "fl=";
    std::size_t at = line.find(kFlags);
    while (at != std::string_view::npos && at > 0 && line[at - 1] != ' ') { // "pfl=" is another field
        at = line.find(kFlags, at + 1);
    }
    if (at == std::string_view::npos) {
        return false;
    }
    std::string_view flags = line.substr(at + kFlags.size());
    if (flags.starts_with('#')) {
        unsigned value = 0;
        const auto [end, problem] = std::from_chars(flags.data() + 1, flags.data() + flags.size(), value, 16);
        return problem == std::errc() && end != flags.data() + 1 && (value & kFlagSecure) != 0;
    }
    flags = flags.substr(0, flags.find('='));
    while (!flags.empty()) {
        const std::string_view word = flags.substr(0, flags.find(' '));
        flags.remove_prefix(std::min(flags.size(), word.size() + 1));
        if (trimmed(word) == "SECURE") {
            return true;
        }
    }
    return false;
}

std::optional<bool> truth_of(std::string_view word) {
    return word == "true" ? std::optional(true) : word == "false" ? std::optional(false) : std::nullopt;
}

void read_lock(std::string_view line, DeviceState& state) {
    for (const std::string_view key : {" showing=", "mShowingLockscreen=", "mDreamingLockscreen=", "isStatusBarKeyguard=", "mKeyguardShowing="}) {
        if (const auto shows = truth_of(word_after(line, key)); shows) {
            state.is_locked = state.is_locked.value_or(false) || *shows;
        }
    }
    if (const auto secure = truth_of(word_after(line, " secure=")); secure) {
        state.is_lock_secure = state.is_lock_secure.value_or(false) || *secure;
    }
}

} // namespace

std::string DeviceState::package() const {
    const std::string& component = focused_title.find('/') != std::string::npos ? focused_title : resumed_component;
    return component.substr(0, component.find('/'));
}

DeviceState parse_device_state(std::string_view text) {
    DeviceState state;
    std::map<std::string, bool> secure; // by the window's token
    std::string described;              // the window whose lines these are
    while (!text.empty()) {
        const std::string line = " " + std::string(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(text.size(), line.size()));
        if (const std::string_view wake = word_after(line, "mWakefulness="); !wake.empty()) {
            state.is_awake = wake == "Awake" || wake == "Dreaming";
        }
        if (const std::string_view power = word_after(line, "Display Power: state="); power == "OFF") {
            state.is_awake = false;
        }
        read_lock(line, state);
        if (line.find("Window #") != std::string::npos) {
            described = window_in(line).first;
        } else if (line.find("mCurrentFocus=") != std::string::npos && line.find("=null") == std::string::npos) {
            std::tie(state.focused_token, state.focused_title) = window_in(line);
        } else if (const std::size_t app = line.find("mFocusedApp="); app != std::string::npos) {
            const std::size_t user = line.find(" u", app);
            const std::size_t begin = user == std::string::npos ? user : line.find(' ', user + 1);
            state.resumed_component = begin == std::string::npos ? "" : line.substr(begin + 1, line.find_first_of(" }", begin + 1) - begin - 1);
        }
        if (!described.empty() && is_secure_flags(line) && secure.size() < kWindowsMax) {
            secure[described] = true;
        }
    }
    state.is_focus_secure = secure.contains(state.focused_token);
    return state;
}

Result<DeviceState> read_device_state(DeviceLink& link, const ShellOptions& options) {
    const ShellResult result = TRY(link.run(kDeviceStateCommand, options)); // grep's exit code says nothing
    return parse_device_state(result.out);
}

} // namespace handeye::android
