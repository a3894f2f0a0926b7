// SPDX-License-Identifier: Apache-2.0
// The conversation of a request: who said what, with the pictures and videos that it holds or names, opened and decoded under the limits.
#pragma once

#include "server/openai/chat_call.h"

#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// "messages" of the body. Everything that is named is opened before the first of it is decoded, so that what is too much costs little.
/// Throws Refused with the place.
std::vector<Message> read_messages(const nlohmann::json& body, std::string_view body_text, const ChatContext& context);

} // namespace handeye
