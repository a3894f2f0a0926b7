// SPDX-License-Identifier: Apache-2.0
// Answers as OpenAI's clients read them, whole or in chunks: chat completions, and text completions in their older form. Pure.
#pragma once

#include "server/openai/answer_split.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace handeye {

/// What all parts of one answer say of it.
struct AnswerHead {
    std::string id; ///< "chatcmpl-..." or "cmpl-..."
    std::int64_t created_s = 0;
    std::string model;
    AnswerKind kind = AnswerKind::Chat;
    bool has_logprobs = false;
};

/// One choice when it is whole.
struct Choice {
    AnswerPiece text;
    std::vector<ToolCall> calls;
    StopReason stop_reason = StopReason::StopToken;
    std::size_t echo_bytes = 0; ///< at the beginning of the content: the prompt, whose tokens have no chances
};

/// {"object": "chat.completion" or "text_completion", ...}
std::string completion_json(const AnswerHead& head, std::span<const Choice> choices, const Usage& usage);

/// Server-sent events: "data: {...}\n\n". `choice`: its index.
std::string first_chunk(const AnswerHead& head, std::size_t choice);
/// `text_offset`: bytes of the choice's text before the piece.
std::string text_chunk(const AnswerHead& head, std::size_t choice, const AnswerPiece& piece, std::size_t text_offset);
/// The calls of tools that it ends with, and why it ends.
std::string last_chunk(const AnswerHead& head, std::size_t choice, std::span<const ToolCall> calls, StopReason reason);
std::string usage_chunk(const AnswerHead& head, const Usage& usage);
std::string event_of(std::string_view json);
inline constexpr std::string_view kStreamEnd = "data: [DONE]\n\n";

} // namespace handeye
