// SPDX-License-Identifier: Apache-2.0
// The input method that takes Unicode over adb (ADBKeyboard, com.android.adbkeyboard): made the phone's own while text is typed, and
// given back afterwards. What was there before is noted on the phone, so that the next session gives it back when this one was killed.
#pragma once

#include "platforms/android/device_link.h"

#include <mutex>
#include <string>

namespace handeye::android {

inline constexpr std::string_view kAdbImePackage = "com.android.adbkeyboard";
inline constexpr std::string_view kAdbImeId = "com.android.adbkeyboard/.AdbIME";

class ImeKeeper {
public:
    ImeKeeper(DeviceLink link, Clock& clock) : link_(std::move(link)), clock_(clock) {}

    /// Gives back what a session that was killed left; nothing to do is no error.
    Result<void> recover();
    /// ADBKeyboard is the input method from now on. Unsupported, with what to install, where the phone has none.
    Result<void> use(const std::stop_token& stop);
    /// What puts text into the field that has the focus. That it was sent says nothing about its arrival.
    static std::string commit_command(std::string_view text_utf8);
    /// The input method of before is the phone's again. Any thread, twice if need be.
    Result<void> give_back();

private:
    Result<void> switch_to(const std::stop_token& stop);
    Result<void> wait_until_bound(const std::stop_token& stop);

    DeviceLink link_;
    Clock& clock_;
    std::mutex mutex_;      // guards what follows
    bool is_in_use_ = false;
    std::string former_;    // empty: nothing to give back
};

} // namespace handeye::android
