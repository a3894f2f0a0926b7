// SPDX-License-Identifier: Apache-2.0
// A prompt's tokens, of servers that tell them.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "remote/call.h"
#include "remote/picture_urls.h"
#include "remote/server_traits.h"

namespace handeye {

/// Asks /tokenize beside the base. TokenizedPrompt::bytes holds the server's own names of the tokens, where it tells them; else it is empty.
/// Unsupported where there is no such route.
Result<TokenizedPrompt> tokenize_on_server(const Caller& caller, const RemoteAddress& address, const ServerTraits& traits, PictureUrls& pictures, const ChatRequest& request);
/// {"tokens": [1, 2], "token_strs": ["a", "b"]}
Result<TokenizedPrompt> read_tokens(std::string_view json, std::size_t bytes_max);

} // namespace handeye
