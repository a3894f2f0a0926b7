// SPDX-License-Identifier: Apache-2.0
#include "server/http_api.h"

#include "base/json.h"
#include "server/core.h"
#include "server/dispatch.h"
#include "server/mcp.h"
#include "server/metrics.h"
#include "server/schema.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::string_view kSessions = "/v1/sessions";
constexpr std::string_view kEvents = "/events";

int status_of(ErrorKind kind) {
    switch (error_kind_row(kind).error_code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::ParseFailed:
    case ErrorCode::OutOfBounds:
    case ErrorCode::LimitExceeded: return 400;
    case ErrorCode::PermissionDenied: return kind == ErrorKind::Unauthorized ? 401 : kind == ErrorKind::LeaseHeld ? 409 : 403;
    case ErrorCode::NotFound: return 404;
    case ErrorCode::Cancelled: return 409;
    case ErrorCode::Overloaded: return kind == ErrorKind::TaskRunning ? 409 : 429;
    case ErrorCode::DeadlineExceeded: return 504;
    case ErrorCode::Unsupported: return kind == ErrorKind::UnknownMethod ? 404 : 501;
    case ErrorCode::Unavailable:
    case ErrorCode::EngineLost:
    case ErrorCode::OutOfMemory: return kind == ErrorKind::SessionClosed ? 409 : 503;
    case ErrorCode::IoFailed:
    case ErrorCode::Internal: return 500;
    }
    return 500;
}

HttpResponse refusal(const RpcError& error, int status = 0) {
    const ErrorKindRow& row = error_kind_row(error.kind);
    json data{{"kind", row.name}, {"code", error_code_name(row.error_code)}, {"retryable", row.is_retryable}};
    if (!error.field.empty()) {
        data["field"] = error.field;
    }
    const json body{{"error", {{"code", row.rpc_code}, {"message", error.message}, {"data", std::move(data)}}}};
    return {status != 0 ? status : status_of(error.kind), "application/json", dump_json(body) + "\n"};
}

HttpResponse no_route(const HttpRequest& request) {
    return refusal({ErrorKind::UnknownMethod, fmt::format("there is no {} {}", request.verb, request.path.substr(0, 100)), ""});
}

bool is_open_to_all(const HttpRequest& request) { return request.path == "/health" || request.path == "/ready"; }

std::optional<TokenBook::Grant> grant_of(Core& core, const Peer::Origin& origin, const HttpRequest& request) {
    constexpr std::string_view kBearer = "Bearer ";
    if (origin.is_local_user) {
        return TokenBook::Grant{"", "", ScopeSet::all(), std::nullopt};
    }
    return request.authorization.starts_with(kBearer) ? core.tokens.find(std::string_view(request.authorization).substr(kBearer.size())) : std::nullopt;
}

std::optional<ScopeSet> wanted_scopes(const std::string& text) {
    if (text.empty()) {
        return ScopeSet::all();
    }
    ScopeSet scopes;
    std::istringstream names(text);
    for (std::string name; std::getline(names, name, ',');) {
        name.erase(0, name.find_first_not_of(' '));
        const auto scope = find_scope(name);
        if (!scope) {
            return std::nullopt;
        }
        scopes.add(*scope);
    }
    return scopes;
}

// "/v1/task/run" to "task.run"; empty when it is none, or one that needs a WebSocket.
std::string method_of(const std::string& path) {
    constexpr std::string_view kPrefix = "/v1/";
    if (!path.starts_with(kPrefix)) {
        return "";
    }
    std::string name = path.substr(kPrefix.size());
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || name.find('/', slash + 1) != std::string::npos) {
        return "";
    }
    name[slash] = '.';
    const json& methods = protocol_schema().at("methods");
    const auto found = methods.find(name);
    return found == methods.end() || found->value("transport", "") == "websocket" ? "" : name;
}

HangUp call(Core& core, const std::shared_ptr<Peer>& peer, const std::string& method, json params, std::function<void(HttpResponse)> done) {
    // The peer lives as long as its answer is owed.
    const Reply reply(core.loop, [peer, done = std::move(done)](const Outcome& outcome) {
        done(outcome.error ? refusal(*outcome.error) : HttpResponse{200, "application/json", outcome.result_json + "\n"});
    });
    dispatch(core, peer, method, std::make_shared<const json>(std::move(params)), reply);
    return [reply] { reply.hang_up(); };
}

HangUp post(Core& core, const std::shared_ptr<Peer>& peer, const HttpRequest& request, std::function<void(HttpResponse)> done) {
    const std::string type = request.content_type.substr(0, request.content_type.find(';'));
    if (type != "application/json") { // what a form or a beacon of a web page cannot send unasked
        done(refusal({ErrorKind::InvalidRequest, "Content-Type must be application/json", ""}, 415));
        return {};
    }
    auto body = parse_json(request.body.empty() ? "{}" : request.body, {.bytes_max = core.options.message_bytes_max, .depth_max = 64});
    if (!body || !body->is_object()) {
        done(refusal({ErrorKind::ParseError, body ? "the body must be an object" : body.error().message, ""}));
        return {};
    }
    return call(core, peer, method_of(request.path), std::move(*body), std::move(done));
}

