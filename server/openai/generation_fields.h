// SPDX-License-Identifier: Apache-2.0
// What chat and text completions have in common: sampling, lengths, choices, streaming, and what holds the answer to a form.
#pragma once

#include "server/openai/chat_call.h"
#include "server/openai/fields.h"

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// Of both routes; each has its own besides.
FieldTable generation_table();

/// 404 for a name that is not served.
void check_model(const nlohmann::json& body, const ChatContext& context);

/// All of generation_table() but the constraints. `tokens`: of an answer whose length is not said.
void read_generation(const nlohmann::json& body, const ChatContext& context, int tokens, ChatCall& call);

/// response_format, structured_outputs and the guided_* fields: one of them at most. `body_text` is what `body` was parsed from.
void read_constraint(const nlohmann::json& body, std::string_view body_text, const ChatContext& context, ChatCall& call);

} // namespace handeye
