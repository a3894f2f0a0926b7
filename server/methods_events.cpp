// SPDX-License-Identifier: Apache-2.0
// events.*: following sessions.
#include "base/suggest.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/schema.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

using nlohmann::json;

namespace {

// A misspelt type would be a subscription that says nothing.
std::optional<RpcError> check_types(const json& params, const char* field) {
    const json& events = protocol_schema().at("events");
    for (const auto& name : params.value(field, std::set<std::string>())) {
        if (events.contains(name)) {
            continue;
        }
        std::vector<std::string_view> known;
        for (const auto& [type, row] : events.items()) {
            known.push_back(type);
        }
        return RpcError{ErrorKind::InvalidParams, fmt::format("{}: there is no event \"{}\"; {}", field, name.substr(0, 60), suggestion(name, "events", known)), field};
    }
    return std::nullopt;
}

} // namespace

void events_subscribe(const Call& call) {
    const json& params = call.params;
    for (const char* const field : {"types", "coalesce"}) {
        if (const auto wrong = check_types(params, field); wrong) {
            call.reply.fail(*wrong);
            return;
        }
    }
    SubscribeRequest request;
    request.sessions = params.value("sessions", std::vector<std::string>());
    request.types = params.value("types", std::set<std::string>());
    request.wants_progress = params.value("progress", false);
    if (const auto from = params.find("from_seq"); from != params.end()) {
        request.from_seq = from->get<std::uint64_t>();
    }
    if (const auto lag = params.find("max_lag"); lag != params.end()) {
        request.max_lag = lag->get<std::uint64_t>();
    }
    request.coalesce = params.value("coalesce", std::set<std::string>());
    if (const auto rate = params.find("max_rate"); rate != params.end()) {
        request.event_gap = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / rate->get<double>()));
    }
    if (const auto window = params.find("window"); window != params.end()) {
        request.window = window->get<std::uint64_t>();
    }
    const auto made = call.peer.feed().subscribe(std::move(request));
    if (const auto* const error = std::get_if<RpcError>(&made); error != nullptr) {
        call.reply.fail(*error);
        return;
    }
    call.reply.ok({{"subscription", std::get<std::string>(made)}});
}

void events_ack(const Call& call) {
    const auto id = call.params.at("subscription").get<std::string>();
    if (!call.peer.feed().acknowledge(id, call.params.at("session").get<std::string>(), call.params.at("seq").get<std::uint64_t>())) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSubscription, fmt::format("there is no subscription \"{}\" here that follows it", id), "subscription"});
        return;
    }
    call.reply.ok(json::object());
}

void events_unsubscribe(const Call& call) {
    const auto id = call.params.at("subscription").get<std::string>();
    if (!call.peer.feed().unsubscribe(id)) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSubscription, fmt::format("there is no subscription \"{}\" here", id), "subscription"});
        return;
    }
    call.reply.ok(json::object());
}

} // namespace handeye
