// SPDX-License-Identifier: Apache-2.0
// The message bus of a display of our own: programs on it tell there what they show (AT-SPI2), and find each other. Gone when this
// object is, or this process.
#pragma once

#include "base/clock.h"
#include "platforms/guarded_child.h"
#include "platforms/x11/connection.h"
#include "platforms/x11/launch.h"

#include <filesystem>
#include <memory>
#include <string>

namespace handeye::x11 {

class HeadlessBus {
public:
    /// Its socket is made in `folder`, its address written on the display's root window. NotFound: at-spi2-core or dbus-daemon is
    /// not installed.
    static Result<std::unique_ptr<HeadlessBus>> start(const std::filesystem::path& folder, const DisplayAddress& display,
                                                      const Environment& display_environment, Clock& clock);

    /// What programs need to find it. It is their session bus, too: GTK 4 programs without one crash when they are asked what they
    /// show, and those of this display are not to be merged with those of the person's desktop.
    [[nodiscard]] Environment environment() const;
    [[nodiscard]] int pid() const { return daemon_->pid(); }

private:
    HeadlessBus() = default;
    std::string address_;
    std::unique_ptr<GuardedChild> daemon_;
};

} // namespace handeye::x11
