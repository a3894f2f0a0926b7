// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/ime.h"

#include "platforms/android/shown.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace handeye::android {
namespace {

constexpr std::string_view kNoteFile = "/data/local/tmp/handeye-ime"; // what to give back
constexpr std::string_view kAskCurrent = "settings get secure default_input_method";
constexpr Duration kBindTimeout = std::chrono::seconds(3);
constexpr Duration kBindPoll = std::chrono::milliseconds(50);
constexpr std::size_t kIdBytesMax = 256;

std::string base64(std::string_view bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        unsigned value = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            value = value << 8U | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= group.size() ? kDigits[(value >> (18U - 6U * k)) & 63U] : '=';
        }
    }
    return out;
}

/// "com.vendor.keyboard/.Ime": it goes into a command, so nothing else may be in it.
bool is_ime_id(std::string_view id) {
    return !id.empty() && id.size() <= kIdBytesMax && id.find('/') != std::string_view::npos &&
           std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '/' || c == '$'; });
}

} // namespace

Result<void> ImeKeeper::recover() {
    const ShellResult noted = TRY(link_.run(fmt::format("cat {} 2>/dev/null; echo; {}", kNoteFile, kAskCurrent)));
    const std::string_view text = noted.out;
    const std::string_view former = trimmed(text.substr(0, text.find('\n')));
    if (former.empty()) {
        return {};
    }
    const std::string_view current = trimmed(text.substr(std::min(text.size(), text.find('\n'))));
    if (is_ime_id(former) && current.ends_with(kAdbImeId)) {
        TRY(link_.run_well(fmt::format("ime set {}", shell_quoted(former))).with_context("giving back the keyboard of before"));
    }
    TRY(link_.run(fmt::format("rm -f {}", kNoteFile)));
    return {};
}

Result<void> ImeKeeper::use(const std::stop_token& stop) {
    const std::lock_guard lock(mutex_);
    if (is_in_use_) {
        return {};
    }
    TRY(switch_to(stop));
    is_in_use_ = true;
    return wait_until_bound(stop);
}

Result<void> ImeKeeper::switch_to(const std::stop_token& stop) {
    const std::string methods = TRY(link_.run_well("ime list -a -s", {.stop = stop}));
    if (methods.find(kAdbImeId) == std::string::npos) {
        return Error{ErrorCode::Unsupported, fmt::format("no input method on {} takes Unicode over adb: install ADBKeyboard ({}), then "
                                                         "`adb shell ime enable {}`", link_.name(), kAdbImePackage, kAdbImeId)};
    }
    const std::string answer = TRY(link_.run_well(kAskCurrent, {.stop = stop}));
    const std::string_view current = trimmed(answer);
    if (current == kAdbImeId) {
        return {}; // a person chose it: it stays
    }
    if (is_ime_id(current)) {
        TRY(link_.run_well(fmt::format("echo {} > {}", shell_quoted(current), kNoteFile), {.stop = stop}));
        former_ = current;
    }
    TRY(link_.run_well(fmt::format("ime enable {}", kAdbImeId), {.stop = stop}));
    TRY(link_.run_well(fmt::format("ime set {}", kAdbImeId), {.stop = stop}));
    return {};
}

/// It takes the first text only when the field has been connected to it. Where dumpsys does not tell, the read-back will.
Result<void> ImeKeeper::wait_until_bound(const std::stop_token& stop) {
    const TimePoint deadline = clock_.now() + kBindTimeout;
    while (clock_.now() < deadline) {
        const ShellResult dump = TRY(link_.run("dumpsys input_method | grep -e mCurMethodId= -e mCurId= -e mBoundToMethod=", {.stop = stop}));
        const bool is_current = dump.out.find(kAdbImeId) != std::string::npos;
        const bool is_told = dump.out.find("mBoundToMethod=") != std::string::npos;
        if ((is_current && dump.out.find("mBoundToMethod=true") != std::string::npos) || dump.out.empty() || (is_current && !is_told)) {
            return {};
        }
        if (clock_.sleep_for(kBindPoll, stop) == WaitResult::Stopped) {
            return Error{ErrorCode::Cancelled, "stopped while the input method changed"};
        }
    }
    return {};
}

/// To that package alone: every other app could listen to a broadcast without a receiver's name.
std::string ImeKeeper::commit_command(std::string_view text_utf8) {
    return fmt::format("am broadcast -a ADB_INPUT_B64 -p {} --es msg {}", kAdbImePackage, shell_quoted(base64(text_utf8)));
}

Result<void> ImeKeeper::give_back() {
    const std::lock_guard lock(mutex_);
    if (!is_in_use_) {
        return {};
    }
    is_in_use_ = false;
    if (former_.empty()) {
        return {};
    }
    TRY(link_.run_well(fmt::format("ime set {} && rm -f {}", shell_quoted(former_), kNoteFile)));
    former_.clear();
    return {};
}

} // namespace handeye::android
