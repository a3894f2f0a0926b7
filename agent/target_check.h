// SPDX-License-Identifier: Apache-2.0
// Looks at the target once more right before input goes there: what is under the pointer must be what the model, or the person
// who approved, has seen. Inside this folder only.
#pragma once

#include "actions/resolve.h"
#include "base/clock.h"
#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

namespace handeye {

/// The part of a target that belongs to a place in it.
Rect crop_around(Point at, Size target);
/// What must stay as it is for this plan: the surroundings of each of its places; `fallback` for one without places.
std::vector<Rect> crops_of(const Plan& plan, Size target, const Rect& fallback);
/// Whether two pictures of one size show the same there; a blinking text cursor is no difference.
bool is_same_there(const Image& before, const Image& after, const Rect& area);

class TargetCheck {
public:
    struct Borrowed {
        Platform& platform;
        const Image& seen; ///< by the model
        Clock& clock;
        std::stop_token stop;
    };
    /// `presses`: the plan presses a button.
    TargetCheck(Borrowed borrowed, std::vector<Rect> crops, bool presses) : with_(std::move(borrowed)), crops_(std::move(crops)), presses_(presses) {}

    /// Before each op of the plan. Cancelled with a message for the model when the target is not what was seen; errors of the
    /// platform as they come.
    Result<void> before(const Op& op);
    /// After each op: the screen stands still no longer than from the look to the press.
    void after_op() {
        if (is_pressed_) {
            frozen_.reset();
        }
    }
    [[nodiscard]] bool has_changed() const { return has_changed_; }

private:
    Result<void> compare_all();
    Result<void> arrive(Point to);
    [[nodiscard]] bool stands_still() const;
    Result<void> compare_under_pointer();
    Result<bool> freeze_if_same(const Image& before, const Rect& crop);
    Result<void> compare_with_hover(const Rect& crop);
    [[nodiscard]] std::uint64_t window_below() const;
    Result<Image> look();
    Result<Image> look_when_still();
    /// Moves the pointer there and waits until the crop shows the same as `want`; false: not by the deadline.
    Result<bool> shows_with_pointer_at(Point pointer, const Image& want, const Rect& crop, TimePoint deadline);
    Error changed();

    Borrowed with_;
    std::vector<Rect> crops_;
    bool presses_ = false;
    bool is_started_ = false;
    bool is_pressed_ = false;
    bool has_changed_ = false;
    std::optional<Point> came_from_;
    std::optional<Point> at_;
    std::uint64_t window_ = 0; // where the button will go down, at the first look
    std::shared_ptr<void> frozen_;
    TimePoint frozen_at_;
};

} // namespace handeye
