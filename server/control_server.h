// SPDX-License-Identifier: Apache-2.0
// The daemon's network face: JSON-RPC 2.0 over WebSocket on a Unix socket and, asked for, on loopback TCP.
// Tasks live here, not in a connection.
#pragma once

#include "agent/recorder.h"
#include "agent/session.h"
#include "base/clock.h"
#include "base/result.h"
#include "engine/chat_model.h"
#include "platforms/platform.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace handeye {

struct ControlServerOptions {
    std::filesystem::path unix_socket;         ///< empty: none. 0600 in a 0700 folder; peers of another uid are refused
    std::optional<std::string> tcp_address;    ///< "127.0.0.1:PORT" (0: any free port); loopback only
    std::string token;                         ///< needed by TCP peers; Unix peers are known by their uid
    std::filesystem::path sessions_dir;        ///< where recordings go
    std::size_t message_bytes_max = 1U << 20U;
    int connections_max = 256;
    Duration identify_timeout = std::chrono::seconds(5);
    std::size_t queue_bytes_max = 4U << 20U;   ///< per connection, unsent
};

/// What only the program's main knows: how to open a platform and which model answers.
struct ControlServices {
    /// `target_json`: the target of session.create, e.g. {"display":":0","window":"Editor"}; runs on the session's thread.
    std::function<Result<std::unique_ptr<Platform>>(const std::string& platform, const std::string& target_json)> open_platform;
    ChatModel* model = nullptr; ///< borrowed; null: task.run answers engine_missing
    Clock* clock = nullptr;     ///< borrowed
    SessionOptions session_defaults;
};

class ControlServer {
public:
    /// Listens when this returns; serves on its own thread.
    static Result<std::unique_ptr<ControlServer>> start(ControlServerOptions options, ControlServices services);
    /// Stops tasks (keys released, recordings sealed), closes connections with 1001, within 10 s.
    virtual ~ControlServer() = default;
    /// The port that TCP got; 0 without TCP.
    [[nodiscard]] virtual std::uint16_t tcp_port() const = 0;
    /// As control.stop_all: every task stops within one event and one token, nothing stays pressed.
    virtual void stop_all(const std::string& reason) = 0;
};

} // namespace handeye
