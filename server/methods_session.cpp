// SPDX-License-Identifier: Apache-2.0
// session.*: opening and closing what tasks run on.
#include "agent/policy_gate.h"
#include "base/command_line.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json session_json(const SessionStatus& status) {
    json out{{"session", status.session},   {"state", session_state_name(status.state)}, {"platform", status.platform},
             {"width_px", status.size.width_px}, {"height_px", status.size.height_px},    {"last_seq", status.last_seq},
             {"recording", status.recording}, {"name", status.name}, {"notes", status.notes}};
    if (!status.task.empty()) {
        out["task"] = status.task;
    }
    return out;
}

Result<SessionSettings> settings_from(const json& params, const SessionOptions& defaults, const SecretStore* store, const std::string& kill_chord) {
    SessionSettings settings;
    settings.approval_ttl = defaults.approval_ttl;
    if (const auto policy = params.find("policy"); policy != params.end()) {
        settings.policy = TRY(policy_from_json(dump_json(*policy)));
        settings.policy.origin = "session.create";
    }
    const json control = params.value("control", json::object());
    settings.control.pauses_on_input = control.value("pause_on_input", settings.control.pauses_on_input);
    if (const auto idle = control.find("input_idle_ms"); idle != control.end()) {
        settings.control.input_idle = std::chrono::milliseconds(idle->get<std::int64_t>());
    }
    if (const auto ttl = control.find("approval_ttl_ms"); ttl != control.end()) {
        settings.approval_ttl = std::chrono::milliseconds(ttl->get<std::int64_t>());
    }
    settings.secrets = params.value("secrets", std::vector<std::string>());
    for (const std::string& name : settings.secrets) {
        if (store == nullptr || store->find(name) == nullptr) {
            return Error{ErrorCode::NotFound, fmt::format("there is no secret \"{}\"", name)};
        }
    }
    // A display of our own has no keyboard of a person's: there the hot key is for those who ask for it.
    const bool is_headless = params.value("target", json::object()).contains("headless");
    settings.kill_chord = control.value("kill_chord", is_headless ? std::string() : kill_chord);
    return settings;
}

/// What the daemon's policy says of an action that a session would begin with. There is no task yet in which a person could be asked.
std::optional<RpcError> check_first(const PolicyGate& gate, const Action& action, const std::string& shown, std::string_view verb, Clock& clock) {
    const GateDecision decision = gate.explain(facts_of(action, {}, {}, clock.wall_now()));
    if (decision.gate == Gate::Allow) {
        return std::nullopt;
    }
    return RpcError{ErrorKind::PolicyDenied,
                    fmt::format("the daemon's policy does not let \"{}\" be {}: {}{}", shown, verb, decision.reason,
                                decision.gate == Gate::Ask ? "; nobody can be asked before the session is open" : ""),
                    "target"};
}

/// Whether the daemon's policy lets this target be opened, as it would when an agent did the same. Programs: each command line whole, and
/// each of its words, the program and what that may start in its turn. What is of another type is refused where the target is read.
std::optional<RpcError> check_target(const json& target, const Policy& policy, Clock& clock) {
    const auto gate = PolicyGate::create(policy);
    if (!gate) {
        return to_rpc_error(gate.error());
    }
    const json lines = target.value("launch", json());
    for (const json& line : lines.is_array() ? lines : json::array()) {
        if (!line.is_string()) {
            continue;
        }
        const auto text = line.get<std::string>();
        auto names = split_command(text);
        if (!names) {
            return RpcError{ErrorKind::InvalidParams, names.error().message, "target"};
        }
        names->push_back(text);
        for (const std::string& name : *names) {
            if (auto refused = check_first(*gate, OpenApp{name}, text, "launched", clock); refused) {
                return refused;
            }
        }
    }
    if (const json browser = target.value("browser", json()); browser.is_string() && !browser.get_ref<const std::string&>().empty()) {
        if (auto refused = check_first(*gate, OpenApp{browser.get<std::string>()}, browser.get<std::string>(), "launched", clock); refused) {
            return refused;
        }
    }
    if (const json url = target.value("url", json()); url.is_string() && !url.get_ref<const std::string&>().empty()) {
        return check_first(*gate, OpenUrl{url.get<std::string>()}, url.get<std::string>(), "opened", clock);
    }
    return std::nullopt;
}

} // namespace

