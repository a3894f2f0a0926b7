// SPDX-License-Identifier: Apache-2.0
// The values of one question to a chat model and its answer. No behaviour, no dependency on the engine.
#pragma once

#include "base/clock.h"
#include "base/image.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

enum class Role { System, User, Assistant, Observation };

struct TextPart {
    std::string text_utf8;
};
struct ImagePart {
    Image image;
};
/// Frames in time order, played at `fps`; the duration is frames / fps. Never together with images.
struct VideoPart {
    std::vector<Image> frames;
    double fps = 2.0;
};
using Part = std::variant<TextPart, ImagePart, VideoPart>;

struct Message {
    Role role = Role::User;
    std::vector<Part> parts;
    std::string metadata;          ///< tool name of an assistant message, where the template has one
    std::string reasoning_content; ///< earlier thinking, for templates that take it
};

/// Order of application, as in the reference: repetition penalty, temperature, top-k, top-p.
struct SamplingOptions {
    double temperature = 0.0; ///< 0: greedy
    double top_p = 1.0;
    int top_k = 0; ///< 0: off
    double repetition_penalty = 1.0;
    std::uint64_t seed = 0;
};

struct ChatRequest {
    std::vector<Message> messages;
    bool add_generation_prompt = true;
    std::optional<bool> enable_thinking; ///< the template variable; unset: the template's own default
    SamplingOptions sampling;
    int max_new_tokens = 8192;           ///< over all rounds, the forced close included
    /// New tokens after which an unfinished thought is closed by force (spec: `</think><answer>`); unset: never.
    std::optional<int> thinking_budget;
    std::vector<std::string> stop_texts; ///< stop after the token that completes one of these; it stays in the answer
    std::string session; ///< whose turn it is: sessions that wait are served in turn; requests without one are one session
};

enum class StopReason { StopToken, StopText, MaxTokens, ContextFull, Cancelled };

/// Wall times of the parts of one generation.
struct GenerationTimings {
    Duration preprocess{};  ///< resize, normalise, patches
    Duration vision{};      ///< vision tower
    Duration prefill{};     ///< prompt tokens through the decoder
    Duration decode{};      ///< all new tokens
    Duration first_token{}; ///< from the call to the first new token
};

struct Usage {
    int prompt_tokens = 0;
    int image_tokens = 0;
    int completion_tokens = 0;
    int reused_tokens = 0;     ///< prompt tokens taken from the cache
    bool thinking_forced_close = false;
    GenerationTimings timings;
};

/// `text_utf8` keeps special tokens, so that box markers and tags stay visible; the stop token itself is not in it.
struct Completion {
    std::string text_utf8;
    std::vector<std::int32_t> ids; ///< new ids, forced ones included, the stop id excluded
    StopReason stop_reason = StopReason::StopToken;
    Usage usage;
};

std::string_view stop_reason_name(StopReason reason);

} // namespace handeye
