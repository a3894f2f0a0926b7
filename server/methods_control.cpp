// SPDX-License-Identifier: Apache-2.0
// control.*: who holds a session's target, and the kill switch.
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

// The log may be slow; the lease holds already.
void note_later(Core& core, const std::shared_ptr<LiveSession>& session) {
    (void)core.stopper.submit([session] { session->note_lease(); });
}

std::string_view holder_of(LiveSession& session) {
    switch (session.control().hold()) {
    case Hold::Human: return "human";
    case Hold::Script: return "script";
    case Hold::None:
    case Hold::Paused: break;
    }
    return session.status().task.empty() ? "none" : "agent";
}

} // namespace

void control_stop_all(const Call& call) {
    const std::string reason = call.params.value("reason", "control.stop_all");
    // Stop tokens here and now; the keys on another thread, where a slow display server does not hold up this one.
    const std::size_t stopped = call.core.hub.request_stop_all();
    const auto release = [&core = call.core, reply = call.reply, reason, stopped] {
        core.hub.release_all(reason);
        reply.ok({{"stopped_tasks", stopped}, {"latched", true}});
    };
    if (!call.core.stopper.submit(release)) {
        release(); // a thousand stops wait already: late is better than never
    }
}

void control_reset_stop(const Call& call) {
    call.core.hub.reset_stop();
    call.reply.ok({{"latched", false}});
}

void control_acquire(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    const LeaseMode mode = call.params.value("mode", "human") == "script" ? LeaseMode::Script : LeaseMode::Human;
    const auto ttl = std::chrono::milliseconds(call.params.value("ttl_ms", std::int64_t{0}));
    const auto lease = session->acquire(mode, ttl, call.peer.client());
    if (const auto* const error = std::get_if<RpcError>(&lease); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    note_later(call.core, session);
    if (ttl.count() > 0) { // says in the log that it is over, also where no agent waits for it
        call.core.loop.after(ttl + std::chrono::milliseconds(1), [&core = call.core, weak = std::weak_ptr(session)] {
            if (const auto alive = weak.lock(); alive) {
                note_later(core, alive);
            }
        });
    }
    call.reply.ok({{"lease", std::get<Lease>(lease).id}, {"session", session->id()}, {"mode", mode == LeaseMode::Script ? "script" : "human"}});
}

void control_release(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    const auto lease = call.params.at("lease").get<std::string>();
    // Letting go of keys asks the display server: not on this thread.
    const auto release = [session, lease, reply = call.reply] {
        if (const auto refused = session->release(lease); refused) {
            reply.fail(*refused);
            return;
        }
        session->note_lease();
        reply.ok({{"session", session->id()}});
    };
    if (!call.core.stopper.submit(release)) {
        release();
    }
}

void control_status(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    ControlState& control = session->control();
    json out{{"session", session->id()},
             {"holder", holder_of(*session)},
             {"paused", control.is_paused()},
             {"stop_latched", call.core.hub.is_stop_latched()}};
    if (const auto lease = control.lease(); lease) {
        out["by"] = lease->by;
        if (lease->expires_at != TimePoint{}) {
            const auto left = lease->expires_at - call.core.services.clock->now();
            out["expires_in_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
        }
    }
    call.reply.ok(out);
}

} // namespace handeye
