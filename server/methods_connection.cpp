// SPDX-License-Identifier: Apache-2.0
// connection.*: who is there, and what both sides can do.
#include "base/clock.h"
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

/// What the one who came may do here; nullopt: it does not know the secret of this entrance.
std::optional<TokenBook::Grant> grant_of(const Call& call, std::string& problem) {
    if (call.peer.origin().is_console) { // a token is for programs: no page is ever to hold it
        problem = "the ticket is missing, wrong, used or too old";
        return call.core.console->enter(call.params.value("ticket", "")) ? std::optional(TokenBook::Grant{"", "", kConsoleScopes, std::nullopt})
                                                                         : std::nullopt;
    }
    bool is_expired = false;
    auto grant = call.core.tokens.find(call.params.value("token", ""), &is_expired);
    problem = is_expired ? "the token has expired" : "the token is missing or wrong";
    return grant;
}

std::string_view principal_of(const Peer::Origin& origin) {
    return origin.is_local_user ? "local_user" : origin.is_console ? "console" : "token";
}

/// nullopt: the door stays shut, and that has been said.
std::optional<TokenBook::Grant> may_enter(const Call& call) {
    Core& core = call.core;
    const Peer::Origin& origin = call.peer.origin();
    if (origin.is_local_user) {
        return TokenBook::Grant{"", "", ScopeSet::all(), std::nullopt}; // the kernel vouched for the uid
    }
    std::string problem;
    if (auto grant = grant_of(call, problem); grant) { // before the limit: strangers' mistakes keep nobody out who knows the secret
        const auto full = core.refuse_another(*grant);
        if (full) {
            call.reply.fail(*full);
            call.peer.close(CloseCode::RateLimited, "too many connections");
        }
        return full ? std::nullopt : grant;
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (core.failures.is_blocked(origin.address, now)) {
        call.reply.fail(RpcError{ErrorKind::RateLimited,
                                 fmt::format("more than {} wrong tokens within a second", FailureLimiter::kFailuresPerSecondMax), ""});
        call.peer.close(CloseCode::RateLimited, "too many wrong tokens");
        return std::nullopt;
    }
    const std::string secret = origin.is_console ? "ticket" : "token";
    core.failures.count_failure(origin.address, now);
    ++core.counters.wrong_tokens;
    call.reply.fail(RpcError{ErrorKind::Unauthorized, problem, secret});
    call.peer.close(CloseCode::NotIdentified, problem);
    return std::nullopt;
}

} // namespace

void connection_identify(const Call& call) {
    if (call.peer.is_identified()) {
        call.reply.fail(RpcError{ErrorKind::InvalidRequest, "this connection is identified already", ""});
        return;
    }
    const auto grant = may_enter(call);
    if (!grant) {
        return;
    }
    if (const auto protocol = call.params.at("protocol").get<std::int64_t>(); protocol != kProtocol) {
        call.reply.fail(RpcError{ErrorKind::ProtocolUnsupported,
                                 fmt::format("protocol {} is not spoken here, only {}", protocol, kProtocol), "protocol"});
        call.peer.close(CloseCode::ProtocolUnsupported, "unsupported protocol");
        return;
    }
    const auto scopes = requested_scopes(call.params, grant->scopes);
    if (const auto* const error = std::get_if<RpcError>(&scopes); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    call.peer.set_token_sha256(grant->sha256);
    call.peer.set_token_name(grant->name);
    call.peer.set_identified(std::get<ScopeSet>(scopes), call.params.at("client").get<std::string>());
    json result{{"negotiated_protocol", kProtocol},
                {"principal", principal_of(call.peer.origin())},
                {"scopes", names_of(call.peer.scopes())},
                {"limits", limits_json(call.core.options)}};
    if (!grant->name.empty()) {
        result["token_name"] = grant->name;
    }
    if (grant->expires) {
        result["expires_at"] = format_utc(*grant->expires);
    }
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
