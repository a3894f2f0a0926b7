// SPDX-License-Identifier: Apache-2.0
#include "server/method_table.h"

#include <algorithm>
#include <array>

namespace handeye {
namespace {

constexpr std::array kRows{
    MethodRow{"connection.identify", Scope::None, connection_identify},
    MethodRow{"connection.info", Scope::Observe, connection_info},
    MethodRow{"connection.ping", Scope::Observe, connection_ping},
    MethodRow{"console.open", Scope::Admin, console_open},
    MethodRow{"control.reset_stop", Scope::Control, control_reset_stop},
    MethodRow{"control.stop_all", Scope::Control, control_stop_all},
    MethodRow{"events.subscribe", Scope::Observe, events_subscribe},
    MethodRow{"events.unsubscribe", Scope::Observe, events_unsubscribe},
    MethodRow{"recording.blob", Scope::Record, recording_blob},
    MethodRow{"screen.capture", Scope::Observe, screen_capture},
    MethodRow{"session.close", Scope::Control, session_close},
    MethodRow{"session.create", Scope::Control, session_create},
    MethodRow{"session.get", Scope::Observe, session_get},
    MethodRow{"session.list", Scope::Observe, session_list},
    MethodRow{"task.cancel", Scope::Control, task_cancel},
    MethodRow{"task.get", Scope::Observe, task_get},
    MethodRow{"task.run", Scope::Control, task_run},
    MethodRow{"task.wait", Scope::Observe, task_wait},
};
static_assert(std::is_sorted(kRows.begin(), kRows.end(), [](const MethodRow& a, const MethodRow& b) { return a.name < b.name; }));

} // namespace

std::span<const MethodRow> method_table() { return kRows; }

const MethodRow* find_method(std::string_view name) {
    const auto row = std::lower_bound(kRows.begin(), kRows.end(), name,
                                      [](const MethodRow& r, std::string_view wanted) { return r.name < wanted; });
    return row != kRows.end() && row->name == name ? &*row : nullptr;
}

} // namespace handeye
