// SPDX-License-Identifier: Apache-2.0
#include "server/method_table.h"

#include <algorithm>
#include <array>

namespace handeye {
namespace {

constexpr std::array kRows{
    MethodRow{"$/cancelRequest", Scope::None, cancel_request},
    MethodRow{"approval.decide", Scope::Approve, approval_decide},
    MethodRow{"approval.get", Scope::Observe, approval_get},
    MethodRow{"approval.list", Scope::Observe, approval_list},
    MethodRow{"connection.identify", Scope::None, connection_identify},
    MethodRow{"connection.info", Scope::Observe, connection_info},
    MethodRow{"connection.ping", Scope::Observe, connection_ping},
    MethodRow{"console.open", Scope::Admin, console_open},
    MethodRow{"control.acquire", Scope::Control, control_acquire},
    MethodRow{"control.release", Scope::Control, control_release},
    MethodRow{"control.reset_stop", Scope::Control, control_reset_stop},
    MethodRow{"control.status", Scope::Observe, control_status},
    MethodRow{"control.stop_all", Scope::Control, control_stop_all},
    MethodRow{"engine.infer", Scope::Engine, engine_infer},
    MethodRow{"engine.selftest", Scope::Engine, engine_selftest},
    MethodRow{"engine.stats", Scope::Engine, engine_stats},
    MethodRow{"engine.status", Scope::Observe, engine_status},
    MethodRow{"events.ack", Scope::Observe, events_ack},
    MethodRow{"events.replay", Scope::Observe, events_replay},
    MethodRow{"events.subscribe", Scope::Observe, events_subscribe},
    MethodRow{"events.unsubscribe", Scope::Observe, events_unsubscribe},
    MethodRow{"frames.ack", Scope::Observe, frames_ack},
    MethodRow{"input.act", Scope::Control, input_act},
    MethodRow{"input.act_many", Scope::Control, input_act_many},
    MethodRow{"input.key", Scope::Control, input_key},
    MethodRow{"input.release_all", Scope::Control, input_release_all},
    MethodRow{"input.type", Scope::Control, input_type},
    MethodRow{"metrics.snapshot", Scope::Observe, metrics_snapshot},
    MethodRow{"policy.explain", Scope::Observe, policy_explain},
    MethodRow{"policy.get", Scope::Observe, policy_get},
    MethodRow{"policy.set", Scope::Admin, policy_set},
    MethodRow{"question.answer", Scope::Approve, question_answer},
    MethodRow{"question.list", Scope::Observe, question_list},
    MethodRow{"recording.blob", Scope::Record, recording_blob},
    MethodRow{"recording.delete", Scope::Admin, recording_delete},
    MethodRow{"recording.export", Scope::Record, recording_export},
    MethodRow{"recording.get", Scope::Record, recording_get},
    MethodRow{"recording.list", Scope::Record, recording_list},
    MethodRow{"recording.read", Scope::Record, recording_read},
    MethodRow{"screen.capture", Scope::Observe, screen_capture},
    MethodRow{"screen.displays", Scope::Observe, screen_displays},
    MethodRow{"screen.stream_start", Scope::Observe, screen_stream_start},
    MethodRow{"screen.stream_stop", Scope::Observe, screen_stream_stop},
    MethodRow{"screen.windows", Scope::Observe, screen_windows},
    MethodRow{"session.close", Scope::Control, session_close},
    MethodRow{"session.create", Scope::Control, session_create},
    MethodRow{"session.doctor", Scope::Observe, session_doctor},
    MethodRow{"session.get", Scope::Observe, session_get},
    MethodRow{"session.list", Scope::Observe, session_list},
    MethodRow{"session.update", Scope::Control, session_update},
    MethodRow{"task.amend", Scope::Control, task_amend},
    MethodRow{"task.cancel", Scope::Control, task_cancel},
    MethodRow{"task.get", Scope::Observe, task_get},
    MethodRow{"task.list", Scope::Observe, task_list},
    MethodRow{"task.pause", Scope::Control, task_pause},
    MethodRow{"task.result", Scope::Observe, task_result},
    MethodRow{"task.resume", Scope::Control, task_resume},
    MethodRow{"task.run", Scope::Control, task_run},
    MethodRow{"task.run_file", Scope::Control, task_run_file},
    MethodRow{"task.step", Scope::Control, task_step},
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
