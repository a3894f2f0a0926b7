// SPDX-License-Identifier: Apache-2.0
// Whether text that a person typed may have gone into a password field, by what the screen told around that time. Pure. Inside this
// folder only.
#pragma once

#include "base/clock.h"
#include "platforms/platform.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace handeye {

/// The screen as it was read once.
struct SeenScreen {
    Screenshot shot;
    std::vector<Element> elements;
    std::string withheld; ///< why its picture must not be stored; empty: it may be
    Point origin;         ///< of the target in the display's frame
    std::uint64_t focused_window = 0; ///< all the while it was read; 0: unknown, or not one and the same
    bool is_caught_up = true; ///< the program with the focus had read all input by then
    TimePoint begun{};
    TimePoint done{};
    TimePoint still_until{}; ///< nothing is known to have changed up to then; `done` or later
};

struct Typed {
    TimePoint began{};              ///< its first key
    TimePoint over{};               ///< the next input, or now
    TimePoint focus_since{};        ///< the last input before it, which may have moved the focus
    std::optional<Element> clicked; ///< what that was on, where it was a click, by the screen before it
    Rect window;                    ///< with the focus, in the target's frame; empty: unknown
    std::uint64_t window_id = 0;    ///< of that window; 0: unknown
    std::optional<TimePoint> ended; ///< its last key: what happens after the first look since then has nothing to do with it
};

enum class Privacy {
    Plain,
    Password, ///< it went into a password field, or nothing says for sure that it did not
    Unknown   ///< the window does not tell which of its fields has the keyboard
};
/// `screens`: oldest first, those of the time of the typing among them. Plain is only what went to a field for sure that its program
/// tells of, in a window that had the focus all the while: other windows behind or before it prove nothing.
Privacy privacy_of(const Typed& typed, const std::deque<SeenScreen>& screens);

/// A name for the field: the same for the same field. `screens` as above; empty: no password field is known.
std::string field_of_password(const Typed& typed, const std::deque<SeenScreen>& screens);

} // namespace handeye
