// SPDX-License-Identifier: Apache-2.0
// control.*: the kill switch.
#include "server/core.h"
#include "server/method_table.h"

#include <nlohmann/json.hpp>

namespace handeye {

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

} // namespace handeye
