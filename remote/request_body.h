// SPDX-License-Identifier: Apache-2.0
// A question as the JSON that OpenAI's servers read, with what each kind of them takes beside it.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "remote/picture_urls.h"
#include "remote/server_traits.h"

#include <string>
#include <vector>

namespace handeye {

struct BodyContext {
    const ServerTraits& traits;
    PictureUrls& pictures;
    int tokens_max = 0;    ///< new ones; 0: as many as the context holds
    std::string continued; ///< the answer so far, for the server to go on with; empty: a new answer
};

struct RequestBody {
    std::string route; ///< below the base: "/chat/completions", "/completions"
    std::string json;
    std::vector<std::string> fields;    ///< that are in it
    std::vector<std::string> left_out;  ///< what was asked for and this server does not do, in words for the log
};

/// Unsupported by name: videos, a tool's name with an answer, tokens as a prompt where a server has no such route.
Result<RequestBody> request_body(const ChatRequest& request, const BodyContext& context);
/// For the route /tokenize.
Result<std::string> tokenize_body(const ChatRequest& request, const BodyContext& context);

} // namespace handeye
