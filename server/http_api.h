// SPDX-License-Identifier: Apache-2.0
// The control API for who speaks plain HTTP: the methods as POST routes, and a few reads. Knows no sockets. The I/O thread only.
#pragma once

#include "server/peer.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace handeye {

struct Core;

struct HttpRequest {
    std::string verb; ///< "GET", "POST", ...
    std::string path; ///< without the query
    std::string authorization;
    std::string content_type;
    std::string scopes;        ///< Handeye-Scopes: what the caller wants of what it may have; empty: all
    std::string last_event_id;
    std::string body;
};
struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
};

/// True for every path below which this answers; others belong to somebody else.
bool is_api_path(std::string_view path);

/// An error as every answer here tells one.
HttpResponse to_response(const RpcError& error);

/// Who asks: a peer for this request alone, or the "no" of the door (401, 429 also for too many connections, or 400 for scopes that do not exist).
std::variant<std::shared_ptr<Peer>, HttpResponse> admit(Core& core, const Peer::Origin& origin, Peer::Link link, const HttpRequest& request);

/// The session of GET /v1/sessions/{id}/events; nullopt for every other request.
std::optional<std::string> event_stream_session(const HttpRequest& request);

/// To be called when the client has gone before its answer came: what changes nothing need not be done. May be empty.
using HangUp = std::function<void()>;

/// Answers everything but event streams. `done` comes once, now or later.
[[nodiscard]] HangUp serve_http(Core& core, const std::shared_ptr<Peer>& peer, const HttpRequest& request, std::function<void(HttpResponse)> done);

/// One notification as a server-sent event: the session's number is its id. Empty for what streams do not carry.
std::string to_server_sent(std::string_view notification_json);

} // namespace handeye
