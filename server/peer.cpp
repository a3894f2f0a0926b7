// SPDX-License-Identifier: Apache-2.0
#include "server/peer.h"

#include "base/hash.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/schema.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::string_view kIdentify = "connection.identify";

std::string hello_text(const Core& core, const Peer::Origin& origin) {
    const json params{{"server", "handeyed"},
                      {"version", HANDEYE_VERSION},
                      {"protocol", kProtocol},
                      {"features", {"events.resume", "events.progress", "request_key"}},
                      {"auth", {{"methods", {origin.is_local_user ? "peer_uid" : origin.is_console ? "ticket" : "bearer"}}}},
                      {"instance_id", core.instance_id}};
    return notification_text("hello", dump_json(params));
}

} // namespace

Peer::Peer(Core& core, Origin origin, Link link)
    : core_(core), origin_(std::move(origin)), link_(std::move(link)), queue_({.bytes_max = core.options.queue_bytes_max}),
      feed_(core, *this) {
    core_.peers.insert(this);
}

Peer::~Peer() { core_.peers.erase(this); }

void Peer::open() {
    send(hello_text(core_, origin_));
    core_.loop.after(core_.options.identify_timeout, [weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && !self->is_identified_) {
            self->close(CloseCode::NotIdentified, "identify did not come in time");
        }
    });
}

void Peer::take_text(std::string_view text) {
    if (is_closing_) {
        return;
    }
    auto parsed = parse_request(text, core_.options.message_bytes_max);
    const RpcRequest* const request = std::get_if<RpcRequest>(&parsed);
    if (!is_identified_ && (request == nullptr || request->method != kIdentify)) {
        close(CloseCode::NotIdentified, "connection.identify comes first");
        return;
    }
    if (request == nullptr) {
        const auto& refusal = std::get<RpcRefusal>(parsed);
        send(error_text(refusal.id_json, refusal.error));
        return;
    }
    const Reply reply(core_.loop, weak_from_this(), request->id_json);
    const MethodRow* const method = find_method(request->method);
    if (method == nullptr) {
        reply.fail(RpcError{ErrorKind::UnknownMethod, fmt::format("there is no method \"{}\"", request->method), ""});
        return;
    }
    if (!scopes_.has(method->scope)) {
        reply.fail(RpcError{ErrorKind::ScopeDenied,
                            fmt::format("{} needs the scope {}", method->name, scope_name(method->scope)), ""});
        return;
    }
    if (const auto fault = check_params(method->name, *request->params); fault) {
        reply.fail(*fault);
        return;
    }
    method->handler({core_, *this, *request->params, reply});
}

void Peer::take_binary() { close(CloseCode::Unsupported, "requests are text"); }

void Peer::send(std::string text) {
    if (is_closing_) {
        return;
    }
    if (!queue_.push_must(std::move(text))) {
        close_slow();
        return;
    }
    link_.wake();
}

void Peer::send_latest(std::string_view key, std::string text) {
    if (!is_closing_) {
        queue_.push_latest(key, std::move(text));
        link_.wake();
    }
}

void Peer::close(CloseCode code, const std::string& reason) {
    if (!std::exchange(is_closing_, true)) {
        link_.close(code, reason);
    }
}

void Peer::close_slow() {
    if (!is_closing_) {
        queue_.clear();
        const std::string cursor = feed_.cursor();
        close(CloseCode::SlowConsumer, cursor.empty() ? "too slow" : cursor);
    }
}

// Events stop well before the limit, so that replies and gaps still fit.
bool Peer::has_room() const { return !is_closing_ && queue_.bytes() < core_.options.queue_bytes_max / 4; }

void Peer::on_sent() {
    if (has_room()) {
        feed_.on_drained();
    }
}

} // namespace handeye
