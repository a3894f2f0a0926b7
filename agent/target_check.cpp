// SPDX-License-Identifier: Apache-2.0
// Where the platform can freeze the screen it does so before the pointer sets out: from the look until the button is down nothing
// moves or opens, and what lights up beneath the pointer is not waited for.
// Elsewhere there are two looks. The second comes after the pointer has arrived and right before the button goes down, since
// programs change in between, too. There the pointer itself may have changed the picture: then the pointer goes back to where it
// came from, where the old picture must be there again, and returns, where the lit one must. What only the pointer changes passes;
// what changed by itself does not.
#include "agent/target_check.h"

#include "agent/frame_encoder.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr int kCropWidthPx = 96;  // a button's label, or most of it
constexpr int kCropHeightPx = 48;
constexpr SettleOptions kHoverSettle{std::chrono::milliseconds(25), std::chrono::milliseconds(400)};
constexpr Duration kHoverDeadline = std::chrono::milliseconds(1500);
constexpr int kHoverRoundsMax = 4;  // the light that was seen first was not yet whole
constexpr int kHoverLooksMax = 100;
constexpr Duration kStandstillMax = std::chrono::milliseconds(200); // a platform lets go by itself soon after

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
    return is_no_more_than_caret(changed_area(before.cropped(area).to_rgb(), after.cropped(area).to_rgb()).size());
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
    const auto* event = std::get_if<InputEvent>(&op);
    const auto* move = event == nullptr ? nullptr : std::get_if<PointerMove>(event);
    if (!is_started_) {
        is_started_ = true;
        came_from_ = TRY(with_.platform.pointer());
        if (move == nullptr) {
            TRY(compare_all()); // keys that are held, say: not for nothing
        }
    }
    if (move != nullptr && !is_pressed_) {
        return arrive(move->to);
    }
    const auto* button = event == nullptr ? nullptr : std::get_if<PointerButton>(event);
    if (button != nullptr && button->edge == Edge::Press && !std::exchange(is_pressed_, true) && !stands_still()) {
        return compare_under_pointer();
    }
    return {};
}

/// Right before the pointer sets out for a place.
Result<void> TargetCheck::arrive(Point to) {
    at_ = to;
    if (presses_) {
        frozen_ = TRY(with_.platform.freeze());
        frozen_at_ = with_.clock.now();
    }
    if (with_.stop.stop_requested()) { // who asked for that may have let go before anything was frozen
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    TRY(compare_all());
    window_ = window_below();
    return {};
}

bool TargetCheck::stands_still() const { return frozen_ != nullptr && with_.clock.now() - frozen_at_ < kStandstillMax; }

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
    frozen_.reset();
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
