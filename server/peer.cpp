// SPDX-License-Identifier: Apache-2.0
#include "server/peer.h"

#include "base/hash.h"
#include "base/json.h"
#include "server/core.h"
#include "server/dispatch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::string_view kIdentify = "connection.identify";
constexpr std::string_view kPictureMethod = "engine.infer";

std::string hello_text(const Core& core, const Peer::Origin& origin) {
    const json params{{"server", "handeyed"},
                      {"version", HANDEYE_VERSION},
                      {"protocol", kProtocol},
                      {"features", {"events.resume", "events.progress", "request_key", "cancel", "screen.stream"}},
                      {"auth", {{"methods", {origin.is_local_user ? "peer_uid" : origin.is_console ? "ticket" : "bearer"}}}},
                      {"instance_id", core.instance_id}};
    return notification_text("hello", dump_json(params));
}

} // namespace

Peer::Peer(Core& core, Origin origin, Link link)
    : core_(core), origin_(std::move(origin)), link_(std::move(link)), queue_({.bytes_max = core.options.queue_bytes_max}),
      feed_(core, *this), streams_(core, *this) {
    core_.peers.insert(this);
}

Peer::~Peer() {
    core_.peers.erase(this);
    for (const auto& [id, reply] : under_way_) {
        reply.hang_up();
    }
}

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
    const bool is_large = text.size() > core_.options.message_bytes_max;
    auto parsed = parse_request(text, is_large ? kPictureMessageBytesMax : core_.options.message_bytes_max);
    const RpcRequest* const request = std::get_if<RpcRequest>(&parsed);
    if (is_large && (request == nullptr || request->method != kPictureMethod)) {
        close(CloseCode::TooBig, "only engine.infer takes messages of this size");
        return;
    }
    if (!is_identified_ && (request == nullptr || request->method != kIdentify)) {
        close(CloseCode::NotIdentified, "connection.identify comes first");
        return;
    }
    if (request == nullptr) {
        const auto& refusal = std::get<RpcRefusal>(parsed);
        send(error_text(refusal.id_json, refusal.error));
        return;
    }
    const std::string id = request->id_json;
    const Reply reply(core_.loop, [weak = weak_from_this(), id](Outcome outcome) {
        const auto self = weak.lock();
        if (!self || id.empty()) { // gone, or a notification: nobody to tell
            return;
        }
        self->under_way_.erase(id);
        self->send(outcome.error ? error_text(id, *outcome.error) : result_text(id, outcome.result_json));
    });
    if (!id.empty() && !under_way_.emplace(id, reply).second) {
        send(error_text(id, {ErrorKind::InvalidRequest, "a request with this id is under way", ""}));
        return;
    }
    dispatch(core_, shared_from_this(), request->method, request->params, reply);
}

bool Peer::cancel(const std::string& id_json) {
    const auto found = under_way_.find(id_json);
    if (found == under_way_.end()) {
        return false;
    }
    const Reply reply = found->second; // its answer takes it out of the map
    reply.cancel();
    return true;
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

void Peer::send_frame(std::string_view key, std::string bytes) {
    if (!is_closing_) {
        queue_.push_latest(key, OutMessage{std::move(bytes), true});
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
    streams_.on_sent();
    if (has_room()) {
        feed_.on_drained();
    }
}

// A token's name holds no line break, and only this user's keys begin with none: no two of these ever meet.
std::string Peer::own_key(const std::string& request_key) const {
    const bool is_plain = token_name_.empty() && request_key.find('\n') == std::string::npos;
    return request_key.empty() || is_plain ? request_key : token_name_ + "\n" + request_key;
}

} // namespace handeye
