// SPDX-License-Identifier: Apache-2.0
// The windows a person would name: listed by the window manager (EWMH), or, without one, the mapped children of the root.
#pragma once

#include "platforms/platform.h"
#include "platforms/x11/connection.h"

#include <string_view>
#include <vector>

namespace handeye::x11 {

/// Pixels at a window's edges.
struct Margins {
    int left = 0, right = 0, top = 0, bottom = 0;
};

/// A window as it lies on the screen.
struct StackedWindow {
    WindowInfo info; ///< without class, program and focus
    Rect outer;      ///< with what the window manager draws around it, in root pixels
    Margins shadow;  ///< what a GTK program draws around its own window, inside of `info.area`
    bool is_popup = false; ///< a menu or a tool tip: no window manager knows it
};

/// Topmost last.
Result<std::vector<WindowInfo>> list_windows(Connection& connection);
/// All that is shown, menus too; topmost last.
Result<std::vector<StackedWindow>> list_stack(Connection& connection);
/// The window that a click there, in root pixels, would reach: a menu, a window, or the window that a title bar belongs to; id 0:
/// the bare screen.
Result<WindowInfo> find_window_at(Connection& connection, Point in_root);
/// The window that keys go to; id 0: none.
Result<WindowInfo> find_focused_window(Connection& connection);
/// The topmost window whose title contains `title`, letter case (ASCII) ignored; NotFound lists what there is.
Result<WindowInfo> find_window(Connection& connection, std::string_view title);
/// Where the window is now, in root pixels. NotFound when it went away, Unavailable while it is not shown.
Result<Rect> window_area(Connection& connection, ::Window window);
/// Raises the window and gives it the keyboard: through the window manager, or directly where there is none. Returns when it
/// has the focus; DeadlineExceeded when it does not get it.
Result<void> activate_window(Connection& connection, ::Window window, Clock& clock);

} // namespace handeye::x11
