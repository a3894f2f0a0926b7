// SPDX-License-Identifier: Apache-2.0
// A request's messages and tools as the variables of a chat template, in the words that this template understands.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/tokenizer/template_value.h"

#include <string_view>

namespace handeye::jinja {

/// What a template's text says of the dialect that it expects.
struct TemplateHabits {
    enum class Tools {
        Unknown,
        Variable,  ///< `tools`
        OfMessage, ///< the field of a system message
    };
    Tools tools = Tools::Unknown;
    bool has_tool_role = false;  ///< results come from the role "tool", else from "observation"
    bool has_tool_calls = false; ///< of assistant messages; else a call is a message with the tool's name as `metadata` and the arguments as content
};
TemplateHabits habits_of(std::string_view source);

/// Unsupported: the request has tools and the template knows none. ParseFailed: tools or calls are not JSON of their form.
Result<Dict> template_variables(const ChatRequest& request, const TemplateHabits& habits);

} // namespace handeye::jinja
