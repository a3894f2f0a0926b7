// SPDX-License-Identifier: Apache-2.0
// A model that is served elsewhere, by OpenAI-compatible servers (vLLM, SGLang, Xinference, llama.cpp, `handeye serve`, ...), as a
// ChatModel like the local engine. docs/scaling.md is for its users.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "engine/chat_model.h"
#include "remote/options.h"

#include <memory>
#include <stop_token>

namespace handeye {

/// Looks at all servers at once; one that is healthy is enough. Borrows the clock, which the pauses between tries go by.
/// Errors: those of check_remote_options(); PermissionDenied, NotFound or InvalidArgument where every server says no; Unavailable with a
/// reason for each server where none answers; InvalidArgument where neither options.prompt nor a server nor the model's name says
/// which prompt it speaks; Cancelled.
///
/// generate(): a session stays with one server as long as that answers, so that its caches serve. A server that cannot be reached, fails, is
/// busy or breaks off in the middle has the question taken to the next, from its beginning; on_text never hears what it has heard
/// already, but the text may go on differently from there, and the Completion alone is the answer. EngineLost names each server
/// and why; Overloaded where all are only busy. Completion::ids is empty and TokenChance::id -1: servers tell texts alone. Videos, and
/// Message::metadata, are Unsupported.
Result<std::unique_ptr<ChatModel>> open_remote_model(RemoteOptions options, Clock& clock, const std::stop_token& stop);

} // namespace handeye
