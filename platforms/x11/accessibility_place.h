// SPDX-License-Identifier: Apache-2.0
// Which X window shows what a program calls a window, and how that program's coordinates become root pixels.
#pragma once

#include "platforms/x11/windows.h"

#include <optional>
#include <span>
#include <string_view>

namespace handeye::x11 {

/// What programs of a toolkit tell coordinates in: GTK 4 knows no others than its window's, all others the screen's.
enum class Coordinates { Screen, Window };

struct Placement {
    int window = -1;  ///< place in the stack
    Point offset;     ///< root pixels of the program's origin
    int scale = 1;    ///< pixels of one of the program's units

    [[nodiscard]] Rect to_root(const Rect& raw) const {
        return {offset.x + raw.x * scale, offset.y + raw.y * scale, raw.width_px * scale, raw.height_px * scale};
    }
};

/// nullopt: this display shows no such window of that program. `pid` 0: not known, or not of this machine; then titles decide.
std::optional<Placement> place_toplevel(const Rect& raw, std::string_view title_utf8, int pid, Coordinates coordinates,
                                        std::span<const StackedWindow> stack);

/// A GTK 4 program counts what is in a menu from its window, as if the menu began where its button does; on the screen it is a
/// window of its own. nullopt: `raw`, a part of the window at `parent`, is no such menu.
std::optional<Placement> place_popup(const Rect& raw, int pid, const Placement& parent, std::span<const StackedWindow> stack);

/// The menu on the screen that an item of one, at `box` in root pixels, is seen in; -1: none.
int menu_window(const Rect& box, int pid, std::span<const StackedWindow> stack);

} // namespace handeye::x11
