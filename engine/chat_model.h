// SPDX-License-Identifier: Apache-2.0
// The seam between the agent and whatever answers it: the local engine, or an OpenAI-compatible server.
#pragma once

#include "base/result.h"
#include "engine/chat.h"

#include <cstddef>
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

/// What an engine has done since it was opened, and what it does now.
struct EngineLoad {
    std::size_t running = 0; ///< requests that are being answered
    std::size_t waiting = 0;
    std::uint64_t answers = 0; ///< that ended, the stopped and failed ones too; the next three are sums over them
    std::uint64_t prompt_tokens = 0;
    std::uint64_t reused_tokens = 0; ///< of the prompts, taken from a cache
    std::uint64_t completion_tokens = 0;
    std::uint64_t prefill_tokens = 0;  ///< that were computed
    std::uint64_t images_embedded = 0; ///< pictures that went through the vision tower
    std::uint64_t passes = 0;          ///< over the weights, for new tokens
    std::uint64_t pass_rows = 0;       ///< answers in those passes, summed
    std::uint64_t guessed_tokens = 0;  ///< that were checked beside the one that was due
    std::uint64_t right_guesses = 0;   ///< of them
    std::uint64_t restarts = 0;        ///< answers whose cache was taken away for another
    std::int64_t cached_tokens = 0;    ///< whose keys and values are in memory
};

/// Called with each piece of new text, on the thread that called generate().
using OnText = std::function<void(const TextPiece& piece)>;

class ChatModel {
public:
    virtual ~ChatModel() = default;
    /// Answers one request. Stops within one token of `stop` (Completion with StopReason::Cancelled keeps what there is).
    /// Errors: InvalidArgument (request out of contract), LimitExceeded (prompt longer than the context),
    /// OutOfMemory, Overloaded (too many wait already), EngineLost. Any thread, several calls at once.
    virtual Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) = 0;
    /// The request's prompt alone. Unsupported by a model that does not tell; else errors as generate(). Any thread.
    virtual Result<TokenizedPrompt> tokenize(const ChatRequest& request);
    [[nodiscard]] virtual EngineLoad load() const { return {}; }
    [[nodiscard]] virtual const ModelInfo& info() const = 0;
};

} // namespace handeye
