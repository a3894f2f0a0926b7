// SPDX-License-Identifier: Apache-2.0
// What the parts of the server share. Owned by the ControlServer; the I/O thread's unless said otherwise.
#pragma once

#include "server/control_server.h"
#include "server/event_reader.h"
#include "server/loop.h"
#include "server/model_gate.h"
#include "server/session_hub.h"
#include "server/worker.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace handeye {

class ConsoleDoor;
class Peer;

inline constexpr int kProtocol = 1;

/// Counts wrong tokens per address and second. Unix peers have no tokens, so addresses are few.
class FailureLimiter {
public:
    static constexpr int kFailuresPerSecondMax = 10;
    [[nodiscard]] bool is_blocked(const std::string& address, TimePoint now);
    void count_failure(const std::string& address, TimePoint now);

private:
    struct Window {
        TimePoint start{};
        int failures = 0;
    };
    std::map<std::string, Window> windows_;
};

struct Core {
    Core(ControlServerOptions options_in, ControlServices services_in);

    const ControlServerOptions options;
    const ControlServices services;
    std::string instance_id; ///< of this run of the program
    ModelGate gate;          ///< any thread
    FailureLimiter failures;
    std::set<Peer*> peers;   ///< those that are open; each takes itself out, so this outlives the loop
    std::set<std::string> dirty_sessions; ///< guarded by dirty_mutex: sessions whose growth is not yet told to peers
    std::mutex dirty_mutex;
    Loop loop;
    EventReader reader;
    Worker stopper;          ///< lets go of keys while the I/O thread goes on
    SessionHub hub;          ///< any thread
    ConsoleDoor* console = nullptr; ///< the I/O thread's; set before it runs, ends after it

    void session_grew(const std::string& session);
    void session_progressed(const std::string& session, std::size_t characters, const std::string& tail);
    /// Everything of control.stop_all, on the caller's thread.
    std::size_t stop_all(const std::string& reason);
};

} // namespace handeye
