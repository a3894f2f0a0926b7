// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/sequence.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

Result<void> check_request(const ChatRequest& request) {
    if (request.max_new_tokens < 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("max_new_tokens {} is below 1", request.max_new_tokens)};
    }
    if (request.thinking_budget && *request.thinking_budget < 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("thinking_budget {} is below 1", *request.thinking_budget)};
    }
    if (std::any_of(request.stop_texts.begin(), request.stop_texts.end(), [](const auto& t) { return t.empty(); })) {
        return Error{ErrorCode::InvalidArgument, "a stop text is empty"};
    }
    if (request.top_logprobs && (*request.top_logprobs < 0 || *request.top_logprobs > kTopLogprobsMax)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("top_logprobs {} is outside 0..{}", *request.top_logprobs, kTopLogprobsMax)};
    }
    if (request.time_limit && *request.time_limit <= Duration::zero()) {
        return Error{ErrorCode::InvalidArgument, "a time limit of nothing"};
    }
    return check_sampling(request.sampling);
}

} // namespace

TokenSequence::TokenSequence(const EngineCore& core, const ChatRequest& request, std::stop_token stop)
    : core_(core), request_(request), stop_(std::move(stop)), begun_(engine_now()), sampler_(request.sampling) {}

Result<std::unique_ptr<TokenSequence>> TokenSequence::begin(const EngineCore& core, const ChatRequest& request, std::stop_token stop, std::span<const TokenId> earlier) {
    TRY(check_request(request));
    std::unique_ptr<TokenSequence> sequence(new TokenSequence(core, request, std::move(stop)));
    sequence->prompt_ = TRY(build_prompt(core.prompt_context(), request, TypedControlTokens::StayText));
    const auto count = static_cast<std::int64_t>(sequence->prompt_.ids.size());
    if (count >= core.timeline().capacity()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a prompt of {} tokens in a context of {}", count, core.timeline().capacity())};
    }
    Usage& usage = sequence->out_.usage;
    usage.prompt_tokens = static_cast<int>(count);
    usage.image_tokens = sequence->prompt_.image_tokens;
    usage.timings.preprocess = engine_now() - sequence->begun_;
    sequence->sampler_.observe(sequence->prompt_.ids);
    sequence->lookup_.append(earlier);
    sequence->lookup_.append(sequence->prompt_.ids);
    if (request.grammar) {
        sequence->guide_ = TRY(AnswerGuide::start(core.grammars(), core.tokenizer(), *request.grammar, sequence->prompt_.ids));
    }
    return sequence;
}

void TokenSequence::note_reused(std::int64_t tokens) {
    if (folded_ == 0) {
        out_.usage.reused_tokens = static_cast<int>(tokens);
    }
}

std::int64_t TokenSequence::length() const {
    return static_cast<std::int64_t>(prompt_.ids.size()) + new_count() - static_cast<std::int64_t>(folded_);
}

bool TokenSequence::take(std::span<const LogitRow> rows) {
    if (!decoding_since_) {
        decoding_since_ = engine_now();
        timings().first_token = *decoding_since_ - begun_;
    }
    const std::vector<TokenId> fed = std::exchange(due_, {});
    guessed_ = 0;
    auto next = static_cast<std::size_t>(first_wanted_);
    for (const LogitRow& row : rows) {
        const auto id = choose(row);
        if (!id) {
            fail(id.error());
            break;
        }
        ++next;
        const bool is_over = accept(*id) == Next::End;
        if (is_over || next >= fed.size() || due_.size() != 1 || due_.front() != fed[next]) {
            break; // what was guessed beyond is not what was chosen
        }
    }
    timeline->truncate(timeline->size() - static_cast<std::int64_t>(fed.size() - std::min(next, fed.size())));
    return has_ended_;
}

Result<TokenId> TokenSequence::choose(const LogitRow& row) {
    raw_.clear();
    const TokenId id = TRY(pick(row));
    TRY(tell(row, id));
    if (guide_ && !is_stop_id(id)) {
        TRY(guide_->accept(id));
    }
    return id;
}

