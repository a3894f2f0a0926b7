// SPDX-License-Identifier: Apache-2.0
#include "agent/window_facts.h"

#include <utility>
#include <vector>

namespace handeye {

void add_windows(ActionFacts& facts, Platform& platform) {
    std::vector<WindowInfo> windows;
    for (const Point point : facts.points) {
        Result<WindowInfo> window = platform.window_at(point);
        if (!window) {
            return;
        }
        windows.push_back(*std::move(window));
    }
    if (facts.points.empty() && uses_keyboard(facts.action)) {
        Result<WindowInfo> window = platform.focused_window();
        if (!window) {
            return;
        }
        windows.push_back(*std::move(window));
    }
    if (!windows.empty()) {
        facts.windows = std::move(windows);
    }
}

} // namespace handeye
