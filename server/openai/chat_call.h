// SPDX-License-Identifier: Apache-2.0
// The body of a chat completion request as a question to the model. What it asks for and this endpoint cannot do is an error by
// name, never left out. Pure but for decoding pictures.
#pragma once

#include "agent/session.h" // with it ChatRequest
#include "base/result.h"
#include "server/picture.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

struct ChatCall {
    ChatRequest request;
    bool is_stream = false;
    bool wants_usage = false; ///< a last chunk of the stream tells it
};

/// What is wrong with a request, in the words of OpenAI's errors.
struct ApiError {
    int status = 400;
    std::string message;
    std::string type = "invalid_request_error";
    std::string param; ///< the field; empty: none
    std::string code;  ///< empty: none
};
/// The class of an error of ours.
ApiError api_error(const Error& error, const std::string& param = "");
/// {"error": {"message", "type", "param", "code"}}
std::string error_json(const ApiError& error);

struct ChatLimits {
    std::size_t body_bytes_max = 0;
    std::size_t images_max = 0;
    std::uint64_t picture_bytes_max = 0; ///< of all pictures together, decoded
};
/// `names` are what "model" may say. A call without a seed gets `fresh_seed`.
struct ChatContext {
    const std::vector<std::string>& names;
    ChatLimits limits;
    DecodePicture decode;
    std::uint64_t fresh_seed = 0;
};
using ChatCallOrError = std::variant<ChatCall, ApiError>;
ChatCallOrError read_chat_call(std::string_view body_json, const ChatContext& context);

} // namespace handeye
