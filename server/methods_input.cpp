// SPDX-License-Identifier: Apache-2.0
// input.*: mouse and keyboard by hand, on the agent's own way and in the session's own log.
#include "agent/manual_action.h"
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr Duration kQuiet = std::chrono::milliseconds(40);
constexpr Duration kSettleMax = std::chrono::milliseconds(400); // a hand does not wait for a spinner

/// What a job on the session's hands needs; holds everything alive that it uses.
struct Job {
    std::shared_ptr<LiveSession> session;
    std::shared_ptr<Platform> platform;
    std::shared_ptr<SessionLog> log;
    std::vector<ManualAction> actions;
    std::string lease;
    std::stop_token stop; ///< of the kill switch and of closing
    bool may_approve = false;
    bool is_list = false; ///< the answer is one
    Clock* clock = nullptr;
    Reply reply;
};

Error to_error(const RpcError& error) { return {error_kind_row(error.kind).error_code, error.message}; }

// The first result that fell short ends a list: what follows was meant for another screen.
bool is_short(const ManualResult& done) { return done.result.certainty == Certainty::Refused || done.result.certainty == Certainty::Partial; }

// `has_acted`: an event was sent, or was about to be.
Result<json> perform_all(const Job& job, const std::stop_token& stop, bool& has_acted) {
    const std::shared_ptr<PolicyGate> gate = TRY(job.session->hands_gate());
    const ManualContext with{.platform = *job.platform,
                             .clock = *job.clock,
                             .sink = *job.log,
                             .gate = *gate,
                             .settle = {.quiet = kQuiet, .deadline = kSettleMax},
                             .may_go_on = [&job, &has_acted]() -> Result<void> {
                                 if (const auto refused = job.session->may_input(job.lease); refused) {
                                     return to_error(*refused);
                                 }
                                 has_acted = true;
                                 return {};
                             },
                             .may_approve = job.may_approve};
    json results = json::array();
    for (const ManualAction& action : job.actions) {
        const ManualResult done = TRY(perform_manually(action, with, stop));
        results.push_back(json::parse(to_json_text(done)));
        if (is_short(done)) {
            break;
        }
    }
    return results;
}

void run(const Job& job) {
    std::stop_source either;
    const std::stop_callback on_kill(job.stop, [&either] { either.request_stop(); });
    const std::stop_callback on_cancel(job.reply.stop(), [&either] { either.request_stop(); });
    if (job.reply.stop().stop_requested()) {
        job.reply.fail(RpcError{ErrorKind::Cancelled, "cancelled before the first event", ""});
        return;
    }
    bool has_acted = false;
    const Result<json> results = perform_all(job, either.get_token(), has_acted);
    if (job.reply.stop().stop_requested()) {
        job.reply.fail(RpcError{ErrorKind::Cancelled, "cancelled; the log says what was sent", ""});
    } else if (!results) {
        job.reply.give({"", to_rpc_error(results.error()), has_acted});
    } else if (job.is_list) {
        job.reply.ok({{"results", *results}, {"performed", results->size()}});
    } else {
        job.reply.ok(results->front());
    }
}

std::shared_ptr<LiveSession> find_open(const Call& call) {
    const auto id = call.params.at("session").get<std::string>();
    auto session = call.core.hub.find(id);
    if (!session) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no open session \"{}\"", id), "session"});
    } else if (!session->shared_platform() || !session->log()) {
        call.reply.fail(RpcError{ErrorKind::SessionClosed, fmt::format("session {} is not open", id), "session"});
        return nullptr;
    }
    return session;
}

void submit(const Call& call, std::vector<std::string> texts, Secrecy secrecy, bool is_list) {
    const auto session = find_open(call);
    if (!session) {
        return;
    }
    const auto lease = call.params.value("lease", "");
    if (call.core.hub.is_stop_latched()) {
        call.reply.fail(RpcError{ErrorKind::StopLatched, "everything was stopped; control.reset_stop (`handeye reset-stop`) comes first", ""});
        return;
    }
    if (const auto refused = session->may_input(lease); refused) {
        call.reply.fail(*refused);
        return;
    }
    const auto job = std::make_shared<Job>(Job{.session = session,
                                               .platform = session->shared_platform(),
                                               .log = session->log(),
                                               .actions = {},
                                               .lease = lease,
                                               .stop = session->input_stop(),
                                               .may_approve = call.peer.scopes().has(Scope::Approve),
                                               .is_list = is_list,
                                               .clock = call.core.services.clock,
                                               .reply = call.reply});
    for (std::string& text : texts) {
        job->actions.push_back({std::move(text), call.peer.client(), secrecy});
    }
    call.core.counters.actions += job->actions.size();
    call.reply.set_cancelling(OnCancel::HandlerAnswers, OnHangUp::GoesOn);
    if (!call.core.hands_of(session->id()).submit([job] { run(*job); })) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many inputs wait for this session", ""});
    }
}

// An object is canonical JSON, or a dialect's; a string is any dialect.
std::string action_text(const json& action) { return action.is_string() ? action.get<std::string>() : dump_json(action); }

} // namespace

void input_act(const Call& call) { submit(call, {action_text(call.params.at("action"))}, Secrecy::Plain, false); }

void input_act_many(const Call& call) {
    std::vector<std::string> texts;
    for (const json& action : call.params.at("actions")) {
        texts.push_back(action_text(action));
    }
    submit(call, std::move(texts), Secrecy::Plain, true);
}

void input_type(const Call& call) {
    const json action{{"verb", "type"}, {"text", call.params.at("text")}};
    submit(call, {dump_json(action)}, call.params.value("secret", false) ? Secrecy::Secret : Secrecy::Plain, false);
}

void input_key(const Call& call) {
    submit(call, {dump_json(json{{"verb", "key"}, {"keys", call.params.at("keys")}})}, Secrecy::Plain, false);
}

// Needs no lease: letting go is always allowed.
void input_release_all(const Call& call) {
    if (const auto session = find_open(call); session) {
        const auto release = [session, reply = call.reply, by = call.peer.client()] {
            const auto released = session->release_all();
            session->note("input.released", dump_json(json{{"by", by}}));
            if (released) {
                reply.ok(json::object());
            } else {
                reply.fail(released.error());
            }
        };
        if (!call.core.stopper.submit(release)) {
            release(); // late is better than never
        }
    }
}

} // namespace handeye
