// SPDX-License-Identifier: Apache-2.0
// What programs on a display of our own ask of their desktop (XSETTINGS): to show things at once instead of fading them in.
#pragma once

#include "platforms/x11/connection.h"

#include <memory>

namespace handeye::x11 {

/// In force while it lives. Programs read it when they start and hear of it when it goes.
class DesktopSettings {
public:
    static Result<std::unique_ptr<DesktopSettings>> announce(const DisplayAddress& address);

private:
    explicit DesktopSettings(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
    std::unique_ptr<Connection> connection_;
};

} // namespace handeye::x11
