// SPDX-License-Identifier: Apache-2.0
#include "agent/window_facts.h"

#include <chrono>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr SettleOptions kFocusSettle{std::chrono::milliseconds(60), std::chrono::milliseconds(600)};

bool goes_to_keyboard(const Op& op) {
    const auto* event = std::get_if<InputEvent>(&op);
    return std::holds_alternative<TypeOp>(op) || (event != nullptr && std::holds_alternative<Key>(*event));
}

} // namespace

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

bool FocusGuard::may_go_to(const WindowInfo& window) const {
    if (window.id == facts_.windows->back().id) {
        return true;
    }
    ActionFacts there = facts_;
    there.windows = std::vector<WindowInfo>{window}; // the click has opened a window of the same kind
    return others_ == Others::WhereTheRulesAllowIt && gate_.explain(there).gate == Gate::Allow;
}

Result<void> FocusGuard::before(const Op& op, Platform& platform, const std::stop_token& stop) {
    if (!facts_.windows || facts_.windows->empty() || !goes_to_keyboard(op)) {
        return {};
    }
    if (const WindowInfo now = TRY(platform.focused_window()); may_go_to(now)) {
        return {};
    }
    TRY(platform.settle(kFocusSettle, stop)); // a click asks the window manager for the focus, which takes its time
    const WindowInfo now = TRY(platform.focused_window());
    if (may_go_to(now)) {
        return {};
    }
    return Error{ErrorCode::Cancelled, fmt::format("the keyboard's focus is in \"{}\", not in the window that was looked at (\"{}\")", now.title_utf8.substr(0, 80),
                                                   facts_.windows->back().title_utf8.substr(0, 80))};
}

} // namespace handeye
