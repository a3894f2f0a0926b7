// SPDX-License-Identifier: Apache-2.0
// What the readers of all routes share: the body's JSON, the switches of the chat template, prompts without one.
#pragma once

#include "server/openai/chat_call.h"
#include "server/openai/fields.h"

#include <functional>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// Parses, and turns Refused into its error.
ChatCallOrError read_body(std::string_view body_json, std::size_t bytes_max, const std::function<ChatCall(const nlohmann::json&)>& read_it);

/// add_generation_prompt and chat_template_kwargs. Throws Refused.
void read_prompt_switches(const nlohmann::json& body, ChatRequest& request);
/// A list of token ids. Throws Refused.
std::vector<std::int32_t> read_ids(const nlohmann::json& list, const std::string& where);

/// Fields of their own.
FieldTable chat_table();
FieldTable text_table();
FieldTable tokenize_table();
FieldTable detokenize_table();

} // namespace handeye
