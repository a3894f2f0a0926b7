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
};

enum class Privacy {
    Plain,
    Password, ///< it went into a password field, or nothing says for sure that it did not
    Unknown   ///< the window tells nothing of its fields
};
/// `screens`: oldest first, those of the time of the typing among them. A password field in sight, or one that may be since the
/// screen was not read in time, makes it a password unless it went to another field for sure.
Privacy privacy_of(const Typed& typed, const std::deque<SeenScreen>& screens);

/// A name for the field: the same for the same field. `screens` as above; empty: no password field is known.
std::string field_of_password(const Typed& typed, const std::deque<SeenScreen>& screens);

} // namespace handeye
