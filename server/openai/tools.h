// SPDX-License-Identifier: Apache-2.0
// Tools that a request offers, and the calls of them: those of the history, and those that an answer holds.
#pragma once

#include "server/openai/chat_call.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// "tools" and "tool_choice". Throws Refused.
void read_tools(const nlohmann::json& body, std::string_view body_text, const ChatContext& context, ChatCall& call);

/// "tool_calls" of an assistant's message. Throws Refused.
void check_tool_calls(const nlohmann::json& calls, const std::string& where);

struct ToolCall {
    std::string name;
    std::string arguments_json;
};
/// An answer (without its thinking) taken apart. What looks like a call and is none, or calls what was not offered, stays text.
struct CalledTools {
    std::string text; ///< what is said beside
    std::vector<ToolCall> calls;
};
CalledTools find_tool_calls(std::string_view answer, ToolSyntax syntax, std::span<const OfferedTool> tools);

/// How much of an unfinished answer is certain to be text, in bytes: the rest may become a call.
std::size_t certain_text(std::string_view answer, ToolSyntax syntax, std::span<const OfferedTool> tools);

} // namespace handeye
