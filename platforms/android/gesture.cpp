// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/gesture.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::android {
namespace {

using std::chrono::milliseconds;

constexpr int kNotchThousandths = 100; // of the side that is scrolled: five notches, what a swipe is, are half of it
constexpr double kEdgeShare = 0.1;     // no finger begins or ends nearer to an edge: there are the system's own gestures
constexpr milliseconds kWheelTime{600}; // slow enough that hardly any fling follows: what was asked for is what is scrolled
constexpr int kNotchesOfSwipe = 6;     // more are several swipes
constexpr milliseconds kHoldMargin{200}; // over the phone's long-press time

double distance(Point a, Point b) { return std::hypot(a.x - b.x, a.y - b.y); }
auto in_ms(Duration duration) { return std::chrono::ceil<milliseconds>(duration).count(); }

/// How far `p` is from the line from a to b.
double off_line(Point p, Point a, Point b) {
    const double length = distance(a, b);
    if (length < 1) {
        return distance(p, a);
    }
    return std::abs((b.x - a.x) * double(a.y - p.y) - (a.x - p.x) * double(b.y - a.y)) / length;
}

bool is_straight(const Touch& touch) {
    const Point a = touch.front().at, b = touch.back().at;
    const double length = distance(a, b);
    return std::ranges::all_of(touch, [&](const TouchSample& s) {
        const double along = length < 1 ? 0 : ((s.at.x - a.x) * double(b.x - a.x) + (s.at.y - a.y) * double(b.y - a.y)) / length;
        return off_line(s.at, a, b) <= kTouchSlopPx && along >= -kTouchSlopPx && along <= length + kTouchSlopPx;
    });
}

bool stays(const Touch& touch) {
    return std::ranges::all_of(touch, [&](const TouchSample& s) { return distance(s.at, touch.front().at) <= kTouchSlopPx; });
}

Duration held_before_moving(const Touch& touch) {
    const auto moved = std::ranges::find_if(touch, [&](const TouchSample& s) { return distance(s.at, touch.front().at) > kTouchSlopPx; });
    return moved == touch.end() ? touch.back().since_press : moved->since_press;
}

std::string path_command(const Touch& touch) {
    const Point first = touch.front().at, last = touch.back().at;
    std::string command = fmt::format("input motionevent DOWN {} {}", first.x, first.y);
    const std::size_t step = std::max<std::size_t>(1, (touch.size() + kPathPointsMax - 1) / kPathPointsMax);
    Point before = first;
    const auto move = [&](Point to) {
        command += to == before ? std::string() : fmt::format(" && input motionevent MOVE {} {}", to.x, to.y);
        before = to;
    };
    for (std::size_t i = step; i < touch.size(); i += step) {
        move(touch[i].at);
    }
    move(last);
    return fmt::format("{}; input motionevent UP {} {}", command, last.x, last.y); // lifted whatever became of the way
}

} // namespace

TouchKind kind_of(const Touch& touch) {
    const Duration held = touch.back().since_press;
    if (stays(touch)) {
        return held >= kHoldIs ? TouchKind::LongPress : TouchKind::Tap;
    }
    if (!is_straight(touch)) {
        return TouchKind::Path;
    }
    return held_before_moving(touch) >= kHoldIs ? TouchKind::DragAndDrop : TouchKind::Swipe;
}

Result<std::string> touch_command(const Touch& touch, const TouchAbility& ability) {
    const Point from = touch.front().at, to = touch.back().at;
    const Duration time = std::clamp<Duration>(touch.back().since_press, kSwipeTimeMin, kSwipeTimeMax);
    switch (kind_of(touch)) {
    case TouchKind::Tap: return fmt::format("input tap {} {}", from.x, from.y);
    case TouchKind::LongPress:
        return fmt::format("input swipe {0} {1} {0} {1} {2}", from.x, from.y,
                           in_ms(std::clamp<Duration>(touch.back().since_press, ability.long_press + kHoldMargin, kSwipeTimeMax)));
    case TouchKind::Swipe: return fmt::format("input swipe {} {} {} {} {}", from.x, from.y, to.x, to.y, in_ms(time));
    case TouchKind::DragAndDrop:
        if (ability.has_drag_and_drop) {
            return fmt::format("input draganddrop {} {} {} {} {}", from.x, from.y, to.x, to.y, in_ms(time));
        }
        break;
    case TouchKind::Path: break;
    }
    if (!ability.has_motion_event) {
        return Error{ErrorCode::Unsupported, "a touch that is held and then moved, or moved along a bent way, needs `input motionevent` (Android 10); "
                                             "this phone has only taps and straight swipes"};
    }
    return path_command(touch);
}

std::string taps_command(Point at, int count) {
    std::string command = fmt::format("input tap {} {}", at.x, at.y);
    // Side by side: on old phones each `input` takes longer to start than the time between the two taps of a double tap.
    for (int i = 1; i < count; ++i) {
        command = fmt::format("{0} & sleep 0.1; input tap {1} {2}", command, at.x, at.y);
    }
    return count > 1 ? command + "; wait" : command;
}

namespace {

std::string swipe_of(Point over, int right_notches, int down_notches, Size frame) {
    const auto middle = [](int value, int side) {
        const int edge = static_cast<int>(side * kEdgeShare);
        return std::clamp(value, edge, side - 1 - edge);
    };
    const auto reach = [](int notches, int side) { return static_cast<int>(std::int64_t{notches} * side * kNotchThousandths / 1000); };
    const int dx = -reach(right_notches, frame.width_px), dy = -reach(down_notches, frame.height_px);
    // Half of the way before the point and half behind it; at an edge the whole way is moved inside.
    const auto ends = [&](int at, int way, int side) {
        const int edge = static_cast<int>(side * kEdgeShare);
        const int room = side - 1 - 2 * edge;
        const int length = std::clamp(way, -room, room);
        const int low = std::clamp(at - std::abs(length) / 2, edge, edge + room - std::abs(length));
        return length >= 0 ? std::pair(low, low + length) : std::pair(low - length, low);
    };
    const auto [x0, x1] = dx == 0 ? std::pair(middle(over.x, frame.width_px), middle(over.x, frame.width_px)) : ends(over.x, dx, frame.width_px);
    const auto [y0, y1] = dy == 0 ? std::pair(middle(over.y, frame.height_px), middle(over.y, frame.height_px)) : ends(over.y, dy, frame.height_px);
    return fmt::format("input swipe {} {} {} {} {}", x0, y0, x1, y1, kWheelTime.count());
}

} // namespace

std::string wheel_command(Point over, int right_notches, int down_notches, Size frame) {
    std::string command;
    while (right_notches != 0 || down_notches != 0) {
        const int right = std::clamp(right_notches, -kNotchesOfSwipe, kNotchesOfSwipe);
        const int down = std::clamp(down_notches, -kNotchesOfSwipe, kNotchesOfSwipe);
        command += (command.empty() ? "" : " && ") + swipe_of(over, right, down, frame);
        right_notches -= right;
        down_notches -= down;
    }
    return command;
}

} // namespace handeye::android
