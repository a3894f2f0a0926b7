// SPDX-License-Identifier: Apache-2.0
// Looks at a drag's end once more, right before its button is let go: what is dragged must not fall into a window that came there
// meanwhile. Inside this folder only.
#pragma once

#include "actions/resolve.h"
#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>

namespace handeye {

/// Of one action, whose platform and clock outlive it.
class DropGuard {
public:
    struct Borrowed {
        Platform& platform;
        Clock& clock;
    };
    /// Looks now at the window where a drag is to end. For an action that is no drag nothing is ever held back.
    DropGuard(Borrowed borrowed, const Action& action, const Plan& plan);

    /// Before each op. Cancelled, with a message for the model, when another window lies where the button is about to be let go:
    /// then the pointer is back where the drag began, and whoever releases all buttons now lets go of it there.
    Result<void> before(const Op& op, const std::stop_token& stop);
    /// After each op: the screen stands still no longer than from the look to the release.
    void thaw() { frozen_.reset(); }

private:
    [[nodiscard]] WindowInfo window_at(Point at) const;
    [[nodiscard]] bool may_take_it(std::uint64_t window) const;
    [[nodiscard]] WindowInfo window_below(const WindowInfo& carried) const;
    void remember_place();
    Result<void> compare_at_end(const std::stop_token& stop);

    Borrowed with_;
    std::optional<Point> from_; // unset: no drag
    Point to_;
    std::uint64_t begins_in_ = 0; // 0: none, or the platform does not know
    std::uint64_t ends_in_ = 0;
    std::optional<Point> at_;
    std::map<std::uint64_t, Rect> places_; // of the windows that were below the pointer on its way, when each was first
    std::shared_ptr<void> frozen_;
};

} // namespace handeye
