// SPDX-License-Identifier: Apache-2.0
// The command-line tools of an Android phone, for the test phone: one program under many names, run by a real shell.
#pragma once

#include "tests/android/device/phone_x.h"

#include <string>
#include <vector>

namespace handeye::phone {

/// A command's words after its name.
using Words = std::vector<std::string>;

/// frameworks/base/services/core/java/com/android/server/input/InputShellCommand.java, by its usage text: an optional source, an
/// optional "-d DISPLAY", then text, keyevent, tap, swipe, draganddrop, motionevent, keycombination.
int tool_input(PhoneX& x, const Words& words);
/// frameworks/base/cmds/screencap/screencap.cpp: -p or a name that ends in .png means PNG, else the raw header and rows.
int tool_screencap(PhoneX& x, const Words& words);
/// frameworks/base/services/core/java/com/android/server/am/ActivityManagerShellCommand.java: start, broadcast, force-stop.
int tool_am(PhoneX& x, const Words& words);
/// frameworks/base/services/core/java/com/android/server/pm/PackageManagerShellCommand.java: query-activities, list packages.
int tool_pm(PhoneX& x, const Words& words);
/// power, window, input_method: the lines of their dumps that tell of the screen, the focus, the lock and the keyboard.
int tool_dumpsys(PhoneX& x, const Words& words);
int tool_settings(PhoneX& x, const Words& words);
int tool_ime(PhoneX& x, const Words& words);
int tool_wm(PhoneX& x, const Words& words);
int tool_getprop(PhoneX& x, const Words& words);
/// frameworks/base/cmds/uiautomator: `dump [FILE]` writes the XML of AccessibilityNodeInfoDumper.
int tool_uiautomator(PhoneX& x, const Words& words);

/// To the standard output and the standard error.
void say(const std::string& text);
void complain(const std::string& text);

} // namespace handeye::phone
