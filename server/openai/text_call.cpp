// SPDX-License-Identifier: Apache-2.0
#include "server/openai/text_call.h"

#include "server/openai/generation_fields.h"
#include "server/openai/messages.h"
#include "server/openai/prompt_fields.h"
#include "server/openai/tools.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using enum FieldUse;

constexpr int kTokensUnsaid = 16; // OpenAI's and vLLM's, for completions without max_tokens
constexpr std::size_t kPromptsMax = 64;
constexpr int kAnswersMax = 128; // prompts times n

// These tokenizers add nothing to a text, so that add_special_tokens changes nothing.
constexpr std::array kTextRows{FieldRow{"prompt"}, FieldRow{"echo"}, FieldRow{"add_special_tokens", PassedOver}, FieldRow{"suffix", Undone}, FieldRow{"prompt_embeds", Undone}};
constexpr std::array kTokenizeRows{FieldRow{"model"}, FieldRow{"prompt"}, FieldRow{"messages"}, FieldRow{"tools"}, FieldRow{"add_generation_prompt"}, FieldRow{"chat_template_kwargs"}, FieldRow{"return_token_strs"},
                                   FieldRow{"add_special_tokens", PassedOver}, FieldRow{"continue_final_message", Undone, "false"}, FieldRow{"chat_template", Undone}, FieldRow{"mm_processor_kwargs", Undone, "{}"}};
constexpr std::array kDetokenizeRows{FieldRow{"model"}, FieldRow{"tokens"}};

/// A text, ids, or a list of one or the other.
std::vector<RawPrompt> prompts_of(const json& body) {
    const json* const given = find_field(body, "prompt");
    const auto fail = [] { refuse("prompt", fmt::format("it is a text, a list of token ids, or a list of 1 to {} of these, none of them empty", kPromptsMax)); };
    if (given == nullptr || (!given->is_string() && !given->is_array())) {
        fail();
    }
    if (given->is_array() && !given->empty() && given->front().is_number()) {
        return {read_ids(*given, "prompt")};
    }
    const json list = given->is_string() ? json::array({*given}) : *given;
    if (list.empty() || list.size() > kPromptsMax) {
        fail();
    }
    std::vector<RawPrompt> out;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i].empty() || (!list[i].is_string() && !list[i].is_array()) || (list[i].is_string() && list[i].get_ref<const std::string&>().empty())) {
            fail();
        }
        out.emplace_back(list[i].is_string() ? RawPrompt(list[i].get<std::string>()) : RawPrompt(read_ids(list[i], fmt::format("prompt[{}]", i))));
    }
    return out;
}

ChatCall read_text(const json& body, std::string_view body_text, const ChatContext& context) {
    check_fields(body, {kTextRows, generation_table()});
    check_model(body, context);
    ChatCall call{.kind = AnswerKind::Text};
    read_generation(body, context, kTokensUnsaid, call);
    read_constraint(body, body_text, context, call);
    call.request.top_logprobs = whole(body, "logprobs", 0, kTopLogprobsMax);
    call.wants_echo = flag(body, "echo").value_or(false);
    if (call.wants_echo && call.request.top_logprobs) {
        refuse("echo", "the chances of the prompt's tokens are not told: leave out echo or logprobs");
    }
    call.prompts = prompts_of(body);
    if (static_cast<int>(call.prompts.size()) * call.choices > kAnswersMax) {
        refuse("n", fmt::format("{} prompts with {} choices each are more than {} answers", call.prompts.size(), call.choices, kAnswersMax));
    }
    return call;
}

ChatCall read_tokenize(const json& body, std::string_view body_text, const ChatContext& context) {
    check_fields(body, {kTokenizeRows});
    check_model(body, context);
    ChatCall call;
    call.wants_echo = flag(body, "return_token_strs").value_or(false);
    const json* const prompt = find_field(body, "prompt");
    const json* const messages = find_field(body, "messages");
    if ((prompt == nullptr) == (messages == nullptr)) {
        refuse("prompt", "a request has a prompt or messages, one of them");
    }
    if (prompt != nullptr) {
        call.request.raw_prompt = text(body, "prompt", context.limits.body_bytes_max).value_or("");
        return call;
    }
    read_prompt_switches(body, call.request);
    read_tools(body, body_text, context, call);
    call.request.messages = read_messages(body, body_text, context);
    return call;
}

ChatCall read_detokenize(const json& body, const ChatContext& context) {
    check_fields(body, {kDetokenizeRows});
    check_model(body, context);
    const json* const tokens = find_field(body, "tokens");
    if (tokens == nullptr) {
        refuse("tokens", "there is none: it is a list of token ids");
    }
    ChatCall call;
    call.request.raw_prompt = read_ids(*tokens, "tokens");
    return call;
}

} // namespace

FieldTable text_table() { return kTextRows; }
FieldTable tokenize_table() { return kTokenizeRows; }
FieldTable detokenize_table() { return kDetokenizeRows; }

std::vector<std::int32_t> read_ids(const json& list, const std::string& where) {
    const auto is_id = [](const json& one) { return one.is_number_unsigned() && one.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()); };
    if (!list.is_array() || list.size() > static_cast<std::size_t>(kTokensMax) || !std::all_of(list.begin(), list.end(), is_id)) {
        refuse(where, fmt::format("it must be a list of at most {} token ids", kTokensMax));
    }
    return list.get<std::vector<std::int32_t>>();
}

ChatCallOrError read_text_call(std::string_view body_json, const ChatContext& context) {
    return read_body(body_json, context.limits.body_bytes_max, [&](const json& body) { return read_text(body, body_json, context); });
}

ChatCallOrError read_tokenize_call(std::string_view body_json, const ChatContext& context) {
    return read_body(body_json, context.limits.body_bytes_max, [&](const json& body) { return read_tokenize(body, body_json, context); });
}

ChatCallOrError read_detokenize_call(std::string_view body_json, const ChatContext& context) {
    return read_body(body_json, context.limits.body_bytes_max, [&](const json& body) { return read_detokenize(body, context); });
}

} // namespace handeye
