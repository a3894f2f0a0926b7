// SPDX-License-Identifier: Apache-2.0
// The body of a request as questions to the model: a chat completion, a text completion, or what /tokenize is asked. What it asks for
// and this endpoint cannot do is an error by name, never left out. Pure but for opening and decoding pictures.
#pragma once

#include "agent/session.h" // with it ChatRequest
#include "server/openai/api_error.h"
#include "server/openai_server.h"
#include "server/picture.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

enum class AnswerKind { Chat, Text };

/// How a model writes that it calls a tool.
enum class ToolSyntax {
    None,        ///< its template knows no tools
    Tags,        ///< <tool_call>NAME <arg_key>K</arg_key> <arg_value>V</arg_value> ... </tool_call>
    NameAndJson, ///< NAME, a line break, a JSON object, and nothing else
};
/// By ModelInfo::family.
ToolSyntax tool_syntax_of(std::string_view family);

struct OfferedTool {
    std::string name;
    std::vector<std::string> text_arguments; ///< those whose values are texts by its schema; the others are JSON where they can be
};

struct ChatCall {
    AnswerKind kind = AnswerKind::Chat;
    ChatRequest request;            ///< of the first choice; the next one's seed is one more
    std::vector<RawPrompt> prompts; ///< of text completions, each with its own choices; empty: what `request` has
    int choices = 1;
    bool is_stream = false;
    bool wants_usage = false; ///< a last chunk of the stream tells it
    bool wants_echo = false;  ///< a text completion begins with its prompt
    std::vector<OfferedTool> tools; ///< that an answer may call; empty: nobody looks for calls in it
    ToolSyntax tool_syntax = ToolSyntax::None;
};

struct ChatLimits {
    std::size_t body_bytes_max = 0;
    std::size_t images_max = 0;
    std::uint64_t picture_bytes_max = 0; ///< of all pictures together, decoded
    std::size_t videos_max = 0;
};
/// `names` are what "model" may say. A call without a seed gets `fresh_seed`.
struct ChatContext {
    const std::vector<std::string>& names;
    ChatLimits limits;
    DecodePicture decode;
    std::uint64_t fresh_seed = 0;
    std::function<Result<VideoFrames>(std::span<const std::uint8_t> bytes)> decode_video = {};
    OpenMedia open_media = {};       ///< empty: data: URLs alone
    AnswerGrammars grammars = {};    ///< empty ones: refused
    ToolSyntax tool_syntax = ToolSyntax::None;
    std::stop_token stop = {};       ///< ends opening and decoding
};
using ChatCallOrError = std::variant<ChatCall, ApiError>;
ChatCallOrError read_chat_call(std::string_view body_json, const ChatContext& context);

} // namespace handeye
