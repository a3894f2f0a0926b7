// SPDX-License-Identifier: Apache-2.0
// A server of a test on a real socket, TLS or not: each request is answered byte for byte by the test.
#pragma once

#include "base/file.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace handeye::testing {

struct SeenRequest {
    std::string verb;
    std::string path;
    std::string head; ///< as it came
    std::string body;
};

/// One connection, from the server's side.
class Peer {
public:
    virtual ~Peer() = default;
    /// False when the client is not there any more.
    virtual bool write(std::string_view bytes) = 0;
    /// Waits until the client closes; true once it has.
    virtual bool wait_for_close() = 0;
    /// The connection ends with a reset, not in order.
    virtual void reset() = 0;
};

struct ScriptedTls {
    std::string cert_file, key_file;
};

class ScriptedServer {
public:
    /// Called on a thread for each request, several at once. The connection ends when it returns.
    using Handler = std::function<void(const SeenRequest& request, Peer& peer)>;
    explicit ScriptedServer(Handler handler, ScriptedTls tls = {});
    /// Ends connections, then waits for their threads.
    ~ScriptedServer();
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::vector<SeenRequest> seen(std::string_view path_part = "") const;
    /// Waits until so many requests with that in their path have come.
    void wait_for(std::string_view path_part, std::size_t count);
    /// From now on nobody listens, and open connections end.
    void shut();

private:
    void accept_all();
    void serve(int socket);

    const Handler handler_;
    void* tls_ = nullptr; ///< SSL_CTX
    FileDescriptor listener_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_; // guards the next four
    std::condition_variable changed_;
    std::vector<SeenRequest> seen_;
    std::vector<int> open_;
    std::vector<std::thread> threads_;
    bool is_shut_ = false;
    std::thread acceptor_;
};

std::string http_answer(int status, std::string_view content_type, std::string_view body, std::string_view more_fields = "");
/// The head of a stream of events; what follows are chunk(event(...)) and last_chunk().
std::string stream_head();
std::string chunk(std::string_view bytes);
std::string last_chunk();
std::string event(std::string_view json);
/// {"choices": [{"delta": {FIELD: text}}]}
std::string delta(std::string_view field, std::string_view text);
std::string finish(std::string_view reason);
/// Answers /health and /v1/models as `owner` would; false for another path.
bool answer_probe(const SeenRequest& request, Peer& peer, std::string_view owner = "vllm", std::string_view name = "glm-4.1v-thinking");

} // namespace handeye::testing
