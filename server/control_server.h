// SPDX-License-Identifier: Apache-2.0
// The daemon's network face: JSON-RPC 2.0 over WebSocket on Unix sockets and, asked for, on loopback TCP.
// Tasks live here, not in a connection. The protocol: docs/protocol.md.
#pragma once

#include "agent/recorder.h"
#include "agent/secrets.h"
#include "agent/session.h" // with it the two interfaces that it borrows: ChatModel and Platform
#include "base/clock.h"
#include "base/net/client.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

/// PEM files; an empty `cert`: no TLS.
struct TlsFiles {
    std::filesystem::path cert;      ///< the server's, with its chain
    std::filesystem::path key;
    std::filesystem::path client_ca; ///< not empty: clients must show a certificate of it
};

/// How long recordings stay, and how much of the disk they may take.
struct RecordingRules {
    enum class WhenFull { Refuse, DeleteOldest };
    Duration age_max{};            ///< since the last change; 0: for ever
    std::uint64_t quota_bytes = 0; ///< of the folder; once it is used up no session or task starts; 0: none
    WhenFull when_full = WhenFull::Refuse;
};

struct ControlServerOptions {
    /// Unix sockets become 0600 in a 0700 folder and serve this user alone; TCP beyond loopback needs TLS and a token, port 0 is any free port.
    std::vector<Endpoint> listen;
    std::string token;                         ///< needed by TCP peers; Unix peers are known by their uid
    std::filesystem::path tokens_file;         ///< of named tokens (server/token_file.h), which TCP peers may show instead; empty: none
    TlsFiles tls;                              ///< on every address beyond this machine, which needs it and the token
    std::filesystem::path sessions_dir;        ///< where recordings go; made (0700) when absent
    RecordingRules recordings;                 ///< of that folder
    std::size_t message_bytes_max = 1U << 20U; ///< of one request
    std::size_t connections_max = 256;         ///< some of them kept for this user (Core::kept_places)
    std::size_t unidentified_max = 64;         ///< of those; one more pushes out the oldest
    std::size_t sessions_max = 64;             ///< open at one time
    Duration identify_timeout = std::chrono::seconds(5); ///< for the HTTP head, and again for connection.identify
    Duration idle_timeout = std::chrono::seconds(40);    ///< a silent peer is pinged after half of it
    Duration write_timeout = std::chrono::seconds(20);   ///< a peer that takes nothing for so long is closed with 4008
    std::size_t queue_bytes_max = 4U << 20U;   ///< per connection, unsent
    Duration console_ticket_life = std::chrono::seconds(60);
    Duration console_idle_timeout = std::chrono::seconds(30); ///< without a console the console's port closes after this
    Duration tick{};                           ///< > 0: `on_tick` runs this often on the I/O thread (watchdog)
    std::function<void()> on_tick;
};

/// An action that waits for a person, or waits no more. What it would type, and the picture, are not in it: this may leave the machine.
struct ApprovalNotice {
    std::string session;
    std::string approval;
    int step = 0;
    std::string verb;  ///< "click"
    std::string risk;  ///< "low", "medium", "high"
    std::string rule;  ///< the policy's rule that asks
    std::string action_digest;
    std::string state; ///< "pending", or how it ended: "approved", "denied", ...
    WallTime expires_at{};
};

/// What a task file asks people, or that it does no more.
struct QuestionNotice {
    std::string session;
    std::string question;
    std::string text_utf8; ///< without secrets
    std::string state;     ///< "pending", or how it ended: "answered", "expired", "dropped"
    WallTime expires_at{};
};

/// What only the program's main knows: how to open a platform, and the clock.
struct ControlServices {
    /// `target_json`: the target of session.create, e.g. {"display":":0","window":"Editor"}; runs on the session's thread.
    std::function<Result<std::unique_ptr<Platform>>(const std::string& platform, const std::string& target_json,
                                                    std::stop_token stop)>
        open_platform;
    Clock* clock = nullptr;     ///< borrowed
    SessionOptions session_defaults;
    std::string kill_chord = "ctrl+alt+escape"; ///< of sessions that say nothing else; empty: none
    /// Called from the sessions' threads; must not block. May be empty.
    std::function<void(const ApprovalNotice& notice)> on_approval;
    std::function<void(const QuestionNotice& notice)> on_question;
    std::shared_ptr<const SecretStore> secrets; ///< empty: none
    std::filesystem::path task_files_root; ///< whose files task files may read; empty: none
    /// Pictures that clients send; from any thread. Cancelled once `stop` is requested. Empty: they are refused.
    std::function<Result<Image>(std::span<const std::uint8_t> bytes, const std::stop_token& stop)> decode_picture;
};

/// What a running server takes up. Sockets, folder and the other services stay as they were.
struct FreshOptions {
    ControlServerOptions server; ///< its limits, time-outs, token and certificate files
    Policy policy;               ///< of sessions that open from now on, like the three below
    Duration approval_ttl = std::chrono::minutes(5);
    std::string kill_chord;
    std::shared_ptr<const SecretStore> secrets; ///< empty: none
};

class ControlServer {
public:
    /// Listens when this returns; serves on its own thread.
    static Result<std::unique_ptr<ControlServer>> start(ControlServerOptions options, ControlServices services);
    /// What start() would refuse of addresses and certificate files. Opens no socket, makes no file.
    static Result<void> check(const ControlServerOptions& options);
    /// Stops tasks (keys released, recordings sealed), closes connections with 1001, within 10 s.
    virtual ~ControlServer() = default;

    /// The model may come later than the sockets. Until one of these is called there is none and task.run says
    /// engine_missing; while it loads, tasks wait. Any thread. A model outlives the server.
    virtual void set_model_loading(const std::string& stage) = 0;
    virtual void set_model(ChatModel& model) = 0;
    virtual void set_model_failed(const Error& error) = 0;

    /// Whole or not at all: with certificate files that cannot be used nothing changes. In force for what comes after it; nobody is
    /// disconnected but who came with a token that is another one now. Any thread.
    virtual Result<void> reload(const FreshOptions& fresh) = 0;
    /// As approval.decide with "deny", for a person at this desktop. Nothing happens when it is settled already. Any thread.
    virtual void deny_approval(const std::string& session, const std::string& approval, const std::string& by) = 0;

    /// The first TCP listener's port; 0 without TCP.
    [[nodiscard]] virtual std::uint16_t tcp_port() const = 0;
    /// As control.stop_all: every task stops within one event and one token, nothing stays pressed. Any thread.
    virtual void stop_all(const std::string& reason) = 0;
};

} // namespace handeye
