// SPDX-License-Identifier: Apache-2.0
// The hand of a person at a display: a client of its own that presses what a keyboard and a mouse have, and knows nothing of handeye.
#pragma once

#include "base/geometry.h"
#include "platforms/x11/connection.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::x11 {

/// For one thread. What cannot be done fails the test that asks for it.
class XTestHand {
public:
    explicit XTestHand(DisplayAddress address);

    void move(Point to);
    void press(unsigned button);
    void release(unsigned button);
    void click(Point at, unsigned button = 1);
    /// Each sign by the key that has it in the keymap of now, with Shift or AltGr where it needs them; "\n" is Return, "\t" Tab. A sign
    /// that the keyboard lacks is a failure. `pace`: from key to key.
    void type(std::string_view text_utf8, std::chrono::milliseconds pace = {});
    /// Keysym names: all pressed, then released in the other order.
    void chord(const std::vector<std::string>& keys);
    /// The keyboard of another country, as setxkbmap(1) sets it.
    void use_layout(const std::string& layout);

private:
    void open();
    void key(KeyCode code, bool is_press);
    [[nodiscard]] bool press_sign(KeySym sign);

    DisplayAddress address_;
    std::unique_ptr<Connection> connection_;
};

} // namespace handeye::x11
