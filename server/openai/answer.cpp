// SPDX-License-Identifier: Apache-2.0
#include "server/openai/answer.h"

#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr double kLogprobMin = -9999; // JSON has no infinity; vLLM's figure

const char* finish_reason(StopReason reason, bool has_calls) {
    switch (reason) {
    case StopReason::StopToken:
    case StopReason::StopText:
    case StopReason::Cancelled: return has_calls ? "tool_calls" : "stop";
    case StopReason::MaxTokens:
    case StopReason::TimeUp:
    case StopReason::ContextFull: return has_calls ? "tool_calls" : "length";
    }
    return "stop";
}

json usage_json(const Usage& usage) {
    return {{"prompt_tokens", usage.prompt_tokens},
            {"completion_tokens", usage.completion_tokens},
            {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
            {"prompt_tokens_details", {{"cached_tokens", usage.reused_tokens}}}};
}

json chance_json(const TokenChance& chance) {
    return {{"token", chance.bytes}, {"logprob", std::max(chance.logprob, kLogprobMin)}, {"bytes", std::vector<std::uint8_t>(chance.bytes.begin(), chance.bytes.end())}};
}

json chat_logprobs(const std::vector<TokenLogprobs>& tokens) {
    json content = json::array();
    for (const TokenLogprobs& token : tokens) {
        json row = chance_json(token.token);
        row["top_logprobs"] = json::array();
        for (const TokenChance& other : token.top) {
            row["top_logprobs"].push_back(chance_json(other));
        }
        content.push_back(std::move(row));
    }
    return {{"content", std::move(content)}};
}

/// The older form: lists side by side.
json text_logprobs(const std::vector<TokenLogprobs>& tokens, std::size_t offset) {
    json out{{"tokens", json::array()}, {"token_logprobs", json::array()}, {"top_logprobs", json::array()}, {"text_offset", json::array()}};
    for (const TokenLogprobs& token : tokens) {
        json top = json::object();
        for (const TokenChance& other : token.top) {
            top[other.bytes] = std::max(other.logprob, kLogprobMin);
        }
        out["tokens"].push_back(token.token.bytes);
        out["token_logprobs"].push_back(std::max(token.token.logprob, kLogprobMin));
        out["top_logprobs"].push_back(std::move(top));
        out["text_offset"].push_back(offset);
        offset += token.token.bytes.size();
    }
    return out;
}

json logprobs_json(const AnswerHead& head, const AnswerPiece& piece, std::size_t offset) {
    return !head.has_logprobs ? json() : head.kind == AnswerKind::Chat ? chat_logprobs(piece.logprobs) : text_logprobs(piece.logprobs, offset);
}

json calls_json(const AnswerHead& head, std::size_t choice, std::span<const ToolCall> calls, bool is_stream) {
    json out = json::array();
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const std::string id = fmt::format("call_{}_{}_{}", head.id.substr(head.id.find('-') + 1), choice, i);
        out.push_back({{"id", id}, {"type", "function"}, {"function", {{"name", calls[i].name}, {"arguments", calls[i].arguments_json}}}});
        if (is_stream) {
            out.back()["index"] = i;
        }
    }
    return out;
}

json chat_choice(const AnswerHead& head, std::size_t index, const Choice& choice) {
    const AnswerPiece& text = choice.text;
    json message{{"role", "assistant"}, {"content", text.content.empty() && !choice.calls.empty() ? json() : json(text.content)}};
    if (!text.reasoning.empty()) {
        message["reasoning_content"] = text.reasoning;
    }
    if (!choice.calls.empty()) {
        message["tool_calls"] = calls_json(head, index, choice.calls, false);
    }
    return {{"index", index}, {"message", std::move(message)}, {"logprobs", logprobs_json(head, text, 0)}, {"finish_reason", finish_reason(choice.stop_reason, !choice.calls.empty())}};
}

json text_choice(const AnswerHead& head, std::size_t index, const Choice& choice) {
    return {{"index", index}, {"text", choice.text.content}, {"logprobs", logprobs_json(head, choice.text, choice.echo_bytes)}, {"finish_reason", finish_reason(choice.stop_reason, false)}};
}

json frame(const AnswerHead& head, const char* object, json choices) {
    return {{"id", head.id}, {"object", object}, {"created", head.created_s}, {"model", head.model}, {"choices", std::move(choices)}};
}

json chunk(const AnswerHead& head, json choices) { return frame(head, head.kind == AnswerKind::Chat ? "chat.completion.chunk" : "text_completion", std::move(choices)); }

std::string choice_chunk(const AnswerHead& head, json choice) { return event_of(dump_json(chunk(head, json::array({std::move(choice)})))); }

std::string delta_chunk(const AnswerHead& head, std::size_t index, json delta, json logprobs, json reason) {
    return choice_chunk(head, {{"index", index}, {"delta", std::move(delta)}, {"logprobs", std::move(logprobs)}, {"finish_reason", std::move(reason)}});
}

} // namespace

std::string completion_json(const AnswerHead& head, std::span<const Choice> choices, const Usage& usage) {
    const bool is_chat = head.kind == AnswerKind::Chat;
    json rows = json::array();
    for (std::size_t i = 0; i < choices.size(); ++i) {
        rows.push_back(is_chat ? chat_choice(head, i, choices[i]) : text_choice(head, i, choices[i]));
    }
    json out = frame(head, is_chat ? "chat.completion" : "text_completion", std::move(rows));
    out["usage"] = usage_json(usage);
    return dump_json(out) + "\n";
}

std::string event_of(std::string_view text) {
    text = text.substr(0, text.find_last_not_of('\n') + 1);
    return "data: " + std::string(text) + "\n\n";
}

std::string first_chunk(const AnswerHead& head, std::size_t choice) {
    return head.kind == AnswerKind::Chat ? delta_chunk(head, choice, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr) : "";
}

std::string text_chunk(const AnswerHead& head, std::size_t choice, const AnswerPiece& piece, std::size_t text_offset) {
    json logprobs = logprobs_json(head, piece, text_offset);
    if (head.kind == AnswerKind::Text) {
        return choice_chunk(head, {{"index", choice}, {"text", piece.content}, {"logprobs", std::move(logprobs)}, {"finish_reason", nullptr}});
    }
    json delta = json::object();
    if (!piece.reasoning.empty()) {
        delta["reasoning_content"] = piece.reasoning;
    }
    if (!piece.content.empty()) {
        delta["content"] = piece.content;
    }
    return delta_chunk(head, choice, std::move(delta), piece.logprobs.empty() ? json() : std::move(logprobs), nullptr);
}

std::string last_chunk(const AnswerHead& head, std::size_t choice, std::span<const ToolCall> calls, StopReason reason) {
    const char* const why = finish_reason(reason, !calls.empty());
    if (head.kind == AnswerKind::Text) {
        return choice_chunk(head, {{"index", choice}, {"text", ""}, {"logprobs", nullptr}, {"finish_reason", why}});
    }
    std::string out;
    if (!calls.empty()) {
        out = delta_chunk(head, choice, {{"tool_calls", calls_json(head, choice, calls, true)}}, nullptr, nullptr);
    }
    return out + delta_chunk(head, choice, json::object(), nullptr, why);
}

std::string usage_chunk(const AnswerHead& head, const Usage& usage) {
    json out = chunk(head, json::array());
    out["usage"] = usage_json(usage);
    return event_of(dump_json(out));
}

} // namespace handeye
