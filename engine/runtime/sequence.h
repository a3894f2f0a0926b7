// SPDX-License-Identifier: Apache-2.0
// One answer, token by token: sampling, streaming, stopping, the forced close of an unfinished thought. Which pass computes its
// tokens is the scheduler's business.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/chat_model.h"
#include "engine/runtime/answer_guide.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/lookup.h"
#include "engine/runtime/outbox.h"
#include "engine/runtime/thinking.h"
#include "engine/sampling/sampler.h"

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

/// One request. begin() and finish() run on the caller's thread, everything else on the device's.
class TokenSequence {
public:
    /// Renders, tokenises and looks at the pictures' sizes. Borrows the core and the request. `earlier`: the session's newest answers.
    static Result<std::unique_ptr<TokenSequence>> begin(const EngineCore& core, const ChatRequest& request, std::stop_token stop, std::span<const TokenId> earlier = {});

    [[nodiscard]] const std::stop_token& stop() const { return stop_; }
    [[nodiscard]] bool is_out_of_time(TimePoint now) const { return request_.time_limit && now - begun_ >= *request_.time_limit; }
    [[nodiscard]] const std::string& session() const { return request_.session; }
    [[nodiscard]] const Prompt& prompt() const { return prompt_; }
    [[nodiscard]] Outbox& outbox() { return outbox_; }
    [[nodiscard]] GenerationTimings& timings() { return out_.usage.timings; }
    [[nodiscard]] const Usage& usage() const { return out_.usage; }
    [[nodiscard]] EngineCore::HeldImages& images() { return images_; }

    /// The cache that it works in; null before its turn and after its end.
    Timeline* timeline = nullptr;

    void note_reused(std::int64_t tokens);
    /// Empty: the prompt is to be computed. Then these ids are fed, and the logits of each from first_wanted() on are taken.
    [[nodiscard]] std::span<const TokenId> due() const { return due_; }
    [[nodiscard]] std::int64_t first_wanted() const { return first_wanted_; }
    /// Adds guesses of the next tokens to what is due, at most `room` and as long as they pay.
    void guess(std::size_t room);
    [[nodiscard]] std::size_t guessed() const { return guessed_; }
    /// A pass that computed this sequence alone.
    void note_pass(std::size_t guessed, std::size_t gained, Duration took) { guess_policy_.note(guessed, gained, took); }
    [[nodiscard]] std::span<const TokenId> ids() const { return out_.ids; }
    [[nodiscard]] std::int64_t new_count() const { return static_cast<std::int64_t>(out_.ids.size()); }
    [[nodiscard]] std::int32_t position_offset() const { return prompt_.position_offset; }

    /// Chooses from the wanted rows of logits, which it overwrites, and streams. Guesses that were not chosen are taken out
    /// of the cache. True: the answer has ended.
    bool take(std::span<const LogitRow> rows);
    /// PassRows::scale of its rows.
    [[nodiscard]] float scale() const { return sampler_.scale(); }
    /// Its cache was taken away: what it has so far becomes its prompt.
    void start_again();
    void cancel() { end(StopReason::Cancelled); }
    void end_in_time() { end(StopReason::TimeUp); }
    /// Whose mask can be computed while the device computes the logits.
    [[nodiscard]] std::optional<AnswerGuide::Ahead> mask_ahead() const { return guide_ ? guide_->ahead() : std::nullopt; }
    void fail(Error error);
    [[nodiscard]] bool has_ended() const { return has_ended_; }
    /// The last thing that may be done with it on the device's thread: its caller may destroy it right after.
    void deliver();

private:
    TokenSequence(const EngineCore& core, const ChatRequest& request, std::stop_token stop);

    enum class Next { Continue, End };
    /// One id from a row of logits, and what is told of it.
    Result<TokenId> choose(const LogitRow& row);
    Result<TokenId> pick(const LogitRow& row);
    Result<void> tell(const LogitRow& row, TokenId id);
    Next accept(TokenId id); // one sampled id; Continue: due_ says what comes
    Next append_forced();
    [[nodiscard]] bool has_room(std::int64_t tokens) const;
    enum class Close { Nothing, Appended, NoRoom };
    Close close_thought(PauseCause cause);
    [[nodiscard]] std::vector<TokenId> closing_ids(PauseCause cause) const;
    void emit(TokenId id);
    [[nodiscard]] TokenLogprobs take_logprobs(TokenId id);
    Next end(StopReason reason);
    [[nodiscard]] bool is_stop_id(TokenId id) const;
    [[nodiscard]] bool ends_in_stop_text(std::size_t before) const;
    /// Tokens that the cache holds once all that is due was fed.
    [[nodiscard]] std::int64_t length() const;

    const EngineCore& core_;
    const ChatRequest& request_;
    std::stop_token stop_;
    const TimePoint begun_;
    Prompt prompt_;
    std::size_t folded_ = 0; // new ids that are part of prompt_
    EngineCore::HeldImages images_;
    Sampler sampler_;
    std::optional<AnswerGuide> guide_;
    std::vector<float> raw_;                              // the row as the model gave it, where something is told of it and it was changed
    std::optional<TokenLogprobs> chosen_;                 // of the id that was chosen last
    std::vector<NumberSpread::Chance> number_;            // empty: it is no number
    Utf8Stream utf8_;
    Outbox outbox_;
    Completion out_;
    std::vector<TokenId> due_;
    std::int64_t first_wanted_ = 0;
    std::size_t guessed_ = 0; // of due_, at its end
    PromptLookup lookup_;
    GuessPolicy guess_policy_;
    std::optional<TimePoint> decoding_since_;
    std::optional<Error> error_;
    bool has_paused_ = false;
    bool has_ended_ = false;
};

} // namespace handeye
