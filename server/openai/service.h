// SPDX-License-Identifier: Apache-2.0
// The routes of the endpoint. Knows no sockets: a request comes in, answers go out through an Exchange.
#pragma once

#include "server/model_gate.h"
#include "server/openai/chat_call.h"
#include "server/openai_server.h"
#include "server/worker.h"

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace handeye {

/// What of a request is there before its body.
struct OpenAiHead {
    std::string verb;
    std::string path; ///< without the query
    std::string content_type;
    std::string authorization;
    std::uint64_t body_bytes = 0; ///< as it announces them
    bool is_chunked = false;      ///< then it does not
};
/// One whose head was good.
struct OpenAiRequest {
    std::string path; ///< without the query
    std::string body;
};
struct OpenAiResponse {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
};

/// How one request is answered: respond() once, or begin_stream(), send() and end(). Any thread.
struct Exchange {
    std::function<void(OpenAiResponse)> respond;
    std::function<void()> begin_stream;
    std::function<void(std::string)> send;
    std::function<void()> end;
    std::stop_token stop; ///< the client has gone, or the server ends
};

class OpenAiService {
public:
    explicit OpenAiService(const OpenAiOptions& options);

    /// nullopt: read its body and handle() it. The key (below /v1), the path, the method and what is said of the body, in this order.
    [[nodiscard]] std::optional<OpenAiResponse> check_head(const OpenAiHead& head) const;
    /// A request that passed check_head(). The I/O thread. What takes long is done on the worker's.
    void handle(OpenAiRequest request, Exchange exchange);

    /// Takes the requests whose clients have gone out of the queue. Any thread.
    void forget_gone();

    [[nodiscard]] ModelGate& gate() { return gate_; }

private:
    [[nodiscard]] bool has_key(const OpenAiHead& head) const;
    [[nodiscard]] OpenAiResponse health() const;
    [[nodiscard]] OpenAiResponse metrics() const;
    [[nodiscard]] OpenAiResponse models() const;
    struct Waiting {
        OpenAiRequest request;
        Exchange exchange;
    };
    void start_chat(OpenAiRequest request, Exchange exchange);
    bool wait_in_line(Waiting&& waiting);
    void answer_all_waiting();
    void answer_chat(const OpenAiRequest& request, const Exchange& exchange);
    void answer_whole(const ChatCall& call, const Exchange& exchange);
    void answer_in_pieces(const ChatCall& call, const Exchange& exchange);

    const OpenAiOptions& options_;
    const std::int64_t started_s_;
    ModelGate gate_;
    std::mutex mutex_; // guards the next two
    std::deque<Waiting> waiting_;
    std::size_t answering_ = 0; ///< jobs of the worker that take the next one by themselves
    Worker worker_; // last: it uses the others
};

OpenAiResponse to_response(const ApiError& error);

} // namespace handeye
