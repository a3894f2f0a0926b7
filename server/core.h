// SPDX-License-Identifier: Apache-2.0
// What the parts of the server share. Owned by the ControlServer; the I/O thread's unless said otherwise.
#pragma once

#include "server/control_server.h"
#include "server/event_reader.h"
#include "server/librarian.h"
#include "server/loop.h"
#include "server/model_gate.h"
#include "server/recording_keeper.h"
#include "server/request_ledger.h"
#include "server/rpc.h"
#include "server/session_hub.h"
#include "server/token_book.h"
#include "server/worker.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
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

/// For metrics. Any thread.
struct Counters {
    std::atomic<std::uint64_t> calls = 0;
    std::atomic<std::uint64_t> wrong_tokens = 0;
    std::atomic<std::uint64_t> frames_sent = 0;
    std::atomic<std::uint64_t> actions = 0; ///< of input.*
};

struct Core {
    Core(ControlServerOptions options_in, ControlServices services_in);

    ControlServerOptions options; ///< constant but for what take() names
    ControlServices services; ///< constant but for what take() names
    std::string instance_id; ///< of this run of the program
    ModelGate gate;          ///< any thread
    Counters counters;
    FailureLimiter failures;
    TokenBook tokens;
    std::set<Peer*> peers;   ///< those that are open; each takes itself out, so this outlives the loop
    std::set<std::string> dirty_sessions; ///< guarded by dirty_mutex: sessions whose growth is not yet told to peers
    std::mutex dirty_mutex;
    std::stop_source ending; ///< requested when the server ends: what the workers do is short from then on
    Loop loop;
    EventReader reader;
    RequestLedger ledger;
    std::map<std::string, std::unique_ptr<Worker>> hands; ///< by session: what input.* does, one at a time
    std::map<std::string, std::unique_ptr<Worker>> eyes;  ///< by session: what streams see
    Worker inference;        ///< engine.infer
    Librarian librarian;     ///< recording.*
    Librarian exporter;      ///< recording.export, which may take long: nobody's reads wait for it
    RecordingKeeper recordings; ///< any thread
    Worker stopper;          ///< lets go of keys while the I/O thread goes on
    SessionHub hub;          ///< any thread
    Worker file_reader;      ///< task.run_file: reads and checks what is handed over, and starts it; ends before the hub
    ConsoleDoor* console = nullptr; ///< the I/O thread's; set before it runs, ends after it

    /// Made when first asked for; ends with the session.
    Worker& hands_of(const std::string& session);
    Worker& eyes_of(const std::string& session);
    void forget(const std::string& session);
    /// The I/O thread only, which alone reads these.
    void take(const FreshOptions& fresh);
    /// Places that only the Unix socket can take; as many again are out of reach of named tokens.
    [[nodiscard]] std::size_t kept_places() const { return std::min<std::size_t>(16, options.connections_max / 4); }
    /// Why this token gets no further connection; nullopt: it may have one.
    [[nodiscard]] std::optional<RpcError> refuse_another(const TokenBook::Grant& grant) const;
    /// Closes who came with a token that has expired or been revoked since.
    void expel_strangers();
    void tell_of(const ApprovalRecord& record) const;
    void tell_of(const QuestionRecord& record) const;
    void session_grew(const std::string& session);
    void session_progressed(const std::string& session, std::size_t characters, const std::string& tail);
    /// control.stop_all for threads that must not wait.
    void stop_at_once(const std::string& reason);
    /// Everything of control.stop_all, on the caller's thread.
    std::size_t stop_all(const std::string& reason);
};

} // namespace handeye
