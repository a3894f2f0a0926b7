// SPDX-License-Identifier: Apache-2.0
// X keysym names to Android's key codes (android.view.KeyEvent), for `input keyevent` and `input keycombination`.
#pragma once

#include <optional>
#include <string_view>

namespace handeye::android {

inline constexpr int kKeycodeHome = 3, kKeycodeBack = 4, kKeycodeEnter = 66, kKeycodeTab = 61, kKeycodeDel = 67, kKeycodeMoveEnd = 123,
                     kKeycodeWakeup = 224;

struct Keycode {
    int code = 0;  ///< 0: no key of its own, only `text`
    bool is_modifier = false;
    char text = 0; ///< the ASCII character that the keysym stands for; 0: none
};
/// nullopt: Android has no such key.
std::optional<Keycode> keycode_of(std::string_view keysym);

} // namespace handeye::android
