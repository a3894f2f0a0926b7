// SPDX-License-Identifier: Apache-2.0
// session.*: opening and closing what tasks run on.
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json session_json(const SessionStatus& status) {
    json out{{"session", status.session},   {"state", session_state_name(status.state)}, {"platform", status.platform},
             {"width_px", status.size.width_px}, {"height_px", status.size.height_px},    {"last_seq", status.last_seq},
             {"recording", status.recording}};
    if (!status.task.empty()) {
        out["task"] = status.task;
    }
    return out;
}

std::shared_ptr<LiveSession> find_or_fail(const Call& call) {
    const auto id = call.params.at("session").get<std::string>();
    auto session = call.core.hub.find(id);
    if (!session) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no session \"{}\"", id), "session"});
    }
    return session;
}

} // namespace

void session_create(const Call& call) {
    const json target = call.params.value("target", json::object());
    call.core.hub.create(call.params.at("platform").get<std::string>(), dump_json(target), call.params.value("request_key", ""),
                         [reply = call.reply](const RpcResult<SessionStatus>& opened) {
                             if (const auto* const error = std::get_if<RpcError>(&opened); error != nullptr) {
                                 reply.fail(*error);
                                 return;
                             }
                             reply.ok(session_json(std::get<SessionStatus>(opened)));
                         });
}

void session_list(const Call& call) {
    json sessions = json::array();
    for (const SessionStatus& status : call.core.hub.list()) {
        sessions.push_back(session_json(status));
    }
    call.reply.ok({{"sessions", std::move(sessions)}});
}

void session_get(const Call& call) {
    if (const auto session = find_or_fail(call); session) {
        call.reply.ok(session_json(session->status()));
    }
}

// Answers at once; session.closed in the log says when it has happened. Closing twice is no error.
void session_close(const Call& call) {
    if (const auto session = find_or_fail(call); session) {
        session->request_close();
        call.reply.ok({{"session", session->id()}});
    }
}

} // namespace handeye