// From a device's best logits where they tell it; then from the best that may come; else from all.
Result<TokenId> TokenSequence::pick(const LogitRow& row) {
    const AllowedIds allowed = guide_ ? TRY(guide_->allowed()) : AllowedIds();
    if (row.best() != nullptr && sampler_.can_use_best()) {
        const auto may_come = [&](TokenId id) { return allowed.has(id); };
        if (const auto id = allowed.are_all() ? sampler_.choose_from_best(*row.best(), {}) : sampler_.choose_from_best(*row.best(), may_come)) {
            return *id;
        }
        if (!allowed.are_all()) {
            if (const auto id = sampler_.choose_from_best(TRY(row.best_of(allowed.bits())), {})) {
                return *id;
            }
        }
    }
    const std::span<float> logits = TRY(row.whole());
    if (request_.top_logprobs || request_.number_chances) {
        raw_.assign(logits.begin(), logits.end());
    }
    allowed.mask(logits);
    return sampler_.choose(logits);
}

Result<void> TokenSequence::tell(const LogitRow& row, TokenId id) {
    const auto raw = [&]() -> Result<std::span<const float>> {
        return raw_.empty() ? std::span<const float>(TRY(row.whole())) : std::span<const float>(raw_);
    };
    if (request_.top_logprobs) {
        chosen_ = row.best() != nullptr ? token_logprobs(core_.tokenizer(), *row.best(), id, *request_.top_logprobs) : std::nullopt;
        if (!chosen_) {
            chosen_ = token_logprobs(core_.tokenizer(), TRY(raw()), id, *request_.top_logprobs);
        }
    }
    if (request_.number_chances && core_.numbers().value_of(id)) {
        auto chances = row.best() != nullptr ? number_chances(core_.numbers(), *row.best()) : std::nullopt;
        number_ = chances ? *std::move(chances) : number_chances(core_.numbers(), TRY(raw()));
    }
    return {};
}

void TokenSequence::guess(std::size_t room) {
    if (due_.size() != 1) {
        return;
    }
    const auto left = static_cast<std::size_t>(std::max<std::int64_t>(0, core_.timeline().capacity() - length() - 1));
    const std::vector<TokenId> ids = lookup_.guess(std::min({room, left, guess_policy_.allowed()}));
    guessed_ = ids.size();
    due_.insert(due_.end(), ids.begin(), ids.end());
}

TokenSequence::Next TokenSequence::accept(TokenId id) {
    due_.clear();
    if (is_stop_id(id)) {
        return close_thought(PauseCause::StoppedByItself) == Close::Appended ? Next::Continue : end(StopReason::StopToken);
    }
    const std::size_t before = out_.text_utf8.size();
    emit(id);
    if (ends_in_stop_text(before)) {
        return end(StopReason::StopText);
    }
    if (new_count() >= request_.max_new_tokens) {
        return end(StopReason::MaxTokens);
    }
    if (length() >= core_.timeline().capacity()) {
        return end(StopReason::ContextFull);
    }
    due_.push_back(id);
    first_wanted_ = 0;
    if (guide_ && guide_->is_complete()) {
        return end(StopReason::StopToken); // only that could follow
    }
    if (guide_ && append_forced() == Next::End) {
        return Next::End;
    }
    if (request_.thinking_budget && new_count() >= *request_.thinking_budget) {
        return close_thought(PauseCause::BudgetSpent) == Close::NoRoom ? end(StopReason::MaxTokens) : Next::Continue;
    }
    return Next::Continue;
}

bool TokenSequence::has_room(std::int64_t tokens) const {
    return new_count() + tokens < request_.max_new_tokens && length() + tokens < core_.timeline().capacity();
}

// What the grammar leaves no choice about needs no pass of its own: it is computed with the next one.
TokenSequence::Next TokenSequence::append_forced() {
    for (const TokenId id : guide_->forced()) {
        if (!has_room(1) || !guide_->accept(id)) {
            break;
        }
        const std::size_t before = out_.text_utf8.size();
        emit(id);
        due_.push_back(id);
        if (ends_in_stop_text(before)) {
            return end(StopReason::StopText);
        }
    }
    first_wanted_ = static_cast<std::int64_t>(due_.size()) - 1;
    return guide_->is_complete() ? end(StopReason::StopToken) : Next::Continue;
}

