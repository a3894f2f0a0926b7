// SPDX-License-Identifier: Apache-2.0
#include "server/core.h"

#include "server/peer.h"

#include <vector>

namespace handeye {

bool FailureLimiter::is_blocked(const std::string& address, TimePoint now) {
    Window& window = windows_[address];
    if (now - window.start >= std::chrono::seconds(1)) {
        window = {now, 0};
    }
    return window.failures >= kFailuresPerSecondMax;
}

void FailureLimiter::count_failure(const std::string& address, TimePoint) { ++windows_[address].failures; }

Core::Core(ControlServerOptions options_in, ControlServices services_in)
    : options(std::move(options_in)), services(std::move(services_in)), reader(loop), stopper(1024),
      hub(options, services, gate,
          {.on_event = [this](const std::string& session) { session_grew(session); },
           .on_progress = [this](const std::string& session, std::size_t n,
                                 const std::string& tail) { session_progressed(session, n, tail); },
           .on_ended = [this](const std::string& session) { loop.post([this, session] { hub.reap(session); }); }}) {}

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

std::size_t Core::stop_all(const std::string& reason) {
    const std::size_t stopped = hub.request_stop_all();
    hub.release_all(reason);
    return stopped;
}

} // namespace handeye
