// SPDX-License-Identifier: Apache-2.0
// Sizes, points and rectangles. Integer pixels unless a name says otherwise; origin top-left, x to the right, y down.
#pragma once

#include <algorithm>
#include <cstdint>

namespace handeye {

struct Size {
    int width_px = 0;
    int height_px = 0;
    bool operator==(const Size&) const = default;
    [[nodiscard]] bool is_empty() const { return width_px <= 0 || height_px <= 0; }
    [[nodiscard]] std::int64_t area() const { return std::int64_t{width_px} * height_px; }
};

struct Point {
    int x = 0;
    int y = 0;
    bool operator==(const Point&) const = default;
};

/// Left and top edge included, right and bottom excluded.
struct Rect {
    int x = 0;
    int y = 0;
    int width_px = 0;
    int height_px = 0;
    bool operator==(const Rect&) const = default;
    [[nodiscard]] bool contains(Point p) const {
        return p.x >= x && p.y >= y && p.x < x + width_px && p.y < y + height_px;
    }
    [[nodiscard]] Point center() const { return {x + width_px / 2, y + height_px / 2}; }
    [[nodiscard]] Size size() const { return {width_px, height_px}; }
    [[nodiscard]] Rect intersected(const Rect& o) const {
        const int left = std::max(x, o.x), top = std::max(y, o.y);
        const int right = std::min(x + width_px, o.x + o.width_px);
        const int bottom = std::min(y + height_px, o.y + o.height_px);
        return {left, top, std::max(0, right - left), std::max(0, bottom - top)};
    }
};

/// A point means nothing without the frame it was measured in.
struct FramePoint {
    Point point;
    Size frame;
    bool operator==(const FramePoint&) const = default;
};

} // namespace handeye
