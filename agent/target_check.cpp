// SPDX-License-Identifier: Apache-2.0
// Two looks. The first comes before anything is sent. The second comes after the pointer has arrived and right before the button
// goes down, since programs change in between, too. There the pointer itself may have changed the picture (a button lights up
// beneath it): then the pointer goes back to where it came from, where the old picture must be there again, and returns, where
// the lit one must. What only the pointer changes passes; what changed by itself does not.
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
    }
    const auto* button = std::get_if<PointerButton>(event);
    if (button != nullptr && button->edge == Edge::Press && !std::exchange(is_pressed_, true)) {
        return compare_under_pointer();
    }
    return {};
}

Result<void> TargetCheck::compare_all() {
    const Image now = TRY(look());
    const bool is_same = std::all_of(crops_.begin(), crops_.end(), [&](const Rect& crop) { return is_same_there(with_.seen, now, crop); });
    if (!is_same) {
        return changed();
    }
    return {};
}

Result<void> TargetCheck::compare_under_pointer() {
    if (crops_.empty() || !at_) {
        return {};
    }
    const Rect crop = crops_.front(); // where the button goes down
    const Image now = TRY(look());
    if (is_same_there(with_.seen, now, crop)) {
        return {};
    }
    if (!came_from_ || crop.contains(*came_from_) || !Rect{0, 0, now.size().width_px, now.size().height_px}.contains(*came_from_)) {
        return changed(); // the picture that was seen had the pointer there already, or there is no way back
    }
    const Image lit = TRY(look_when_still());
    TRY(with_.platform.inject(PointerMove{*came_from_}));
    const Image unlit = TRY(look_when_still());
    if (!is_same_there(with_.seen, unlit, crop)) {
        return changed();
    }
    TRY(with_.platform.inject(PointerMove{*at_}));
    const Image again = TRY(look_when_still());
    if (!is_same_there(lit, again, crop)) {
        return changed();
    }
    return {};
}

} // namespace handeye
