// SPDX-License-Identifier: Apache-2.0
// The things on the screen as `uiautomator dump` tells them, in handeye's words.
#pragma once

#include "platforms/android/device_link.h"
#include "platforms/platform.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::android {

/// Elements of a dump, of which those inside the frame of `size` stay; marks count what can be acted on, in document order.
Result<std::vector<Element>> elements_of_dump(std::string_view xml, Size size);

/// The one element with the keyboard's focus that holds text; nullopt: none is told.
std::optional<Element> focused_text(const std::vector<Element>& elements);

/// One dump of now. Empty where uiautomator cannot tell: an animated screen never is idle, a game shows no views.
Result<std::vector<Element>> dump_elements(DeviceLink& link, Size size, const ShellOptions& options = {});

} // namespace handeye::android
