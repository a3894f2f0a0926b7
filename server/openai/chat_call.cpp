// SPDX-License-Identifier: Apache-2.0
#include "server/openai/chat_call.h"

#include "base/json.h"
#include "base/suggest.h"
#include "server/openai/generation_fields.h"
#include "server/openai/messages.h"
#include "server/openai/prompt_fields.h"
#include "server/openai/tools.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using enum FieldUse;

constexpr std::array kRows{
    FieldRow{"messages"}, FieldRow{"max_completion_tokens"}, FieldRow{"thinking_token_budget"}, FieldRow{"top_logprobs"}, FieldRow{"chat_template_kwargs"}, FieldRow{"tools"}, FieldRow{"tool_choice"},
    FieldRow{"add_generation_prompt"}, FieldRow{"parallel_tool_calls", PassedOver}, FieldRow{"service_tier", PassedOver}, FieldRow{"prompt_cache_key", PassedOver}, FieldRow{"safety_identifier", PassedOver},
    FieldRow{"include_reasoning", Undone, "true"}, FieldRow{"reasoning_effort", Undone}, FieldRow{"continue_final_message", Undone, "false"}, FieldRow{"echo", Undone, "false"},
    FieldRow{"add_special_tokens", Undone, "false"}, FieldRow{"chat_template", Undone}, FieldRow{"documents", Undone}, FieldRow{"mm_processor_kwargs", Undone, "{}"},
    FieldRow{"modalities", Undone, "[\"text\"]"}, FieldRow{"audio", Undone}, FieldRow{"prediction", Undone}, FieldRow{"functions", Undone}, FieldRow{"function_call", Undone},
    FieldRow{"web_search_options", Undone}, FieldRow{"verbosity", Undone}};

void read_logprobs(const json& body, ChatRequest& request) {
    const bool is_on = flag(body, "logprobs").value_or(false);
    const auto count = whole(body, "top_logprobs", 0, kTopLogprobsMax);
    if (count.value_or(0) > 0 && !is_on) {
        refuse("top_logprobs", "it needs \"logprobs\": true");
    }
    if (is_on) {
        request.top_logprobs = count.value_or(0);
    }
}

ChatCall read(const json& body, std::string_view body_text, const ChatContext& context) {
    check_fields(body, {kRows, generation_table()});
    check_model(body, context);
    ChatCall call;
    read_generation(body, context, kTokensMax, call);
    call.request.thinking_budget = whole(body, "thinking_token_budget", 1, kTokensMax);
    call.request.max_new_tokens = whole(body, "max_completion_tokens", 1, kTokensMax).value_or(call.request.max_new_tokens);
    read_logprobs(body, call.request);
    read_prompt_switches(body, call.request);
    read_constraint(body, body_text, context, call);
    read_tools(body, body_text, context, call);
    call.request.messages = read_messages(body, body_text, context);
    return call;
}

} // namespace

FieldTable chat_table() { return kRows; }

// The templates of these models have one switch. What a client believes to have set must be set, or it is told.
void read_prompt_switches(const json& body, ChatRequest& request) {
    constexpr std::array<std::string_view, 1> kSwitches{"enable_thinking"};
    request.add_generation_prompt = flag(body, "add_generation_prompt").value_or(true);
    const json* const given = find_field(body, "chat_template_kwargs");
    if (given == nullptr) {
        return;
    }
    if (!given->is_object()) {
        refuse("chat_template_kwargs", "it must be an object");
    }
    for (const auto& [name, value] : given->items()) {
        if (std::find(kSwitches.begin(), kSwitches.end(), name) == kSwitches.end()) {
            refuse("chat_template_kwargs." + name.substr(0, 64), "there is no such switch; " + suggestion(name.substr(0, 64), "switches", kSwitches));
        }
    }
    if (const auto thinks = flag(*given, "enable_thinking"); thinks) {
        request.enable_thinking = thinks;
    }
}

ChatCallOrError read_body(std::string_view body_json, std::size_t bytes_max, const std::function<ChatCall(const json&)>& read_it) {
    constexpr int kDepthMax = 32;
    const auto body = parse_json(body_json, {.bytes_max = bytes_max, .depth_max = kDepthMax});
    if (!body) {
        return ApiError{.message = "the body is no JSON: " + body.error().message};
    }
    try {
        return read_it(*body);
    } catch (const Refused& refused) {
        return refused.error;
    }
}

ChatCallOrError read_chat_call(std::string_view body_json, const ChatContext& context) {
    return read_body(body_json, context.limits.body_bytes_max, [&](const json& body) { return read(body, body_json, context); });
}

} // namespace handeye
