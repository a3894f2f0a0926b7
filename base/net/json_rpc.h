// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 over a WebSocket, from the caller's side: calls with deadlines, and the notifications that come between.
#pragma once

#include "base/net/client.h"

#include <deque>
#include <optional>
#include <string>

namespace handeye {

/// The server's "no" to one call. `kind` is the stable name to decide by.
struct RpcFailure {
    int code = 0;
    std::string kind;
    std::string message;
    std::string field; ///< the parameter that is wrong; empty where it is not about one
    bool is_retryable = false;
    ErrorCode error_code = ErrorCode::Internal; ///< the class of the failure
};

struct RpcReply {
    std::string result_json;            ///< empty when it failed
    std::optional<RpcFailure> failure;
};

struct RpcNotification {
    std::string method;
    std::string params_json; ///< one JSON object
};

/// One thread at a time. Calls are answered in any order; one is under way at a time. Binary messages are passed over: who wants
/// the pictures of a stream reads the socket itself.
class JsonRpcClient {
public:
    explicit JsonRpcClient(std::unique_ptr<WebSocketClient> socket);

    /// Calls `method` with named parameters (one JSON object) and waits for its answer. Notifications that arrive
    /// meanwhile are kept for next_notification(). An Error is the connection's; the server's "no" is in the reply.
    Result<RpcReply> request(const std::string& method, const std::string& params_json, TimePoint deadline,
                             std::stop_token stop = {});
    /// As request(); the server's "no" becomes an Error whose message starts with its kind. `last_failure()` keeps it.
    Result<std::string> call(const std::string& method, const std::string& params_json, TimePoint deadline,
                             std::stop_token stop = {});
    [[nodiscard]] const std::optional<RpcFailure>& last_failure() const { return last_failure_; }

    /// The oldest notification not yet handed out. Unavailable when the connection has ended.
    Result<RpcNotification> next_notification(TimePoint deadline, std::stop_token stop = {});

    /// The handeye handshake: waits for `hello`, then connection.identify. `token` may be empty on a Unix socket.
    /// The result of identify; PermissionDenied when the token was refused.
    Result<std::string> identify(const std::string& client_name, const std::string& token, TimePoint deadline,
                                 std::stop_token stop = {});

    [[nodiscard]] WebSocketClient& socket() { return *socket_; }

private:
    struct Incoming;
    Result<Incoming> receive_one(TimePoint deadline, const std::stop_token& stop);
    void keep(RpcNotification notification);

    std::unique_ptr<WebSocketClient> socket_;
    std::deque<RpcNotification> notifications_;
    std::optional<RpcFailure> last_failure_;
    std::uint64_t next_id_ = 1;
};

} // namespace handeye
