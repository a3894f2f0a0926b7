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

/// One dump of now.
struct Dump {
    enum class Sight {
        Told,     ///< of what is there; a game shows no views
        Restless, ///< an animation: uiautomator waited for 10 s in vain, as it does each time
        NoWindow, ///< none had the focus at that moment
    };
    Sight sight = Sight::Told;
    std::vector<Element> elements;
};
Result<Dump> dump_screen(DeviceLink& link, Size size, const ShellOptions& options = {});

/// focused_text() of now; nullopt also where uiautomator cannot tell.
Result<std::optional<Element>> read_focused_text(DeviceLink& link, Size size, const ShellOptions& options = {});

} // namespace handeye::android
