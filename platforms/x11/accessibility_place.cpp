// SPDX-License-Identifier: Apache-2.0
#include "platforms/x11/accessibility_place.h"

#include <algorithm>
#include <cstdlib>

namespace handeye::x11 {

namespace {

constexpr int kScaleMax = 4;
constexpr int kBorderMax = 64; // of what a program draws around its window and does not count as the window

Rect scaled(const Rect& rect, int scale) { return {rect.x * scale, rect.y * scale, rect.width_px * scale, rect.height_px * scale}; }

/// How far two rectangles are from being the same, in pixels.
int distance(const Rect& a, const Rect& b) {
    return std::abs(a.x - b.x) + std::abs(a.y - b.y) + std::abs(a.width_px - b.width_px) + std::abs(a.height_px - b.height_px);
}

bool is_candidate(const StackedWindow& window, std::string_view title, int pid, bool is_pid_shown) {
    return is_pid_shown ? window.info.pid == pid : !title.empty() && window.info.title_utf8 == title;
}

/// A toolkit counts its window with the manager's frame, or without.
std::optional<Placement> place_by_screen(const Rect& raw, int index, const StackedWindow& window, int& best) {
    std::optional<Placement> found;
    for (int scale = 1; scale <= kScaleMax; ++scale) {
        const Rect there = scaled(raw, scale);
        const int off = std::min(distance(there, window.outer), distance(there, window.info.area));
        if (off < best && off <= kBorderMax * 2) {
            best = off;
            found = Placement{index, {0, 0}, scale};
        }
    }
    return found;
}

/// What the program draws around its window is left and right the same, so is what it draws above and below.
std::optional<Placement> place_by_size(const Rect& raw, int index, const StackedWindow& window, int& best) {
    const Rect& area = window.info.area;
    const Margins& shadow = window.shadow;
    std::optional<Placement> found;
    for (int scale = 1; scale <= kScaleMax; ++scale) {
        const int rest_x = area.width_px - shadow.left - shadow.right - raw.width_px * scale;
        const int rest_y = area.height_px - shadow.top - shadow.bottom - raw.height_px * scale;
        const int off = std::abs(rest_x) + std::abs(rest_y);
        if (off < best && std::max(std::abs(rest_x), std::abs(rest_y)) <= kBorderMax) {
            best = off;
            found = Placement{index, {area.x + shadow.left + rest_x / 2, area.y + shadow.top + rest_y / 2}, scale};
        }
    }
    return found;
}

} // namespace

std::optional<Placement> place_toplevel(const Rect& raw, std::string_view title_utf8, int pid, Coordinates coordinates,
                                        std::span<const StackedWindow> stack) {
    const bool is_pid_shown = pid > 0 && std::any_of(stack.begin(), stack.end(), [&](const auto& window) { return window.info.pid == pid; });
    std::optional<Placement> found;
    bool has_title = false;
    int best = 1 << 30;
    for (int i = static_cast<int>(stack.size()) - 1; i >= 0; --i) { // of two alike the upper one
        const StackedWindow& window = stack[static_cast<std::size_t>(i)];
        if (!is_candidate(window, title_utf8, pid, is_pid_shown)) {
            continue;
        }
        const bool is_titled = window.info.title_utf8 == title_utf8;
        if (coordinates == Coordinates::Window && has_title && !is_titled) {
            continue; // sizes alone do not tell two windows of a program apart; their titles do
        }
        int limit = coordinates == Coordinates::Window && is_titled && !has_title ? 1 << 30 : best;
        const auto place = coordinates == Coordinates::Screen ? place_by_screen(raw, i, window, limit) : place_by_size(raw, i, window, limit);
        if (place) {
            found = place;
            best = limit;
            has_title = has_title || is_titled;
        }
    }
    return found;
}

std::optional<Placement> place_popup(const Rect& raw, int pid, const Placement& parent, std::span<const StackedWindow> stack) {
    for (int i = static_cast<int>(stack.size()) - 1; i >= 0; --i) {
        const StackedWindow& window = stack[static_cast<std::size_t>(i)];
        const Rect& area = window.info.area;
        if (!window.is_popup || window.info.pid != pid || i == parent.window) {
            continue;
        }
        const auto is_as_large_as = [&](int width, int height) {
            return area.width_px == width * parent.scale && area.height_px == height * parent.scale;
        };
        if (is_as_large_as(raw.width_px, raw.height_px)) {
            return Placement{i, {area.x - raw.x * parent.scale, area.y - raw.y * parent.scale}, parent.scale};
        }
        if (is_as_large_as(raw.width_px + 2 * raw.x, raw.height_px + 2 * raw.y)) { // a tool tip, counted from its own corner
            return Placement{i, {area.x, area.y}, parent.scale};
        }
    }
    return std::nullopt;
}

int menu_window(const Rect& box, int pid, std::span<const StackedWindow> stack) {
    for (int i = static_cast<int>(stack.size()) - 1; i >= 0; --i) {
        const StackedWindow& window = stack[static_cast<std::size_t>(i)];
        if (window.is_popup && window.info.pid == pid && box.intersected(window.outer) == box) {
            return i;
        }
    }
    return -1;
}

} // namespace handeye::x11
