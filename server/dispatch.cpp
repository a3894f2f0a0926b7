// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch.h"

#include "base/hash.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/schema.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr const char* kDeadline = "deadline_ms";
constexpr int kDeadlineMaxMs = 3'600'000;

// In short stretches, so that nothing is kept for long of a call that was answered at once.
void watch_deadline(Core& core, TimePoint deadline, const Reply& reply) {
    constexpr Duration kStretch = std::chrono::seconds(1);
    const TimePoint now = std::chrono::steady_clock::now();
    core.loop.after(std::min(kStretch, std::max(Duration::zero(), deadline - now)), [&core, deadline, reply] {
        if (reply.is_answered()) {
            return;
        }
        if (std::chrono::steady_clock::now() < deadline) {
            watch_deadline(core, deadline, reply);
        } else {
            reply.expire();
        }
    });
}

// Any call may say how long its answer is of use.
std::optional<RpcError> set_deadline(Core& core, const json& params, const Reply& reply) {
    const auto given = params.find(kDeadline);
    if (given == params.end()) {
        return std::nullopt;
    }
    if (!given->is_number_integer() || *given < 1 || *given > kDeadlineMaxMs) {
        return RpcError{ErrorKind::InvalidParams, fmt::format("{} is a whole number from 1 to {}", kDeadline, kDeadlineMaxMs), kDeadline};
    }
    watch_deadline(core, std::chrono::steady_clock::now() + std::chrono::milliseconds(given->get<int>()), reply);
    return std::nullopt;
}

// Keys are sorted: one text for one meaning.
std::string body_digest(std::string_view method, json params) {
    params.erase("request_key");
    params.erase(kDeadline);
    return to_hex(sha256(fmt::format("{}\n{}", method, dump_json(params))));
}

bool takes_request_key(std::string_view method) {
    const json& params = protocol_schema().at("methods").at(std::string(method)).at("params");
    return params.contains("properties") && params.at("properties").contains("request_key");
}

// What may be tried again under the same key: nothing has been done.
bool is_forgotten(const Outcome& outcome) {
    return outcome.error && !outcome.has_acted && outcome.error->kind != ErrorKind::Cancelled && outcome.error->kind != ErrorKind::DeadlineExceeded &&
           outcome.error->kind != ErrorKind::Internal;
}

// With a request key the handler runs only once the key is on the disk, and its answer is kept there.
void run_once(Core& core, const std::shared_ptr<Peer>& peer, const MethodRow& method, const std::shared_ptr<const json>& params,
              const Reply& reply) {
    const auto shown = params->at("request_key").get<std::string>();
    const std::string key = peer->own_key(shown);
    const std::string body = body_digest(method.name, *params);
    core.ledger.begin(key, body, [&core, peer, &method, params, reply, key, shown](RequestLedger::Entry entry) {
        switch (entry.state) {
        case RequestLedger::State::Reused:
            reply.fail(RpcError{ErrorKind::RequestKeyReused, fmt::format("request_key \"{}\" was used with another body", shown), "request_key"});
            return;
        case RequestLedger::State::Unknown:
            reply.fail(RpcError{ErrorKind::OutcomeUnknown,
                                fmt::format("the server ended while the call with request_key \"{}\" ran; it is not repeated", shown), "request_key"});
            return;
        case RequestLedger::State::Failed: reply.fail(entry.error); return;
        case RequestLedger::State::Done: reply.give(std::move(entry.outcome)); return;
        case RequestLedger::State::New: break;
        }
        if (reply.is_answered()) { // cancelled while the key was written
            core.ledger.forget(key);
            return;
        }
        const Reply recorded(core.loop, [&core, key, reply](Outcome outcome) {
            if (is_forgotten(outcome)) {
                core.ledger.forget(key);
                reply.give(std::move(outcome));
            } else {
                core.ledger.finish(key, outcome, [reply, outcome] { reply.give(outcome); });
            }
        });
        reply.pass_cancelling_to(recorded);
        method.handler({core, *peer, *params, recorded});
    });
}

} // namespace

void dispatch(Core& core, const std::shared_ptr<Peer>& peer, const std::string& name, const std::shared_ptr<const json>& params,
              const Reply& reply) {
    const MethodRow* const method = find_method(name);
    if (method == nullptr) {
        reply.fail(RpcError{ErrorKind::UnknownMethod, fmt::format("there is no method \"{}\"", name), ""});
        return;
    }
    if (!peer->scopes().has(method->scope)) {
        reply.fail(RpcError{ErrorKind::ScopeDenied, fmt::format("{} needs the scope {}", method->name, scope_name(method->scope)), ""});
        return;
    }
    if (const auto fault = check_params(method->name, *params); fault) {
        reply.fail(*fault);
        return;
    }
    if (const auto fault = set_deadline(core, *params, reply); fault) {
        reply.fail(*fault);
        return;
    }
    ++core.counters.calls;
    if (params->contains("request_key") && takes_request_key(method->name)) {
        run_once(core, peer, *method, params, reply);
    } else {
        method->handler({core, *peer, *params, reply});
    }
}

} // namespace handeye
