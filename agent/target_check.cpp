// SPDX-License-Identifier: Apache-2.0
// Two looks. The first comes before anything is sent. The second comes after the pointer has arrived and right before the button
// goes down, since programs change in between, too. There the pointer itself may have changed the picture (a button lights up
// beneath it): then the pointer goes back to where it came from, where the old picture must be there again, and returns, where
// the lit one must. What only the pointer changes passes; what changed by itself does not. From the last of these looks until
// the button is down the screen is frozen, where the platform can: nothing moves or opens in between.
#include "agent/target_check.h"

#include "agent/frame_encoder.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr int kCropWidthPx = 96;  // a button's label, or most of it
constexpr int kCropHeightPx = 48;
constexpr int kCaretWidthPx = 3;
constexpr int kCaretHeightPx = 48;
constexpr SettleOptions kHoverSettle{std::chrono::milliseconds(25), std::chrono::milliseconds(400)};
constexpr Duration kHoverDeadline = std::chrono::milliseconds(1500);
constexpr int kHoverRoundsMax = 4;  // the light that was seen first was not yet whole
constexpr int kHoverLooksMax = 100;

} // namespace

Rect crop_around(Point at, Size target) {
    const Rect whole{0, 0, target.width_px, target.height_px};
    return Rect{at.x - kCropWidthPx / 2, at.y - kCropHeightPx / 2, kCropWidthPx, kCropHeightPx}.intersected(whole);
}

std::vector<Rect> crops_of(const Plan& plan, Size target, const Rect& fallback) {
    std::vector<Rect> crops;
    for (const CoordinateChain& chain : plan.points) {
        crops.push_back(crop_around(chain.target.point, target));
    }
    if (crops.empty() && !fallback.size().is_empty()) {
        crops.push_back(fallback);
    }
    return crops;
}

bool is_same_there(const Image& before, const Image& after, const Rect& area) {
    if (before.size() != after.size()) {
        return false;
    }
    const Size changed = changed_area(before.cropped(area).to_rgb(), after.cropped(area).to_rgb()).size();
    return changed.is_empty() || (changed.width_px <= kCaretWidthPx && changed.height_px <= kCaretHeightPx);
}

Error TargetCheck::changed() {
    has_changed_ = true;
    return {ErrorCode::Cancelled, "the target changed since the picture was taken; look again"};
}

Result<Image> TargetCheck::look() {
    const Screenshot now = TRY(with_.platform.capture());
    return now.image;
}

Result<Image> TargetCheck::look_when_still() {
    TRY(with_.platform.settle(kHoverSettle, with_.stop));
    return look();
}

Result<void> TargetCheck::before(const Op& op) {
    if (!is_started_) {
        is_started_ = true;
        TRY(compare_all());
        came_from_ = TRY(with_.platform.pointer());
    }
    const auto* event = std::get_if<InputEvent>(&op);
    if (event == nullptr) {
        return {};
    }
    if (const auto* move = std::get_if<PointerMove>(event)) {
        at_ = move->to;
        if (!is_pressed_) {
            window_ = window_below();
        }
    }
    const auto* button = std::get_if<PointerButton>(event);
    if (button != nullptr && button->edge == Edge::Press && !std::exchange(is_pressed_, true)) {
        return compare_under_pointer();
    }
    return {};
}

/// 0: none, or the platform does not know.
std::uint64_t TargetCheck::window_below() const { return with_.platform.window_at(*at_).value_or(WindowInfo{}).id; }

Result<void> TargetCheck::compare_all() {
    const Image now = TRY(look());
    const bool is_same = std::all_of(crops_.begin(), crops_.end(), [&](const Rect& crop) { return is_same_there(with_.seen, now, crop); });
    if (!is_same) {
        return changed();
    }
    return {};
}

/// When true, nobody can change the screen until thaw().
Result<bool> TargetCheck::freeze_if_same(const Image& before, const Rect& crop) {
    std::shared_ptr<void> frozen = TRY(with_.platform.freeze());
    if (with_.stop.stop_requested()) { // who asked for that may have let go before anything was frozen
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    const Image now = TRY(look());
    if (!is_same_there(before, now, crop) || window_below() != window_) {
        return false;
    }
    frozen_ = std::move(frozen);
    return true;
}

Result<void> TargetCheck::compare_under_pointer() {
    if (crops_.empty() || !at_) {
        return {};
    }
    const Rect crop = crops_.front(); // where the button goes down
    if (TRY(freeze_if_same(with_.seen, crop))) {
        return {};
    }
    return compare_with_hover(crop);
}

Result<void> TargetCheck::compare_with_hover(const Rect& crop) {
    const Size target = with_.seen.size();
    if (!came_from_ || crop.contains(*came_from_) || !Rect{0, 0, target.width_px, target.height_px}.contains(*came_from_)) {
        return changed(); // the picture that was seen had the pointer there already, or there is no way back
    }
    // Programs fade a light in and out, on a busy machine slowly: what is not yet as it should be may still become so.
    const TimePoint deadline = with_.clock.now() + kHoverDeadline;
    for (int round = 0; round < kHoverRoundsMax; ++round) {
        const Image lit = TRY(look_when_still());
        if (!TRY(shows_with_pointer_at(*came_from_, with_.seen, crop, deadline))) {
            return changed();
        }
        const bool is_lit_again = TRY(shows_with_pointer_at(*at_, lit, crop, deadline));
        if (is_lit_again && TRY(freeze_if_same(lit, crop))) {
            return {};
        }
    }
    return changed();
}

Result<bool> TargetCheck::shows_with_pointer_at(Point pointer, const Image& want, const Rect& crop, TimePoint deadline) {
    TRY(with_.platform.inject_unless_stopped(PointerMove{pointer}, with_.stop));
    for (int looks = 0; looks < kHoverLooksMax; ++looks) {
        const Image now = TRY(look_when_still());
        if (is_same_there(want, now, crop)) {
            return true;
        }
        if (with_.clock.now() >= deadline) {
            break;
        }
    }
    return false;
}

} // namespace handeye
