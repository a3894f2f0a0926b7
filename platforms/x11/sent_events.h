// SPDX-License-Identifier: Apache-2.0
// What this platform has sent and the server has not yet reported back: so that it knows its own events again.
#pragma once

#include <array>
#include <atomic>

namespace handeye::x11 {

/// Any thread. Presses alone are counted: no hand releases what it has not pressed.
class SentEvents {
public:
    /// From here on somebody takes them off again.
    void start() { is_counting_ = true; }
    void will_move() { count(moves_); }
    void will_press_button(unsigned number) { count(buttons_[number % buttons_.size()]); }
    void will_press_key(unsigned code) { count(keys_[code % keys_.size()]); }
    /// True when one was expected; it is not expected any more.
    bool take_move() { return take(moves_); }
    bool take_button(unsigned number) { return take(buttons_[number % buttons_.size()]); }
    bool take_key(unsigned code) { return take(keys_[code % keys_.size()]); }

private:
    void count(std::atomic<int>& expected) { expected += is_counting_ ? 1 : 0; }
    static bool take(std::atomic<int>& expected) {
        int now = expected.load();
        while (now > 0) {
            if (expected.compare_exchange_weak(now, now - 1)) {
                return true;
            }
        }
        return false;
    }
    std::atomic<bool> is_counting_ = false;
    std::atomic<int> moves_ = 0;
    std::array<std::atomic<int>, 16> buttons_{};
    std::array<std::atomic<int>, 256> keys_{};
};

} // namespace handeye::x11
