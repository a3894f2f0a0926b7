// SPDX-License-Identifier: Apache-2.0
// Every method of the control API: one row each. Parameters and results are described in docs/protocol.schema.json, which
// is embedded in the program, checks each request, and is compared with this table by a test.
#pragma once

#include "server/call.h"
#include "server/scope.h"

#include <span>
#include <string_view>

namespace handeye {

using Handler = void (*)(const Call& call);

struct MethodRow {
    std::string_view name;
    Scope scope; ///< None: before identify too
    Handler handler;
};
std::span<const MethodRow> method_table();
/// nullptr when there is none.
const MethodRow* find_method(std::string_view name);

// methods_connection.cpp
void connection_identify(const Call& call);
void connection_info(const Call& call);
void connection_ping(const Call& call);
void cancel_request(const Call& call);
// methods_console.cpp
void console_open(const Call& call);
// methods_approval.cpp
void approval_decide(const Call& call);
void approval_get(const Call& call);
void approval_list(const Call& call);
// methods_control.cpp
void control_acquire(const Call& call);
void control_release(const Call& call);
void control_status(const Call& call);
void control_reset_stop(const Call& call);
void control_stop_all(const Call& call);
// methods_events.cpp
void events_ack(const Call& call);
void events_subscribe(const Call& call);
void events_unsubscribe(const Call& call);
// methods_engine.cpp
void engine_infer(const Call& call);
void engine_selftest(const Call& call);
void engine_stats(const Call& call);
void engine_status(const Call& call);
// methods_input.cpp
void input_act(const Call& call);
void input_act_many(const Call& call);
void input_key(const Call& call);
void input_release_all(const Call& call);
void input_type(const Call& call);
// methods_metrics.cpp
void metrics_snapshot(const Call& call);
// methods_question.cpp
void question_answer(const Call& call);
void question_list(const Call& call);
// methods_recording.cpp
void events_replay(const Call& call);
void recording_blob(const Call& call);
void recording_delete(const Call& call);
void recording_export(const Call& call);
void recording_get(const Call& call);
void recording_list(const Call& call);
void recording_read(const Call& call);
// methods_screen.cpp
void frames_ack(const Call& call);
void screen_capture(const Call& call);
void screen_displays(const Call& call);
void screen_stream_start(const Call& call);
void screen_stream_stop(const Call& call);
void screen_windows(const Call& call);
// methods_policy.cpp
void policy_explain(const Call& call);
void policy_get(const Call& call);
void policy_set(const Call& call);
// methods_session.cpp
void session_close(const Call& call);
void session_create(const Call& call);
void session_get(const Call& call);
void session_doctor(const Call& call);
void session_list(const Call& call);
void session_update(const Call& call);
// methods_task.cpp
void task_amend(const Call& call);
void task_cancel(const Call& call);
void task_get(const Call& call);
void task_pause(const Call& call);
void task_resume(const Call& call);
void task_list(const Call& call);
void task_run(const Call& call);
void task_step(const Call& call);
void task_wait(const Call& call);
// methods_task_file.cpp
void task_result(const Call& call);
void task_run_file(const Call& call);

} // namespace handeye