// MCP over HTTP: every message is a request of its own, answered in JSON; there is no stream and no session to keep.
void mcp(Core& core, const std::shared_ptr<Peer>& peer, const HttpRequest& request, std::function<void(HttpResponse)> done) {
    if (request.verb != "POST") {
        done(refusal({ErrorKind::InvalidRequest, "messages are posted", ""}, 405));
        return;
    }
    if (request.content_type.substr(0, request.content_type.find(';')) != "application/json") {
        done(refusal({ErrorKind::InvalidRequest, "Content-Type must be application/json", ""}, 415));
        return;
    }
    const McpServer server([&core, peer](const std::string& method, const json& params, std::function<void(Outcome)> give) {
        const Reply reply(core.loop, [peer, give = std::move(give)](Outcome outcome) { give(std::move(outcome)); });
        dispatch(core, peer, method, std::make_shared<const json>(params), reply);
    });
    server.take(request.body, [done = std::move(done)](const std::optional<std::string>& answer) {
        done(answer ? HttpResponse{200, "application/json", *answer} : HttpResponse{202, "application/json", ""});
    });
}

HttpResponse readiness(const Core& core) {
    const auto model = core.gate.status();
    const bool is_ready = model.state == ModelState::Ready && !core.hub.is_stop_latched();
    const json body{{"ready", is_ready}, {"engine", model_state_name(model.state)}, {"stop_latched", core.hub.is_stop_latched()}};
    return {is_ready ? 200 : 503, "application/json", dump_json(body) + "\n"};
}

HangUp get(Core& core, const std::shared_ptr<Peer>& peer, const HttpRequest& request, std::function<void(HttpResponse)> done) {
    if (request.path == "/health") {
        done({200, "application/json", "{\"ok\":true}\n"});
    } else if (request.path == "/ready") {
        done(readiness(core));
    } else if (request.path == "/metrics") {
        done(peer->scopes().has(Scope::Observe) ? HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(collect_metrics(core))}
                                                : refusal({ErrorKind::ScopeDenied, "/metrics needs the scope observe", ""}));
    } else if (request.path == kSessions) {
        return call(core, peer, "session.list", json::object(), std::move(done));
    } else if (request.path.starts_with("/v1/sessions/") && request.path.find('/', kSessions.size() + 1) == std::string::npos) {
        return call(core, peer, "session.get", {{"session", request.path.substr(kSessions.size() + 1)}}, std::move(done));
    } else if (request.path.starts_with("/v1/sessions/") && request.path.ends_with(kEvents)) { // what event_stream_session() did not take
        done(peer->scopes().has(Scope::Observe) ? refusal({ErrorKind::NoSuchSession, "there is no such session", "session"})
                                                : refusal({ErrorKind::ScopeDenied, "events need the scope observe", ""}));
    } else {
        done(no_route(request));
    }
    return {};
}

} // namespace

bool is_api_path(std::string_view path) {
    return path == "/health" || path == "/ready" || path == "/metrics" || path == "/mcp" || path == kSessions || path.starts_with("/v1/");
}

HttpResponse to_response(const RpcError& error) { return refusal(error); }

std::variant<std::shared_ptr<Peer>, HttpResponse> admit(Core& core, const Peer::Origin& origin, Peer::Link link, const HttpRequest& request) {
    const auto scopes = wanted_scopes(request.scopes);
    if (!scopes) {
        return refusal({ErrorKind::InvalidParams, "Handeye-Scopes: a list of observe, control, approve, record, engine, admin", "scopes"});
    }
    const auto grant = grant_of(core, origin, request);
    if (!grant && !is_open_to_all(request)) {
        const TimePoint now = std::chrono::steady_clock::now();
        if (core.failures.is_blocked(origin.address, now)) {
            return refusal({ErrorKind::RateLimited, "too many wrong tokens", ""}, 429);
        }
        core.failures.count_failure(origin.address, now);
        ++core.counters.wrong_tokens;
        return refusal({ErrorKind::Unauthorized, "Authorization: Bearer TOKEN is missing or wrong", ""});
    }
    if (const auto full = grant ? core.refuse_another(*grant) : std::nullopt; full) {
        return refusal(*full);
    }
    auto peer = std::make_shared<Peer>(core, origin, std::move(link));
    if (grant) {
        peer->set_token_sha256(grant->sha256);
        peer->set_token_name(grant->name);
    }
    peer->set_identified(grant ? scopes->within(grant->scopes) : ScopeSet(), "http");
    return peer;
}

std::optional<std::string> event_stream_session(const HttpRequest& request) {
    constexpr std::string_view kPrefix = "/v1/sessions/";
    const std::string& path = request.path;
    if (request.verb != "GET" || !path.starts_with(kPrefix) || !path.ends_with(kEvents)) {
        return std::nullopt;
    }
    const std::string id = path.substr(kPrefix.size(), path.size() - kPrefix.size() - kEvents.size());
    return is_session_id(id) ? std::optional(id) : std::nullopt;
}

HangUp serve_http(Core& core, const std::shared_ptr<Peer>& peer, const HttpRequest& request, std::function<void(HttpResponse)> done) {
    if (request.path == "/mcp") {
        mcp(core, peer, request, std::move(done));
    } else if (request.verb == "GET") {
        return get(core, peer, request, std::move(done));
    } else if (method_of(request.path).empty()) {
        done(no_route(request));
    } else if (request.verb == "POST") {
        return post(core, peer, request, std::move(done));
    } else {
        done(refusal({ErrorKind::InvalidRequest, "methods are called with POST", ""}, 405));
    }
    return {};
}

std::string to_server_sent(std::string_view notification_json) {
    const auto parsed = parse_json(notification_json, {.bytes_max = 64U << 20U, .depth_max = 128});
    if (!parsed || !parsed->contains("params")) {
        return "";
    }
    const json& params = parsed->at("params");
    if (parsed->value("method", "") == "event") {
        return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", params.at("seq").get<std::uint64_t>(), params.at("type").get<std::string>(), dump_json(params));
    }
    if (parsed->value("method", "") == "events.gap") {
        return fmt::format("id: {}\nevent: events.gap\ndata: {}\n\n", params.at("to").get<std::uint64_t>(), dump_json(params));
    }
    return "";
}

} // namespace handeye
