// SPDX-License-Identifier: Apache-2.0
// The values of one question to a chat model and its answer. No behaviour, no dependency on the engine.
#pragma once

#include "base/clock.h"
#include "base/image.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
    std::string tool_calls_json;   ///< of an assistant message: an array as OpenAI's "tool_calls"; empty: none
};

/// Order of application: repetition penalty, frequency and presence penalties, biases, temperature, min-p, top-k, top-p.
struct SamplingOptions {
    double temperature = 0.0; ///< 0: greedy
    double top_p = 1.0;
    int top_k = 0; ///< 0: off
    double repetition_penalty = 1.0; ///< of ids in prompt and answer
    std::uint64_t seed = 0;
    double presence_penalty = 0.0;  ///< taken from the logit of each id that the answer has
    double frequency_penalty = 0.0; ///< the same, as often as the answer has it
    double min_p = 0.0;             ///< ids below this share of the best one's probability are left out; 0: off
    std::vector<std::pair<std::int32_t, double>> logit_bias; ///< id, and what is added to its logit
};

/// The answer keeps to a grammar (docs/grammar.md). What the model thinks first, a leading `<think>` to `</think>`, is free.
struct AnswerGrammar {
    std::string gbnf;
    bool added_tokens_as_text = false; ///< an added token may stand for its text where the grammar does not name it
};

/// Instead of messages: a prompt without a template. In a text, added tokens are recognised.
using RawPrompt = std::variant<std::string, std::vector<std::int32_t>>;

struct ChatRequest {
    std::vector<Message> messages;
    std::optional<RawPrompt> raw_prompt; ///< then there are no messages
    std::string tools_json;              ///< an array as OpenAI's "tools", for templates that take it; empty: none
    bool add_generation_prompt = true;
    std::optional<bool> enable_thinking; ///< the template variable; unset: the template's own default
    SamplingOptions sampling;
    std::optional<AnswerGrammar> grammar;
    bool skip_special_tokens = false;  ///< leave the tokenizer's special tokens out of the text
    std::optional<int> top_logprobs;   ///< tell each new token's probability, and those of so many others; 0 to kTopLogprobsMax
    bool number_chances = false;       ///< tell what else each written number could have been
    int max_new_tokens = 8192;           ///< over all rounds, the forced close included
    /// New tokens after which an unfinished thought is closed by force (spec: `</think><answer>`); unset: never.
    std::optional<int> thinking_budget;
    std::vector<std::string> stop_texts; ///< stop after the token that completes one of these; it stays in the answer
    std::string session; ///< whose turn it is: sessions that wait are served in turn; requests without one are one session
    std::optional<Duration> time_limit; ///< from the call on, waiting included: then the answer ends with what there is
};
inline constexpr int kTopLogprobsMax = 20;

enum class StopReason { StopToken, StopText, MaxTokens, ContextFull, Cancelled, TimeUp };

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

/// Natural logarithms of the model's own probabilities, before penalties, temperature and grammar.
struct TokenChance {
    std::int32_t id = 0;
    double logprob = 0;
    std::string bytes;
};
/// A forced token was not asked of the model: logprob 0, no others.
struct TokenLogprobs {
    TokenChance token;
    std::vector<TokenChance> top; ///< the most probable ones first
};

/// A number that the answer holds, written as one token of one to three digits, and what the model could have put there.
struct NumberSpread {
    std::size_t text_offset = 0; ///< byte in text_utf8 at which it begins
    struct Chance {
        int value = 0;
        double probability = 0; ///< among all tokens
    };
    std::vector<Chance> chances; ///< ascending values of at least kNumberChanceMin
};
inline constexpr double kNumberChanceMin = 1e-4;

/// `text_utf8` keeps special tokens, so that box markers and tags stay visible; the stop token itself is not in it.
struct Completion {
    std::string text_utf8;
    std::vector<std::int32_t> ids; ///< new ids, forced ones included, the stop id excluded
    std::vector<TokenLogprobs> logprobs; ///< one for each id, where the request asks for them
    std::vector<NumberSpread> numbers;   ///< in the order of the text, where the request asks for them
    StopReason stop_reason = StopReason::StopToken;
    Usage usage;
};

/// A piece of an answer on its way: complete UTF-8 characters, and the tokens that ended in it where the request asks for logprobs.
/// Whoever wants the text alone takes a std::string_view.
struct TextPiece {
    std::string_view text_utf8;
    std::span<const TokenLogprobs> logprobs = {};
    operator std::string_view() const { return text_utf8; } // NOLINT(google-explicit-constructor): that is what it is for
};

/// The tokens of a prompt as the model would read it.
struct TokenizedPrompt {
    std::vector<std::int32_t> ids;
    std::vector<std::string> bytes; ///< of each; a picture's are its placeholder's
};

std::string_view stop_reason_name(StopReason reason);

} // namespace handeye
