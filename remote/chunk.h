// SPDX-License-Identifier: Apache-2.0
// One piece of an answer as OpenAI's servers write it: an event of a stream, or the whole answer at once. Pure.
#pragma once

#include "base/result.h"
#include "engine/chat.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// What a server says instead of an answer. Its words are cut to a few hundred visible characters.
struct ServerComplaint {
    std::string message;
    std::string type; ///< "invalid_request_error", ...
    std::string code; ///< "context_length_exceeded", ...; empty: none
    std::string param;
};
/// {"error": {"message": ...}}, {"error": "..."}, {"detail": ...}, {"message": ...}, or text that is none of it.
ServerComplaint read_complaint(std::string_view body);

struct TokenCounts {
    int prompt = 0;
    int image = 0;
    int completion = 0;
    int reused = 0;
};

struct AnswerChunk {
    std::string reasoning;
    std::string content;
    std::vector<TokenLogprobs> logprobs; ///< ids are -1: these servers tell none
    std::string finish;                  ///< "stop", "length", ...; empty: it goes on
    std::optional<TokenCounts> usage;
    std::optional<ServerComplaint> complaint; ///< then nothing else is there
};
/// ParseFailed for what is no such thing; LimitExceeded beyond `bytes_max`.
Result<AnswerChunk> read_chunk(std::string_view json, std::size_t bytes_max);

} // namespace handeye
