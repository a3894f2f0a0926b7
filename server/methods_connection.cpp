// SPDX-License-Identifier: Apache-2.0
// connection.*: who is there, and what both sides can do.
#include "base/hash.h"
#include "server/console/door.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

std::vector<std::string_view> names_of(ScopeSet scopes) {
    std::vector<std::string_view> names;
    for (std::size_t i = 1; i < kScopeNames.size(); ++i) {
        if (scopes.has(static_cast<Scope>(i))) {
            names.push_back(kScopeNames[i]);
        }
    }
    return names;
}

json limits_json(const ControlServerOptions& options) {
    return {{"message_bytes_max", options.message_bytes_max},
            {"queue_bytes_max", options.queue_bytes_max},
            {"sessions_max", options.sessions_max}};
}

ScopeSet scopes_at_most(const Peer::Origin& origin) { return origin.is_console ? kConsoleScopes : ScopeSet::all(); }

// What was asked for; everything when nothing was; of either what this entrance allows. An unknown name is an error, so that a typing mistake is not a demotion.
RpcResult<ScopeSet> requested_scopes(const json& params, ScopeSet at_most) {
    const auto wanted = params.find("scopes");
    if (wanted == params.end()) {
        return at_most;
    }
    ScopeSet scopes;
    for (const json& name : *wanted) {
        const auto scope = find_scope(name.get_ref<const std::string&>());
        if (!scope) {
            return RpcError{ErrorKind::InvalidParams, fmt::format("scopes: there is no scope \"{}\"", name.get<std::string>()), "scopes"};
        }
        if (at_most.has(*scope)) {
            scopes.add(*scope);
        }
    }
    return scopes;
}

bool knows_the_secret(const Call& call) {
    if (call.peer.origin().is_console) { // a token is for programs: no page is ever to hold it
        return call.core.console->enter(call.params.value("ticket", ""));
    }
    return !call.core.options.token.empty() && equal_constant_time(call.params.value("token", ""), call.core.options.token);
}

std::string_view principal_of(const Peer::Origin& origin) {
    return origin.is_local_user ? "local_user" : origin.is_console ? "console" : "token";
}

bool may_enter(const Call& call) {
    Core& core = call.core;
    const Peer::Origin& origin = call.peer.origin();
    if (origin.is_local_user) {
        return true; // the kernel vouched for the uid
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (core.failures.is_blocked(origin.address, now)) {
        call.reply.fail(RpcError{ErrorKind::RateLimited,
                                 fmt::format("more than {} wrong tokens within a second", FailureLimiter::kFailuresPerSecondMax), ""});
        call.peer.close(CloseCode::RateLimited, "too many wrong tokens");
        return false;
    }
    if (knows_the_secret(call)) {
        return true;
    }
    const std::string secret = origin.is_console ? "ticket" : "token";
    const std::string problem = origin.is_console ? "the ticket is missing, wrong, used or too old" : "the token is missing or wrong";
    core.failures.count_failure(origin.address, now);
    ++core.counters.wrong_tokens;
    call.reply.fail(RpcError{ErrorKind::Unauthorized, problem, secret});
    call.peer.close(CloseCode::NotIdentified, problem);
    return false;
}

} // namespace

void connection_identify(const Call& call) {
    if (call.peer.is_identified()) {
        call.reply.fail(RpcError{ErrorKind::InvalidRequest, "this connection is identified already", ""});
        return;
    }
    if (!may_enter(call)) {
        return;
    }
    if (const auto protocol = call.params.at("protocol").get<std::int64_t>(); protocol != kProtocol) {
        call.reply.fail(RpcError{ErrorKind::ProtocolUnsupported,
                                 fmt::format("protocol {} is not spoken here, only {}", protocol, kProtocol), "protocol"});
        call.peer.close(CloseCode::ProtocolUnsupported, "unsupported protocol");
        return;
    }
    const auto scopes = requested_scopes(call.params, scopes_at_most(call.peer.origin()));
    if (const auto* const error = std::get_if<RpcError>(&scopes); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    call.peer.set_identified(std::get<ScopeSet>(scopes), call.params.at("client").get<std::string>());
    json result{{"negotiated_protocol", kProtocol},
                {"principal", principal_of(call.peer.origin())},
                {"scopes", names_of(call.peer.scopes())},
                {"limits", limits_json(call.core.options)}};
    if (call.peer.origin().is_console) {
        if (const auto ticket = call.core.console->issue_return_ticket(); ticket) {
            result["return_ticket"] = *ticket;
        }
    }
    call.reply.ok(result);
}

void connection_info(const Call& call) {
    const ModelGate::Status model = call.core.gate.status();
    json engine{{"state", model_state_name(model.state)}, {"detail", model.detail}};
    if (model.info) {
        engine["model"] = {{"name", model.info->name},
                           {"family", model.info->family},
                           {"weight_format", model.info->weight_format},
                           {"parameters", model.info->parameters},
                           {"context_tokens_max", model.info->context_tokens_max}};
    }
    call.reply.ok({{"server", "handeyed"},
                   {"version", HANDEYE_VERSION},
                   {"protocol", kProtocol},
                   {"instance_id", call.core.instance_id},
                   {"client", call.peer.client()},
                   {"scopes", names_of(call.peer.scopes())},
                   {"limits", limits_json(call.core.options)},
                   {"engine", std::move(engine)},
                   {"stop_latched", call.core.hub.is_stop_latched()},
                   {"connections", call.core.peers.size()}});
}

void connection_ping(const Call& call) {
    json result{{"t_mono_ns", call.core.services.clock->now().time_since_epoch().count()}};
    if (const auto payload = call.params.find("payload"); payload != call.params.end()) {
        result["payload"] = *payload;
    }
    call.reply.ok(result);
}

void cancel_request(const Call& call) {
    const json& id = call.params.at("id");
    if (!id.is_number_integer() && !id.is_string()) {
        call.reply.fail(RpcError{ErrorKind::InvalidParams, "id must be the id of a request", "id"});
        return;
    }
    call.reply.ok({{"cancelled", call.peer.cancel(id.dump())}});
}

} // namespace handeye
