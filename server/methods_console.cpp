// SPDX-License-Identifier: Apache-2.0
// console.open: the way in for a browser. Only this user's programs may ask for it, over the Unix socket.
#include "server/console/door.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

void console_open(const Call& call) {
    if (!call.peer.origin().is_local_user) {
        call.reply.fail(RpcError{ErrorKind::PermissionDenied, "console.open is answered on the Unix socket only", ""});
        return;
    }
    const auto pass = call.core.console->open();
    if (!pass) {
        call.reply.fail(pass.error());
        return;
    }
    call.reply.ok({{"port", pass->port},
                   {"ticket", pass->ticket},
                   {"url", fmt::format("http://127.0.0.1:{}/ui/#ticket={}", pass->port, pass->ticket)},
                   {"ticket_life_ms", std::chrono::duration_cast<std::chrono::milliseconds>(pass->life).count()}});
}

} // namespace handeye