void session_create(const Call& call) {
    const json target = call.params.value("target", json::object());
    const auto settings = settings_from(call.params, call.core.services.session_defaults, call.core.services.secrets.get(), call.core.services.kill_chord);
    if (!settings) {
        const bool is_secret = settings.error().code == ErrorCode::NotFound;
        call.reply.fail(RpcError{ErrorKind::InvalidParams, settings.error().message, is_secret ? "secrets" : "policy"});
        return;
    }
    if (const auto refused = check_target(target, call.core.services.session_defaults.policy, *call.core.services.clock); refused) {
        call.reply.fail(*refused);
        return;
    }
    call.core.hub.create(call.params.at("platform").get<std::string>(), dump_json(target), call.peer.own_key(call.params.value("request_key", "")),
                         [reply = call.reply](const RpcResult<SessionStatus>& opened) {
                             if (const auto* const error = std::get_if<RpcError>(&opened); error != nullptr) {
                                 reply.fail(*error);
                                 return;
                             }
                             reply.ok(session_json(std::get<SessionStatus>(opened)));
                         },
                         *settings);
}

void session_list(const Call& call) {
    json sessions = json::array();
    for (const SessionStatus& status : call.core.hub.list()) {
        sessions.push_back(session_json(status));
    }
    call.reply.ok({{"sessions", std::move(sessions)}});
}

void session_get(const Call& call) {
    if (const auto session = find_session_or_fail(call); session) {
        call.reply.ok(session_json(session->status()));
    }
}

// Answers at once; session.closed in the log says when it has happened. Closing twice is no error.
void session_close(const Call& call) {
    if (const auto session = find_session_or_fail(call); session) {
        session->request_close();
        call.reply.ok({{"session", session->id()}});
    }
}

void session_update(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    const SessionStatus before = session->status();
    const std::string name = call.params.value("name", before.name);
    const std::string notes = call.params.value("notes", before.notes);
    session->set_label(name, notes);
    session->note("session.updated", dump_json(json{{"name", name}, {"notes", notes}}));
    call.reply.ok(session_json(session->status()));
}

void session_doctor(const Call& call) {
    const auto session = find_session_or_fail(call);
    if (!session) {
        return;
    }
    const auto examine = [session, model = call.core.gate.status(), reply = call.reply] {
        json checks = json::array();
        bool is_well = true;
        const auto add = [&](const char* name, bool pass, const std::string& detail) {
            checks.push_back({{"name", name}, {"pass", pass}, {"detail", detail}});
            is_well = is_well && pass;
        };
        const auto platform = session->shared_platform();
        add("open", platform != nullptr, std::string(session_state_name(session->status().state)));
        if (platform) {
            const auto shot = platform->peek();
            add("screen", shot.has_value(), shot ? fmt::format("{}x{}", shot->image.size().width_px, shot->image.size().height_px) : shot.error().message);
            const auto windows = platform->windows();
            add("windows", windows.has_value(), windows ? fmt::format("{}", windows->size()) : windows.error().message);
            const auto pointer = platform->pointer();
            add("pointer", pointer.has_value(), pointer ? "" : pointer.error().message);
        }
        add("log", session->log() != nullptr, session->status().recording);
        add("model", model.state == ModelState::Ready, fmt::format("{} {}", model_state_name(model.state), model.detail));
        reply.ok({{"pass", is_well}, {"checks", std::move(checks)}});
    };
    if (!call.core.eyes_of(session->id()).submit(examine)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many questions wait for this session", ""});
    }
}

} // namespace handeye
