// SPDX-License-Identifier: Apache-2.0
// Windows are compared, not pictures: a drag paints where it goes. Under the pointer there may rightly be a window that was not
// there before: the one that is dragged or resized itself, in which the drag began, or the picture of what is dragged, which some
// toolkits show in a window that follows the pointer. Through the latter one looks at what lies below.
#include "agent/drop_guard.h"

#include <algorithm>
#include <chrono>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr Duration kBeforeLettingGo = std::chrono::milliseconds(100); // programs follow a pointer that has jumped, as before a drop
constexpr std::size_t kTitleBytesShown = 80;

} // namespace

DropGuard::DropGuard(Borrowed borrowed, const Action& action, const Plan& plan) : with_(borrowed) {
    if (!(std::holds_alternative<Drag>(action) || is_finger_path(action)) || plan.points.size() < 2) {
        return;
    }
    from_ = plan.points.front().target.point;
    to_ = plan.points.back().target.point;
    begins_in_ = window_at(*from_).id;
    ends_in_ = window_at(to_).id;
}

Result<void> DropGuard::before(const Op& op, const std::stop_token& stop) {
    const auto* event = std::get_if<InputEvent>(&op);
    if (!from_ || event == nullptr) {
        return {};
    }
    if (const auto* move = std::get_if<PointerMove>(event)) {
        remember_place();
        at_ = move->to;
    }
    const auto* button = std::get_if<PointerButton>(event);
    return button != nullptr && button->edge == Edge::Release ? compare_at_end(stop) : Result<void>();
}

WindowInfo DropGuard::window_at(Point at) const { return with_.platform.window_at(at).value_or(WindowInfo{}); }

void DropGuard::remember_place() {
    if (at_) {
        const WindowInfo window = window_at(*at_);
        places_.try_emplace(window.id, window.area);
    }
}

bool DropGuard::may_take_it(std::uint64_t window) const { return window == ends_in_ || window == begins_in_; }

/// Of the windows that a manager takes care of, which such a picture is none of.
WindowInfo DropGuard::window_below(const WindowInfo& carried) const {
    const auto info = with_.platform.display();
    const auto all = with_.platform.windows();
    if (!info || !all) {
        return carried;
    }
    const Point at{to_.x + info->origin.x, to_.y + info->origin.y};
    const auto found = std::find_if(all->rbegin(), all->rend(), [&](const WindowInfo& window) { return window.id != carried.id && window.area.contains(at); });
    return found == all->rend() ? WindowInfo{} : *found;
}

Result<void> DropGuard::compare_at_end(const std::stop_token& stop) {
    std::shared_ptr<void> frozen = TRY(with_.platform.freeze());
    if (stop.stop_requested()) { // who asked for that may have let go before anything was frozen
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    WindowInfo now = window_at(to_);
    const auto before = places_.find(now.id);
    if (!may_take_it(now.id) && before != places_.end() && before->second != now.area) {
        now = window_below(now);
    }
    if (may_take_it(now.id)) {
        frozen_ = std::move(frozen);
        return {};
    }
    frozen.reset();
    TRY(with_.platform.inject_unless_stopped(PointerMove{*from_}, stop));
    (void)with_.clock.sleep_for(kBeforeLettingGo, stop);
    return Error{ErrorCode::Cancelled, fmt::format("another window (\"{}\") lies where the drag was to end; it was taken back to where it began and let go of there",
                                                   now.title_utf8.substr(0, kTitleBytesShown))};
}

} // namespace handeye
