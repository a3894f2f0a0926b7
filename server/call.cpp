// SPDX-License-Identifier: Apache-2.0
#include "server/call.h"

#include "server/loop.h"
#include "server/peer.h"

#include <nlohmann/json.hpp>

namespace handeye {

Reply::Reply(Loop& loop, std::weak_ptr<Peer> peer, std::string id_json)
    : loop_(&loop), peer_(std::move(peer)), id_json_(std::move(id_json)) {}

void Reply::send(std::string text) const {
    loop_->dispatch([peer = peer_, text = std::move(text)]() mutable {
        if (const auto alive = peer.lock(); alive) {
            alive->send(std::move(text));
        }
    });
}

void Reply::ok(const nlohmann::json& result) const {
    if (!id_json_.empty()) {
        send(result_text(id_json_, result));
    }
}

void Reply::fail(const RpcError& error) const {
    if (!id_json_.empty()) {
        send(error_text(id_json_, error));
    }
}

} // namespace handeye
