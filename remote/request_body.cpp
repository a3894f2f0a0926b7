// SPDX-License-Identifier: Apache-2.0
#include "remote/request_body.h"

#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSeedMask = 0x7FFFFFFF; // what every server's integers hold
constexpr int kChancesAsked = kTopLogprobsMax;

const char* role_name(Role role) {
    switch (role) {
    case Role::System: return "system";
    case Role::User: return "user";
    case Role::Assistant: return "assistant";
    case Role::Observation: return "tool";
    }
    return "user";
}

Result<json> content_of(const Message& message, PictureUrls& pictures) {
    json parts = json::array();
    bool is_text = true;
    std::string text;
    for (const Part& part : message.parts) {
        if (const auto* const words = std::get_if<TextPart>(&part)) {
            text += words->text_utf8;
            parts.push_back({{"type", "text"}, {"text", words->text_utf8}});
        } else if (const auto* const picture = std::get_if<ImagePart>(&part)) {
            const auto url = TRY(pictures.url_of(picture->image));
            parts.push_back({{"type", "image_url"}, {"image_url", {{"url", *url}}}});
            is_text = false;
        } else {
            return Error{ErrorCode::Unsupported, "a video: a model on a server is sent pictures and text; send some of its frames as pictures, or load a model here"};
        }
    }
    return is_text ? json(text) : parts;
}

Result<json> messages_of(const ChatRequest& request, const BodyContext& context) {
    json out = json::array();
    for (const Message& message : request.messages) {
        if (!message.metadata.empty()) {
            return Error{ErrorCode::Unsupported, fmt::format("the tool name \"{}\" of an assistant's message: servers take tool_calls", message.metadata.substr(0, 64))};
        }
        json one{{"role", role_name(message.role)}};
        one["content"] = TRY(content_of(message, context.pictures));
        if (!message.reasoning_content.empty()) {
            one["reasoning_content"] = message.reasoning_content;
        }
        if (!message.tool_calls_json.empty()) {
            one["tool_calls"] = TRY(parse_json(message.tool_calls_json));
        }
        out.push_back(std::move(one));
    }
    if (!context.continued.empty()) {
        out.push_back({{"role", "assistant"}, {"content", context.continued}});
    }
    return out;
}

// Some servers put the model's own generation_config.json where a field is missing: what counts is said, the neutral values too.
void put_sampling(json& body, const ChatRequest& request, const ServerTraits& traits) {
    const SamplingOptions& sampling = request.sampling;
    const ServerKind kind = traits.model.kind;
    const bool has_extras = kind != ServerKind::Unknown;
    body["temperature"] = sampling.temperature;
    if (sampling.temperature > 0) {
        body["top_p"] = sampling.top_p;
        body["seed"] = kind == ServerKind::Handeye ? sampling.seed : sampling.seed & kSeedMask;
        if (has_extras || sampling.top_k > 0) {
            body["top_k"] = sampling.top_k == 0 && (kind == ServerKind::Vllm || kind == ServerKind::Sglang) ? -1 : sampling.top_k;
        }
        if (sampling.min_p > 0) {
            body["min_p"] = sampling.min_p;
        }
    }
    if (has_extras || sampling.repetition_penalty != 1.0) {
        body[kind == ServerKind::LlamaCpp ? "repeat_penalty" : "repetition_penalty"] = sampling.repetition_penalty;
    }
    if (sampling.presence_penalty != 0) {
        body["presence_penalty"] = sampling.presence_penalty;
    }
    if (sampling.frequency_penalty != 0) {
        body["frequency_penalty"] = sampling.frequency_penalty;
    }
    for (const auto& [id, bias] : sampling.logit_bias) {
        body["logit_bias"][std::to_string(id)] = bias;
    }
}

// `<name>` outside of literals and classes stands for an added token, which is this project's own notation.
bool names_added_tokens(std::string_view gbnf) {
    char until = '\0';
    bool is_comment = false;
    for (std::size_t i = 0; i < gbnf.size(); ++i) {
        const char c = gbnf[i];
        if (is_comment) {
            is_comment = c != '\n';
        } else if (until != '\0') {
            i += c == '\\' ? 1 : 0;
            until = c == until ? '\0' : until;
        } else if (c == '"' || c == '[') {
            until = c == '"' ? '"' : ']';
        } else if (c == '<') {
            return true;
        } else {
            is_comment = c == '#';
        }
    }
    return false;
}

