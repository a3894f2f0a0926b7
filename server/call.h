// SPDX-License-Identifier: Apache-2.0
// One request on its way through a handler, and the answer it owes.
#pragma once

#include "server/rpc.h"

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

struct Core;
class Loop;
class Peer;

/// The answer to one request; give it once, now or later, from any thread. Copies answer the same request. A peer that has
/// gone gets nothing; a notification gets nothing either.
class Reply {
public:
    Reply(Loop& loop, std::weak_ptr<Peer> peer, std::string id_json);
    void ok(const nlohmann::json& result) const;
    void fail(const RpcError& error) const;
    void fail(const Error& error) const { fail(to_rpc_error(error)); }

private:
    void send(std::string text) const;
    Loop* loop_;
    std::weak_ptr<Peer> peer_;
    std::string id_json_;
};

/// What a handler gets. `params` has passed the method's schema; everything but `reply` is for the handler's own time.
struct Call {
    Core& core;
    Peer& peer;
    const nlohmann::json& params;
    Reply reply;
};

} // namespace handeye
