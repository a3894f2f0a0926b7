// SPDX-License-Identifier: Apache-2.0
// A pointer's presses, motions and releases to what Android's `input` can do. A finger has no motion without a touch, and a command
// over adb has no duration that a caller could keep: so a gesture is gathered from press to release and sent as one command, whose
// times the phone itself keeps. Pure.
#pragma once

#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <vector>

namespace handeye::android {

struct TouchSample {
    Point at;
    Duration since_press{};
};
/// From press to release; the first sample is the press, the last the release.
using Touch = std::vector<TouchSample>;

struct TouchAbility {
    Duration long_press = std::chrono::milliseconds(400); ///< the phone's own setting
    bool has_drag_and_drop = true;                        ///< Android 8
    bool has_motion_event = true;                         ///< Android 10
};

enum class TouchKind { Tap, LongPress, Swipe, DragAndDrop, Path };
/// A tap moves and lasts little; what is held longer than kHoldIs is a long press; a path that is a straight line is a swipe, or, held
/// before it moved, drag and drop.
TouchKind kind_of(const Touch& touch);

inline constexpr Duration kHoldIs = std::chrono::milliseconds(300);      ///< well over a click's 20 ms, under Android's 400 ms
inline constexpr Duration kSwipeTimeMin = std::chrono::milliseconds(300);///< shorter ones are flings
inline constexpr Duration kSwipeTimeMax = std::chrono::seconds(10);
inline constexpr Duration kDoubleTapMax = std::chrono::milliseconds(300);///< ViewConfiguration's time between two taps
inline constexpr int kTouchSlopPx = 8;
inline constexpr std::size_t kTouchSamplesMax = 2000;
inline constexpr std::size_t kPathPointsMax = 64; ///< `input motionevent` is a program each

/// The command line. Unsupported for a path that is not straight on a phone without `input motionevent`.
Result<std::string> touch_command(const Touch& touch, const TouchAbility& ability);
/// `count` taps at one point, close enough together for a double tap.
std::string taps_command(Point at, int count);

/// A wheel over a point as a finger's swipe, opposite in direction: notches down show what is further down, so the finger goes up.
/// The finger stays inside the middle of the frame, where no edge gesture begins.
std::string wheel_command(Point over, int right_notches, int down_notches, Size frame);

} // namespace handeye::android
