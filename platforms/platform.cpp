// SPDX-License-Identifier: Apache-2.0
// Stable names of what a Platform reports, and what follows from it.
#include "platforms/platform.h"

#include "platforms/person_input.h"
#include "platforms/probe.h"

#include <algorithm>

namespace handeye {

std::string_view certainty_name(Certainty certainty) {
    switch (certainty) {
    case Certainty::Confirmed: return "confirmed";
    case Certainty::Unverifiable: return "unverifiable";
    case Certainty::SuspectedNoop: return "suspected_noop";
    case Certainty::Partial: return "partial";
    case Certainty::Refused: return "refused";
    }
    return "unknown";
}

std::string_view person_act_name(PersonAct act) {
    switch (act) {
    case PersonAct::Pointer: return "pointer";
    case PersonAct::Button: return "button";
    case PersonAct::Key: return "key";
    case PersonAct::KillSwitch: return "kill_switch";
    }
    return "unknown";
}

Result<void> Platform::watch_person(PersonWatch) {
    return Error{ErrorCode::Unsupported, "this platform cannot tell a person's input from its own"};
}

Result<void> Platform::follow_person(PersonFollow) {
    return Error{ErrorCode::Unsupported, "on this platform nobody's input can be followed: what a person does cannot be recorded"};
}

Result<WindowInfo> Platform::window_at(Point in_target) {
    const DisplayInfo info = TRY(display());
    const std::vector<WindowInfo> all = TRY(windows());
    const Point at{in_target.x + info.origin.x, in_target.y + info.origin.y};
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const WindowInfo& window) { return window.area.contains(at); });
    return found == all.rend() ? WindowInfo{} : *found;
}

Result<WindowInfo> Platform::focused_window() {
    const std::vector<WindowInfo> all = TRY(windows());
    const auto found = std::find_if(all.begin(), all.end(), [](const WindowInfo& window) { return window.is_focused; });
    return found == all.end() ? WindowInfo{} : *found;
}

Result<void> Platform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    return inject(event);
}

Result<std::string> Platform::clipboard() { return Error{ErrorCode::Unsupported, "this platform cannot read the clipboard"}; }

Result<std::unique_ptr<ProbeWindow>> Platform::open_probe() {
    return Error{ErrorCode::Unsupported, "on this platform no window of ours can be shown that would tell what arrived"};
}

std::vector<ProbeFact> Platform::probe_facts() { return {}; }

Result<std::shared_ptr<void>> Platform::freeze() { return std::shared_ptr<void>(); }

} // namespace handeye
