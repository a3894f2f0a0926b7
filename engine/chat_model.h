// SPDX-License-Identifier: Apache-2.0
// The seam between the agent and whatever answers it: the local engine, or an OpenAI-compatible server.
#pragma once

#include "base/result.h"
#include "engine/chat.h"

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace handeye {

struct ModelInfo {
    std::string name;           ///< folder or served name
    std::string family;         ///< "glm4v", ...
    std::string weight_format;  ///< "bf16", ...
    std::string prompt;         ///< which prompts/<name>/ speaks to it: "glm-4.1v", "glm-4.5v", "compact"
    std::int64_t parameters = 0;
    std::int64_t weights_bytes = 0;
    int context_tokens_max = 0;
    bool reads_pictures = true; ///< false: a model of text alone, which cannot look at a screen
};

/// Called with each piece of new text, complete UTF-8 characters only, on the engine's thread; must not block.
using OnText = std::function<void(std::string_view text_utf8)>;

class ChatModel {
public:
    virtual ~ChatModel() = default;
    /// Answers one request. Stops within one token of `stop` (Completion with StopReason::Cancelled keeps what there is).
    /// Errors: InvalidArgument (request out of contract), LimitExceeded (prompt longer than the context),
    /// OutOfMemory, Overloaded, EngineLost. One call at a time per model; other callers get Overloaded.
    virtual Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) = 0;
    [[nodiscard]] virtual const ModelInfo& info() const = 0;
};

} // namespace handeye