// At most once per answer. Under a grammar a thought that just ends is closed, too: the answer is still to come. After Appended the closing ids are due, too.
TokenSequence::Close TokenSequence::close_thought(PauseCause cause) {
    const bool is_asked = request_.thinking_budget || (guide_ && guide_->is_thinking());
    if (!is_asked || has_paused_ || (guide_ && guide_->is_answering())) {
        return Close::Nothing;
    }
    has_paused_ = true;
    const std::vector<TokenId> ids = closing_ids(cause);
    if (ids.empty()) {
        return Close::Nothing;
    }
    if (!has_room(static_cast<std::int64_t>(ids.size()))) {
        return Close::NoRoom;
    }
    out_.usage.thinking_forced_close = true;
    for (const TokenId id : ids) {
        if (guide_ && !guide_->accept(id)) {
            continue; // this grammar's answers are not wrapped in <answer>
        }
        emit(id);
        due_.push_back(id);
    }
    first_wanted_ = static_cast<std::int64_t>(due_.size()) - 1;
    return Close::Appended;
}

// Under a grammar it is known that the thought is open, whatever tags stand in it.
std::vector<TokenId> TokenSequence::closing_ids(PauseCause cause) const {
    const ThinkingTags tags = ThinkingTags::of(core_.tokenizer());
    if (!guide_) {
        return forced_close(out_.ids, tags, cause);
    }
    std::vector<TokenId> ids = core_.tokenizer().encode("</think>", AddedTokens::Recognised);
    if (tags.answer) {
        ids.push_back(*tags.answer);
    }
    return ids;
}

void TokenSequence::start_again() {
    for (std::size_t i = folded_; i < out_.ids.size(); ++i) {
        const auto at = static_cast<std::int32_t>(prompt_.ids.size()) + prompt_.position_offset;
        prompt_.ids.push_back(out_.ids[i]);
        prompt_.sources.push_back({});
        prompt_.positions.push_back({at, at, at});
    }
    folded_ = out_.ids.size();
    due_.clear();
    timeline = nullptr;
}

void TokenSequence::emit(TokenId id) {
    const bool is_shown = !request_.skip_special_tokens || !core_.tokenizer().is_special(id);
    const std::string text = utf8_.push(is_shown ? core_.tokenizer().token_bytes(id) : std::string_view());
    sampler_.observe_new(id);
    lookup_.append(std::array{id});
    if (!number_.empty()) {
        out_.numbers.push_back({.text_offset = out_.text_utf8.size(), .chances = std::exchange(number_, {})});
    }
    out_.ids.push_back(id);
    out_.text_utf8 += text;
    std::vector<TokenLogprobs> told;
    if (request_.top_logprobs) {
        told.push_back(take_logprobs(id));
        out_.logprobs.push_back(told.back());
    }
    if (!text.empty() || !told.empty()) {
        outbox_.add(text, std::move(told));
    }
}

TokenLogprobs TokenSequence::take_logprobs(TokenId id) {
    if (!chosen_) {
        return {.token = {.id = id, .logprob = 0, .bytes = std::string(core_.tokenizer().token_bytes(id))}, .top = {}};
    }
    TokenLogprobs out = *std::move(chosen_);
    chosen_.reset();
    return out;
}

TokenSequence::Next TokenSequence::end(StopReason reason) {
    const std::string tail = utf8_.flush();
    out_.text_utf8 += tail;
    if (!tail.empty()) {
        outbox_.add(tail);
    }
    out_.stop_reason = reason;
    out_.usage.completion_tokens = static_cast<int>(out_.ids.size());
    if (decoding_since_) {
        timings().decode = engine_now() - *decoding_since_;
    }
    has_ended_ = true;
    return Next::End;
}

void TokenSequence::fail(Error error) {
    has_ended_ = true;
    error_ = std::move(error);
}

void TokenSequence::deliver() {
    if (error_) {
        outbox_.end(*std::move(error_));
    } else {
        outbox_.end(std::move(out_));
    }
}

bool TokenSequence::is_stop_id(TokenId id) const {
    const std::vector<TokenId>& ids = core_.model().stop_ids;
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Whether a stop text ends inside what was just added after `before` bytes.
bool TokenSequence::ends_in_stop_text(std::size_t before) const {
    return std::any_of(request_.stop_texts.begin(), request_.stop_texts.end(), [&](const std::string& stop) {
        const std::size_t from = before >= stop.size() ? before - stop.size() + 1 : 0;
        return out_.text_utf8.find(stop, from) != std::string::npos;
    });
}

} // namespace handeye
