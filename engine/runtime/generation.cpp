// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/generation.h"

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
    return check_sampling(request.sampling);
}

} // namespace

Generation::Generation(EngineCore& core, const ChatRequest& request, const OnText& on_text, std::stop_token stop)
    : core_(core), request_(request), on_text_(on_text), stop_(std::move(stop)), sampler_(request.sampling) {}

Result<Completion> Generation::run() {
    const TimePoint begin = engine_now();
    TRY(check_request(request_));
    const Prompt prompt = TRY(build_prompt(core_.prompt_context(), request_, TypedControlTokens::StayText));
    out_.usage.prompt_tokens = static_cast<int>(prompt.ids.size());
    out_.usage.image_tokens = prompt.image_tokens;
    out_.usage.timings.preprocess = engine_now() - begin;
    position_offset_ = prompt.position_offset;
    auto prefilled = core_.prefill(prompt, stop_, out_.usage.timings);
    if (!prefilled && prefilled.error().code == ErrorCode::Cancelled) {
        end(StopReason::Cancelled);
        return std::move(out_);
    }
    EngineCore::Prefill first = TRY(std::move(prefilled));
    out_.usage.reused_tokens = static_cast<int>(first.reused);
    sampler_.observe(prompt.ids);
    const TimePoint decoding = engine_now();
    out_.usage.timings.first_token = decoding - begin;
    TRY(decode(first.logits));
    out_.usage.timings.decode = engine_now() - decoding;
    const std::string tail = utf8_.flush();
    out_.text_utf8 += tail;
    if (on_text_ && !tail.empty()) {
        on_text_(tail);
    }
    out_.usage.completion_tokens = static_cast<int>(out_.ids.size());
    return std::move(out_);
}

Result<void> Generation::decode(std::span<float> logits) {
    logits_ = logits;
    for (;;) {
        if (stop_.stop_requested()) {
            end(StopReason::Cancelled);
            return {};
        }
        const TokenId id = TRY(sampler_.choose(logits_));
        auto next = take(id);
        if (!next && next.error().code == ErrorCode::Cancelled) {
            end(StopReason::Cancelled);
            return {};
        }
        if (const Next what = TRY(std::move(next)); what == Next::End) {
            return {};
        }
    }
}

Result<Generation::Next> Generation::take(TokenId id) {
    if (is_stop_id(id)) {
        const Close close = TRY(close_thought(PauseCause::StoppedByItself));
        return close == Close::Appended ? Next::Continue : end(StopReason::StopToken);
    }
    const std::size_t before = out_.text_utf8.size();
    emit(id);
    if (ends_in_stop_text(before)) {
        return end(StopReason::StopText);
    }
    if (new_count() >= request_.max_new_tokens) {
        return end(StopReason::MaxTokens);
    }
    if (core_.timeline().size() + 1 >= core_.timeline().capacity()) {
        return end(StopReason::ContextFull);
    }
    TRY(feed(std::array{id}));
    if (request_.thinking_budget && new_count() >= *request_.thinking_budget) {
        const Close close = TRY(close_thought(PauseCause::BudgetSpent));
        return close == Close::NoRoom ? end(StopReason::MaxTokens) : Next::Continue;
    }
    return Next::Continue;
}

// At most once per answer. After Appended the logits are those that follow the appended ids.
Result<Generation::Close> Generation::close_thought(PauseCause cause) {
    if (!request_.thinking_budget || has_paused_) {
        return Close::Nothing;
    }
    has_paused_ = true;
    const std::vector<TokenId> ids = forced_close(out_.ids, ThinkingTags::of(core_.tokenizer()), cause);
    if (ids.empty()) {
        return Close::Nothing;
    }
    const auto count = static_cast<std::int64_t>(ids.size());
    if (new_count() + count >= request_.max_new_tokens ||
        core_.timeline().size() + count >= core_.timeline().capacity()) {
        return Close::NoRoom;
    }
    out_.usage.thinking_forced_close = true;
    for (const TokenId id : ids) {
        emit(id);
    }
    TRY(feed(ids));
    return Close::Appended;
}

Result<void> Generation::feed(std::span<const TokenId> ids) {
    logits_ = TRY(core_.feed(ids, position_offset_, stop_));
    return {};
}

void Generation::emit(TokenId id) {
    const std::string text = utf8_.push(core_.tokenizer().token_bytes(id));
    sampler_.observe(std::array{id});
    out_.ids.push_back(id);
    out_.text_utf8 += text;
    if (on_text_ && !text.empty()) {
        on_text_(text);
    }
}

Generation::Next Generation::end(StopReason reason) {
    out_.stop_reason = reason;
    return Next::End;
}

bool Generation::is_stop_id(TokenId id) const {
    const std::vector<TokenId>& ids = core_.model().stop_ids;
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Whether a stop text ends inside what was just added after `before` bytes.
bool Generation::ends_in_stop_text(std::size_t before) const {
    return std::any_of(request_.stop_texts.begin(), request_.stop_texts.end(), [&](const std::string& stop) {
        const std::size_t from = before >= stop.size() ? before - stop.size() + 1 : 0;
        return out_.text_utf8.find(stop, from) != std::string::npos;
    });
}

} // namespace handeye
