// SPDX-License-Identifier: Apache-2.0
// One request while the model answers it. Its choices are parts that run on threads of their own and end in any order.
#pragma once

#include "server/model_gate.h"
#include "server/openai/answer.h"
#include "server/openai/exchange.h"

#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

namespace handeye {

class Answering {
public:
    /// Borrows the gate. `deadline`: when answers end with what there is.
    Answering(ChatCall call, AnswerHead head, Exchange exchange, ModelGate& gate, std::optional<TimePoint> deadline);

    [[nodiscard]] std::size_t parts() const { return choices_.size(); }
    /// Asks the model, sends what it says, and returns when it is done. Each part once, any thread; the one that ends last ends the exchange.
    /// What goes wrong with one part ends all.
    void answer(std::size_t part);

private:
    Result<Completion> generate(std::size_t part);
    Result<ChatRequest> request_of(std::size_t part);
    Result<std::string> echo_of(const ChatRequest& request);
    void send_piece(std::size_t part, const AnswerPiece& piece);
    void finish_part(std::size_t part, const Completion& done);
    void fail(const Error& error);
    void leave();

    const ChatCall call_;
    const AnswerHead head_;
    const Exchange exchange_;
    ModelGate& gate_;
    const std::optional<TimePoint> deadline_;
    std::stop_source stop_; ///< of all parts
    std::stop_callback<std::function<void()>> on_gone_;

    std::mutex mutex_; // guards the rest but splits_, of which each part has its own
    std::vector<AnswerSplit> splits_;
    std::vector<Choice> choices_;
    std::vector<bool> is_begun_;   ///< of each part: something was sent
    std::vector<std::size_t> sent_; ///< bytes of each choice's text
    Usage usage_;
    std::optional<Error> failure_;
    bool is_streaming_ = false;
    std::size_t left_; ///< parts that have not ended
};

} // namespace handeye
