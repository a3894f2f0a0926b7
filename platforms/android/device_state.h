// SPDX-License-Identifier: Apache-2.0
// What `dumpsys power` and `dumpsys window` say about the screen, in the words of Android 7 to 15.
#pragma once

#include "platforms/android/device_link.h"

#include <optional>
#include <string>
#include <string_view>

namespace handeye::android {

struct DeviceState {
    std::optional<bool> is_awake;       ///< unset: dumpsys does not say
    std::optional<bool> is_locked;      ///< the lock screen is shown
    std::optional<bool> is_lock_secure; ///< a PIN, a pattern or a password is set
    std::string focused_token;          ///< of the window that has the focus; changes with each window
    std::string focused_title;          ///< "com.android.settings/com.android.settings.Settings", "NotificationShade"
    bool is_focus_secure = false;       ///< that window carries FLAG_SECURE: it is black in screenshots
    std::string resumed_component;      ///< "com.android.settings/.Settings": of mFocusedApp

    /// The package in front; empty: unknown.
    [[nodiscard]] std::string package() const;
};

inline constexpr std::string_view kDeviceStateCommand =
    "dumpsys power | grep -e mWakefulness= -e 'Display Power: state='; "
    "dumpsys window | grep -e 'Window #' -e 'fl=' -e mCurrentFocus= -e mFocusedApp= -e showing= -e secure= -e mShowingLockscreen= "
    "-e mDreamingLockscreen= -e isStatusBarKeyguard= -e mKeyguardShowing=";

/// Of what kDeviceStateCommand prints. Unknown lines are passed over.
DeviceState parse_device_state(std::string_view text);

Result<DeviceState> read_device_state(DeviceLink& link, const ShellOptions& options = {});

} // namespace handeye::android
