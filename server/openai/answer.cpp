// SPDX-License-Identifier: Apache-2.0
#include "server/openai/answer.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

const char* finish_reason(StopReason reason) {
    switch (reason) {
    case StopReason::StopToken:
    case StopReason::StopText:
    case StopReason::Cancelled: return "stop";
    case StopReason::TimeUp:
    case StopReason::MaxTokens:
    case StopReason::ContextFull: return "length";
    }
    return "stop";
}

json usage_json(const Usage& usage) {
    return {{"prompt_tokens", usage.prompt_tokens},
            {"completion_tokens", usage.completion_tokens},
            {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
            {"prompt_tokens_details", {{"cached_tokens", usage.reused_tokens}}}};
}

json chunk(const AnswerHead& head, json choices) {
    return {{"id", head.id}, {"object", "chat.completion.chunk"}, {"created", head.created_s}, {"model", head.model}, {"choices", std::move(choices)}};
}

std::string delta_chunk(const AnswerHead& head, json delta, json reason) {
    return event_of(dump_json(chunk(head, json::array({{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(reason)}}}))));
}

} // namespace

std::string completion_json(const AnswerHead& head, const Completion& completion, const ReasoningSplit::Piece& text) {
    json message{{"role", "assistant"}, {"content", text.content}};
    if (!text.reasoning.empty()) {
        message["reasoning_content"] = text.reasoning;
    }
    const json choice{{"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", finish_reason(completion.stop_reason)}};
    return dump_json({{"id", head.id},
                      {"object", "chat.completion"},
                      {"created", head.created_s},
                      {"model", head.model},
                      {"choices", json::array({choice})},
                      {"usage", usage_json(completion.usage)}}) +
           "\n";
}

std::string event_of(std::string_view text) {
    text = text.substr(0, text.find_last_not_of('\n') + 1);
    return "data: " + std::string(text) + "\n\n";
}

std::string first_chunk(const AnswerHead& head) { return delta_chunk(head, {{"role", "assistant"}, {"content", ""}}, nullptr); }

std::string text_chunk(const AnswerHead& head, const ReasoningSplit::Piece& piece) {
    json delta = json::object();
    if (!piece.reasoning.empty()) {
        delta["reasoning_content"] = piece.reasoning;
    }
    if (!piece.content.empty()) {
        delta["content"] = piece.content;
    }
    return delta_chunk(head, std::move(delta), nullptr);
}

std::string last_chunk(const AnswerHead& head, const Completion& completion) { return delta_chunk(head, json::object(), finish_reason(completion.stop_reason)); }

std::string usage_chunk(const AnswerHead& head, const Completion& completion) {
    json out = chunk(head, json::array());
    out["usage"] = usage_json(completion.usage);
    return event_of(dump_json(out));
}

} // namespace handeye
