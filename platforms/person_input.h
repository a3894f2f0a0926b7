// SPDX-License-Identifier: Apache-2.0
// What a person's hands do at a screen, event by event: for recording a demonstration. Platform::follow_person() tells it.
#pragma once

#include "platforms/platform.h"

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace handeye {

struct PersonButton {
    MouseButton button = MouseButton::Left;
    Edge edge = Edge::Press;
};
struct PersonKey {
    std::string name;        ///< the key's X keysym name without Shift ("a", "Return", "Tab"); a character outside ASCII as itself
    std::string text_utf8;   ///< what the press types, dead keys and Compose put together; empty: nothing yet, or no text
    Edge edge = Edge::Press;
    bool is_modifier = false;
    bool is_composing = false; ///< a part of a character that is not whole yet, or never will be: a dead key, Compose
};
/// Input of which the display told only that it was there.
struct PersonLost {
    int events = 0; ///< presses and releases of buttons, turns of the wheel
};
struct PersonInput {
    std::variant<PersonButton, Wheel, PersonKey, PersonLost> what;
    Point at;                      ///< of the pointer at that moment, in the display's frame
    std::vector<std::string> held; ///< modifiers: "ctrl", "alt", "shift", "super"; not the locks, not AltGr
    TimePoint time{};              ///< when it was made, by the display's clock
};

struct PersonFollow {
    /// Called from a thread of the platform, in the order of the events; must not block, nor end the Platform.
    std::function<void(const PersonInput& input)> on_input;
};

} // namespace handeye