// vLLM and SGLang apply a grammar behind the thinking only where their reasoning parser is on.
void put_grammar(RequestBody& out, json& body, const ChatRequest& request, const ServerTraits& traits) {
    if (!request.grammar) {
        return;
    }
    const ServerKind kind = traits.model.kind;
    const bool is_behind_thinking = traits.splits_reasoning || request.enable_thinking == false;
    if (kind == ServerKind::Handeye) {
        body["guided_grammar"] = request.grammar->gbnf;
    } else if ((kind == ServerKind::Vllm || kind == ServerKind::Sglang) && is_behind_thinking && !names_added_tokens(request.grammar->gbnf)) {
        if (kind == ServerKind::Sglang) {
            body["ebnf"] = request.grammar->gbnf;
        } else { // the first name up to 0.11, the second from there on; a version passes over the one that it does not know
            body["guided_grammar"] = request.grammar->gbnf;
            body["structured_outputs"] = {{"grammar", request.grammar->gbnf}};
        }
    } else {
        out.left_out.emplace_back("the answer's grammar");
    }
}

void put_extras(RequestBody& out, json& body, const ChatRequest& request, const BodyContext& context) {
    const ServerTraits& traits = context.traits;
    body["skip_special_tokens"] = request.skip_special_tokens; // a box and its tags are special tokens
    if (request.enable_thinking) {
        body["chat_template_kwargs"] = {{"enable_thinking", *request.enable_thinking}};
    }
    if (request.top_logprobs || request.number_chances) {
        body["logprobs"] = true;
        body["top_logprobs"] = request.number_chances ? kChancesAsked : *request.top_logprobs;
    }
    if (traits.model.kind == ServerKind::Handeye && !request.session.empty()) {
        body["user"] = request.session; // whose turn it is
    }
    if (traits.closes_thoughts() && request.thinking_budget && *request.thinking_budget > 0) {
        body["thinking_token_budget"] = *request.thinking_budget;
    }
    if (!context.continued.empty() || !request.add_generation_prompt) {
        body["continue_final_message"] = true;
        if (traits.model.kind != ServerKind::Sglang) {
            body["add_generation_prompt"] = false;
        }
    }
    put_grammar(out, body, request, traits);
}

json raw_prompt_body(const RawPrompt& prompt, const std::string& continued) {
    if (const auto* const text = std::get_if<std::string>(&prompt)) {
        return {{"prompt", *text + continued}};
    }
    return {{"prompt", std::get<std::vector<std::int32_t>>(prompt)}};
}

} // namespace

Result<RequestBody> request_body(const ChatRequest& request, const BodyContext& context) {
    RequestBody out{.route = request.raw_prompt ? "/completions" : "/chat/completions", .json = {}, .fields = {}, .left_out = {}};
    if (!request.add_generation_prompt && !request.raw_prompt && !context.traits.can_continue()) {
        return Error{ErrorCode::Unsupported, "an answer that goes on with the last message: this server is not known to do that"};
    }
    json body = request.raw_prompt ? raw_prompt_body(*request.raw_prompt, context.continued) : json::object();
    if (!request.raw_prompt) {
        body["messages"] = TRY(messages_of(request, context));
    }
    if (!context.traits.model.name.empty()) {
        body["model"] = context.traits.model.name;
    }
    if (context.tokens_max > 0) {
        body["max_tokens"] = context.tokens_max;
    }
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    if (!request.tools_json.empty()) {
        body["tools"] = TRY(parse_json(request.tools_json));
    }
    put_sampling(body, request, context.traits);
    put_extras(out, body, request, context);
    if (request.raw_prompt) { // the route without a template has these only
        body.erase("continue_final_message");
        body.erase("add_generation_prompt");
        body.erase("chat_template_kwargs");
    }
    for (const std::string& field : context.traits.refused) {
        if (body.erase(field) > 0 && (field == "guided_grammar" || field == "ebnf" || field == "structured_outputs")) {
            out.left_out.emplace_back("the answer's grammar");
        }
    }
    for (const auto& [name, value] : body.items()) {
        out.fields.push_back(name);
    }
    out.json = dump_json(body);
    return out;
}

Result<std::string> tokenize_body(const ChatRequest& request, const BodyContext& context) {
    json body = request.raw_prompt ? raw_prompt_body(*request.raw_prompt, "") : json::object();
    if (!request.raw_prompt) {
        body["messages"] = TRY(messages_of(request, context));
        body["add_generation_prompt"] = request.add_generation_prompt;
    }
    if (!context.traits.model.name.empty()) {
        body["model"] = context.traits.model.name;
    }
    if (request.enable_thinking && !request.raw_prompt) {
        body["chat_template_kwargs"] = {{"enable_thinking", *request.enable_thinking}};
    }
    body["return_token_strs"] = true;
    return dump_json(body);
}

} // namespace handeye
