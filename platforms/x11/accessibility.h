// SPDX-License-Identifier: Apache-2.0
// What programs on a display tell of their windows by AT-SPI2: roles, labels, values, places.
#pragma once

#include "platforms/platform.h"
#include "platforms/x11/accessibility_walk.h"
#include "platforms/x11/connection.h"

#include <memory>
#include <string>
#include <vector>

namespace handeye::x11 {

class Accessibility {
public:
    /// Both are borrowed.
    Accessibility(Connection& connection, Clock& clock);
    ~Accessibility();
    Accessibility(const Accessibility&) = delete;
    Accessibility& operator=(const Accessibility&) = delete;

    /// What is seen within `target` (root pixels), in the target's frame and in reading order: at most 2,000, until no program has
    /// answered for a second, within 3 s. What programs did not tell by then is left out, but for password fields that they told of
    /// before. Empty where the display has no accessibility bus. Unavailable: the display is gone.
    Result<std::vector<Element>> elements(Rect target);

    /// "on", or what is missing and how to get it.
    std::string describe();

private:
    struct Secret {
        std::uint64_t window = 0; ///< X window
        Rect box;                 ///< from its top left corner
        Element element;
    };
    bool connect();
    std::string find_address();
    std::vector<Element> list(AccessibleTree& tree, const std::vector<StackedWindow>& stack, Rect target);
    void remember_secrets(const AccessibleTree& tree, const std::vector<StackedWindow>& stack, Rect target, std::vector<Element>& elements);
    void tell_once(const AccessibleTree& tree);

    Connection& connection_;
    Clock& clock_;
    AccessibleApps apps_;
    std::map<std::string, std::vector<Secret>> secrets_; ///< by bus name
    std::string address_;
    std::unique_ptr<AccessibilityBus> bus_; // its calls know apps_
    TimePoint next_session_look_{};
    bool has_told_ = false;
};

} // namespace handeye::x11
