// SPDX-License-Identifier: Apache-2.0
// Notices on this user's desktop, by the notification service of the session bus (org.freedesktop.Notifications).
#pragma once

#include "base/clock.h"

#include <functional>
#include <memory>
#include <string>

namespace handeye {

struct DesktopNotice {
    std::string key;     ///< the same key again: another text in the same place
    std::string title;   ///< plain text
    std::string body;    ///< plain text
    Duration life{};     ///< after this the service may take it away
    bool can_deny = true; ///< has the button "Deny"
};

class DesktopNotifier {
public:
    /// `on_deny` hears the key of a notice whose only button was pressed; on a thread of this object.
    static std::unique_ptr<DesktopNotifier> create(std::function<void(const std::string& key)> on_deny);
    virtual ~DesktopNotifier() = default;

    /// Any thread; never blocks. Where there is no session bus or no service, that is logged and nothing is shown.
    virtual void show(DesktopNotice notice) = 0;
    virtual void close(const std::string& key) = 0;
};

} // namespace handeye
