// SPDX-License-Identifier: Apache-2.0
// One chat completion as OpenAI's clients read it, whole or in chunks. Pure.
#pragma once

#include "agent/session.h" // with it Completion
#include "server/openai/text_split.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace handeye {

/// What all parts of one answer say of it.
struct AnswerHead {
    std::string id; ///< "chatcmpl-..."
    std::int64_t created_s = 0;
    std::string model;
};

/// {"object": "chat.completion", ...}
std::string completion_json(const AnswerHead& head, const Completion& completion, const ReasoningSplit::Piece& text);

/// Server-sent events: "data: {...}\n\n".
std::string first_chunk(const AnswerHead& head);
std::string text_chunk(const AnswerHead& head, const ReasoningSplit::Piece& piece);
std::string last_chunk(const AnswerHead& head, const Completion& completion);
std::string usage_chunk(const AnswerHead& head, const Completion& completion);
std::string event_of(std::string_view json);
inline constexpr std::string_view kStreamEnd = "data: [DONE]\n\n";

} // namespace handeye
