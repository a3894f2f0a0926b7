// SPDX-License-Identifier: Apache-2.0
// What the endpoint does with a request. Knows no sockets: a request comes in, answers go out through an Exchange.
#pragma once

#include "server/model_gate.h"
#include "server/openai/api_error.h"
#include "server/openai/chat_call.h"
#include "server/openai/exchange.h"
#include "server/openai/routes.h"
#include "server/openai_server.h"
#include "server/worker.h"

#include <deque>
#include <functional>
#include <mutex>
#include <optional>

namespace handeye {

class OpenAiService {
public:
    explicit OpenAiService(const OpenAiOptions& options);

    /// nullopt: read its body and handle() it. The key, the path, the method and what is said of the body, in this order.
    [[nodiscard]] std::optional<OpenAiResponse> check_head(const OpenAiHead& head) const;
    /// A request that passed check_head(). The I/O thread. What takes long is done on the worker's.
    void handle(OpenAiRequest request, Exchange exchange);

    /// Takes the requests whose clients have gone out of the queue. Any thread.
    void forget_gone();

    [[nodiscard]] ModelGate& gate() { return gate_; }

private:
    [[nodiscard]] bool has_key(const OpenAiHead& head) const;
    [[nodiscard]] OpenAiResponse answer_at_once(const Route& route, const std::string& path) const;
    [[nodiscard]] OpenAiResponse health() const;
    [[nodiscard]] OpenAiResponse models() const;
    [[nodiscard]] OpenAiResponse model(const std::string& name) const;

    struct Waiting {
        const Route* route = nullptr;
        OpenAiRequest request;
        Exchange exchange;
        TimePoint since{};
    };
    void start(Waiting waiting);
    bool wait_in_line(Waiting&& waiting);
    void add_parts(std::deque<std::function<void()>> parts);
    void answer_all_waiting();
    void answer(const Waiting& asked);
    void answer_with_model(const Waiting& asked, ChatCall call);
    void answer_with_tokens(const Waiting& asked, const ChatCall& call);
    [[nodiscard]] ChatCallOrError read(const Waiting& asked) const;

    const OpenAiOptions& options_;
    const std::int64_t started_s_;
    ModelGate gate_;
    std::mutex mutex_; // guards the next four
    std::deque<Waiting> waiting_;
    std::deque<std::function<void()>> parts_; ///< further choices of requests that are being answered: they go first
    std::size_t answering_ = 0;               ///< jobs of the worker that take the next one by themselves
    std::size_t busy_ = 0;                    ///< of those: jobs that have taken one
    Worker worker_; // last: it uses the others
};

OpenAiResponse to_response(const ApiError& error);
/// docs/openapi.json.
std::string_view openapi_json();

} // namespace handeye
