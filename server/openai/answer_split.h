// SPDX-License-Identifier: Apache-2.0
// One choice on its way to a client: cut at stop texts, thinking apart, calls of tools held back, each token's chance beside the text
// that it is of. Pure.
#pragma once

#include "server/openai/chat_call.h"
#include "server/openai/text_split.h"
#include "server/openai/tools.h"

#include <string>
#include <vector>

namespace handeye {

struct AnswerPiece {
    std::string reasoning;
    std::string content;
    std::vector<TokenLogprobs> logprobs; ///< of the content's tokens, not of the thinking's
    [[nodiscard]] bool is_empty() const { return reasoning.empty() && content.empty() && logprobs.empty(); }
};
/// What comes at the end.
struct AnswerRest {
    AnswerPiece piece;
    std::vector<ToolCall> calls;
};

class AnswerSplit {
public:
    /// Borrows the call.
    explicit AnswerSplit(const ChatCall& call) : call_(call), trim_(call.request.stop_texts) {}
    /// What is safe to send now.
    AnswerPiece push(const TextPiece& piece);
    AnswerRest finish();

private:
    struct Token {
        std::size_t begin = 0; ///< bytes of the model's text
        std::size_t end = 0;
        TokenLogprobs logprobs;
    };
    void place(const TextPiece& piece);
    AnswerPiece take(std::string_view passed);
    void take_tokens(AnswerPiece& out);
    void hold_calls(AnswerPiece& out);

    const ChatCall& call_;
    StopTrim trim_;
    ReasoningSplit split_;
    std::size_t read_ = 0;   ///< bytes that the model has written
    std::size_t passed_ = 0; ///< of them, bytes before a stop text or the place where one may have begun
    std::size_t tokens_end_ = 0; ///< where the last token ends
    std::vector<Token> tokens_; ///< whose place is not decided
    std::string content_;       ///< while tools are offered: all of it
    std::size_t sent_ = 0;      ///< of it
};

} // namespace handeye
