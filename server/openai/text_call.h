// SPDX-License-Identifier: Apache-2.0
// The bodies of the routes without a conversation: /v1/completions, /tokenize and /detokenize.
#pragma once

#include "server/openai/chat_call.h"

#include <string_view>

namespace handeye {

/// One prompt or several, as texts or as token ids; no template.
ChatCallOrError read_text_call(std::string_view body_json, const ChatContext& context);

/// A prompt, or a conversation whose prompt it is about. `wants_echo`: the tokens' texts, too.
ChatCallOrError read_tokenize_call(std::string_view body_json, const ChatContext& context);
/// Ids, as the request's raw prompt.
ChatCallOrError read_detokenize_call(std::string_view body_json, const ChatContext& context);

} // namespace handeye
