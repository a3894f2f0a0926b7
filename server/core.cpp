// SPDX-License-Identifier: Apache-2.0
#include "server/core.h"

#include "base/json.h"
#include "server/peer.h"

#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::size_t kInferencesMax = 64;  // that wait
constexpr std::size_t kTaskFilesMax = 32;   // that wait to be read
constexpr std::size_t kInputsMax = 64;      // that wait, of one session
constexpr std::size_t kPicturesMax = 64;

Worker& worker_of(std::map<std::string, std::unique_ptr<Worker>>& workers, const std::string& session, std::size_t jobs_max) {
    std::unique_ptr<Worker>& worker = workers[session];
    if (!worker) {
        worker = std::make_unique<Worker>(jobs_max);
    }
    return *worker;
}

} // namespace

bool FailureLimiter::is_blocked(const std::string& address, TimePoint now) {
    Window& window = windows_[address];
    if (now - window.start >= std::chrono::seconds(1)) {
        window = {now, 0};
    }
    return window.failures >= kFailuresPerSecondMax;
}

void FailureLimiter::count_failure(const std::string& address, TimePoint) { ++windows_[address].failures; }

Core::Core(ControlServerOptions options_in, ControlServices services_in)
    : options(std::move(options_in)), services(std::move(services_in)),
      tokens(options.token, options.tokens_file, *services.clock), reader(loop),
      ledger(loop, *services.clock), inference(kInferencesMax),
      recordings(options.sessions_dir, options.recordings, *services.clock, ending.get_token()), stopper(1024),
      hub(options, services, gate,
          {.on_event = [this](const std::string& session) { session_grew(session); },
           .on_progress = [this](const std::string& session, std::size_t n,
                                 const std::string& tail) { session_progressed(session, n, tail); },
           .on_ended = [this](const std::string& session) { loop.post([this, session] { forget(session); }); },
           .on_approval = [this](const ApprovalRecord& record) { tell_of(record); },
           .on_question = [this](const QuestionRecord& record) { tell_of(record); },
           .on_kill_switch = [this] { stop_at_once("hot key"); },
           .make_room = [this] { return recordings.make_room(); }}),
      file_reader(kTaskFilesMax) {}

// On a session's thread. The action itself may hold what a person typed: only its verb goes out.
void Core::tell_of(const ApprovalRecord& record) const {
    if (!services.on_approval) {
        return;
    }
    const auto action = parse_json(record.request.action_json);
    const auto verb = action ? action->value(nlohmann::json::json_pointer("/action/verb"), "") : "";
    services.on_approval({.session = record.session,
                          .approval = record.request.approval,
                          .step = record.request.step,
                          .verb = verb,
                          .risk = record.request.risk,
                          .rule = record.request.rule,
                          .action_digest = record.request.action_digest,
                          .state = std::string(approval_state_name(record.state)),
                          .expires_at = record.request.expires_at});
}

void Core::tell_of(const QuestionRecord& record) const {
    if (services.on_question) {
        services.on_question({.session = record.session,
                              .question = record.question,
                              .text_utf8 = record.text_utf8,
                              .state = std::string(question_state_name(record.state)),
                              .expires_at = record.expires_at});
    }
}

Worker& Core::hands_of(const std::string& session) { return worker_of(hands, session, kInputsMax); }

Worker& Core::eyes_of(const std::string& session) { return worker_of(eyes, session, kPicturesMax); }

// The session's thread has ended and its stop was requested: what its workers do is short now.
void Core::forget(const std::string& session) {
    hub.reap(session);
    hands.erase(session);
    eyes.erase(session);
    recordings.sweep_soon();
    const std::set<Peer*> now = peers; // a message may close a peer
    for (Peer* const peer : now) {
        if (peers.contains(peer)) {
            peer->streams().on_session_ended(session);
        }
    }
}

void Core::take(const FreshOptions& fresh) {
    options.message_bytes_max = fresh.server.message_bytes_max;
    options.connections_max = fresh.server.connections_max;
    options.unidentified_max = fresh.server.unidentified_max;
    options.sessions_max = fresh.server.sessions_max;
    options.identify_timeout = fresh.server.identify_timeout;
    options.idle_timeout = fresh.server.idle_timeout;
    options.write_timeout = fresh.server.write_timeout;
    options.queue_bytes_max = fresh.server.queue_bytes_max;
    recordings.set_rules(fresh.server.recordings);
    services.session_defaults.policy = fresh.policy;
    services.session_defaults.approval_ttl = fresh.approval_ttl;
    services.kill_chord = fresh.kill_chord;
    services.secrets = fresh.secrets;
    tokens.set_main_token(fresh.server.token);
    expel_strangers();
}

// One token that is everywhere at once leaves room for the others, and all of them for this user's own.
std::optional<RpcError> Core::refuse_another(const TokenBook::Grant& grant) const {
    if (grant.name.empty()) {
        return std::nullopt;
    }
    const std::size_t own_max = std::max<std::size_t>(1, options.connections_max / 4);
    const std::size_t named_max = options.connections_max - 2 * kept_places();
    std::size_t own = 0;
    std::size_t named = 0;
    for (const Peer* const peer : peers) {
        own += peer->token_sha256() == grant.sha256 ? 1 : 0;
        named += peer->token_name().empty() ? 0 : 1;
    }
    if (own >= own_max) {
        return RpcError{ErrorKind::Overloaded, fmt::format("the token {} has {} connections, the limit is {}", grant.name, own, own_max), ""};
    }
    if (named >= named_max) {
        return RpcError{ErrorKind::Overloaded, fmt::format("named tokens have {} connections, the limit is {}", named, named_max), ""};
    }
    return std::nullopt;
}

void Core::expel_strangers() {
    tokens.refresh();
    const std::set<Peer*> now = peers; // a close may take a peer out
    for (Peer* const peer : now) {
        if (!peers.contains(peer) || peer->token_sha256().empty()) {
            continue;
        }
        switch (tokens.standing(peer->token_sha256())) {
        case TokenBook::Standing::Valid: break;
        case TokenBook::Standing::Expired: peer->close(CloseCode::NotIdentified, "the token has expired"); break;
        case TokenBook::Standing::Unknown: peer->close(CloseCode::NotIdentified, "the token was revoked"); break;
        }
    }
}

// A burst of events becomes one visit to the peers: they read as far as the log goes.
void Core::session_grew(const std::string& session) {
    {
        const std::lock_guard lock(dirty_mutex);
        if (!dirty_sessions.insert(session).second) {
            return;
        }
    }
    loop.post([this, session] {
        {
            const std::lock_guard lock(dirty_mutex);
            dirty_sessions.erase(session);
        }
        const std::set<Peer*> now = peers; // a visit may close a peer
        for (Peer* const peer : now) {
            if (peers.contains(peer)) {
                peer->feed().on_event(session);
            }
        }
    });
}

void Core::session_progressed(const std::string& session, std::size_t characters, const std::string& tail) {
    loop.post([this, session, characters, tail] {
        const std::set<Peer*> now = peers;
        for (Peer* const peer : now) {
            if (peers.contains(peer)) {
                peer->feed().on_progress(session, characters, tail);
            }
        }
    });
}

// From a platform's own thread: stop tokens here and now, the keys on another thread.
void Core::stop_at_once(const std::string& reason) {
    hub.request_stop_all();
    (void)stopper.submit([this, reason] { hub.release_all(reason); });
}

std::size_t Core::stop_all(const std::string& reason) {
    const std::size_t stopped = hub.request_stop_all();
    hub.release_all(reason);
    return stopped;
}

} // namespace handeye
