// SPDX-License-Identifier: Apache-2.0
#include "remote/question.h"

#include "base/log.h"
#include "remote/request_body.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr int kOk = 200;
constexpr int kBadRequest = 400;
constexpr int kUnprocessable = 422;
constexpr int kTriesMax = 8; // of one question in other words
constexpr std::size_t kComplaintBytesMax = 64U << 10U;
constexpr Duration kComplaintWait = std::chrono::seconds(10);

} // namespace

Question::Question(const Parts& parts, const ChatRequest& request, const OnText& on_text, std::stop_token stop)
    : parts_(parts), options_(parts.caller.options()), request_(request), on_text_(on_text), stop_(std::move(stop)), begin_(std::chrono::steady_clock::now()),
      time_up_(request.time_limit ? std::optional<TimePoint>(begin_ + *request.time_limit) : std::nullopt) {}

StreamWait Question::wait_until(TimePoint deadline, Duration timeout) const { return {std::min(deadline, time_up_.value_or(deadline)), timeout, stop_}; }

std::optional<StopReason> Question::given_up_by(const Error& error) const {
    if (error.code == ErrorCode::Cancelled || stop_.stop_requested()) {
        return StopReason::Cancelled;
    }
    return is_time_up() ? std::optional(StopReason::TimeUp) : std::nullopt;
}

Completion Question::unanswered(StopReason reason) const {
    Completion out;
    out.text_utf8 = longest_;
    out.stop_reason = reason;
    return out;
}

void Question::show(const std::string& text, const std::vector<TokenLogprobs>& logprobs) {
    longest_ = text.size() >= longest_.size() ? text : longest_;
    std::size_t from = shown_bytes_;
    while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U) {
        ++from; // what was shown was another text: not within a character of this one
    }
    if (from >= text.size()) {
        return;
    }
    shown_bytes_ = text.size();
    if (!first_token_) {
        first_token_ = std::chrono::steady_clock::now();
    }
    if (on_text_) {
        on_text_({.text_utf8 = std::string_view(text).substr(from), .logprobs = logprobs});
    }
}

void Question::say_left_out(std::size_t server, const std::string& what) const {
    if (parts_.pool.say_once(server, what)) {
        log::warn("remote", fmt::format("{}: {}", origin_of(parts_.pool.address(server).base), what));
    }
}

// What a server says is no reason to leave a field out for good: only that the question is answered without it.
std::optional<Failure> Question::rephrase(const HttpHead& head, const ServerComplaint& complaint, const std::vector<std::string>& fields, ServerTraits& traits, Leg& leg) const {
    const Failure failure = failure_of(head, complaint, options_.api_key);
    if (head.status != kBadRequest && head.status != kUnprocessable) {
        return failure;
    }
    if (is_about_context(complaint)) { // the prompt may fit, and only prompt and wanted answer together do not
        return std::exchange(leg.tokens_max, 0) == 0 ? std::optional(failure) : std::nullopt;
    }
    const std::vector<std::string> refused = fields_refused(complaint, fields);
    traits.refused.insert(refused.begin(), refused.end());
    const bool is_lost = std::find(refused.begin(), refused.end(), "continue_final_message") != refused.end();
    return refused.empty() || is_lost ? std::optional(failure) : std::nullopt;
}

Outcome<AnswerEnd> Question::run_leg(std::size_t server, Leg leg) {
    ServerTraits traits = *parts_.pool.traits(server);
    std::optional<Failure> first;
    for (int tried = 0; tried < kTriesMax; ++tried) {
        const auto body = request_body(request_, {traits, parts_.pictures, leg.tokens_max, leg.begun});
        if (!body) {
            return Failure{Failure::Kind::Final, body.error(), {}};
        }
        for (const std::string& what : body->left_out) {
            say_left_out(server, fmt::format("{} is left out, which this server is not known to keep; the answer is checked here", what));
        }
        const StreamWait wait = wait_until(std::chrono::steady_clock::now() + options_.timeouts.first_token, options_.timeouts.first_token);
        auto started = parts_.caller.start(parts_.pool.address(server), Caller::Place::Base, body->route, body->json, request_.session, wait);
        if (auto* const failure = std::get_if<Failure>(&started)) {
            return std::move(*failure);
        }
        HttpStream& stream = *std::get<std::unique_ptr<HttpStream>>(started);
        const auto head = stream.read_head(wait);
        if (!head) {
            return failure_of(head.error());
        }
        if (head->status == kOk) {
            const std::vector<std::string> refused(traits.refused.begin(), traits.refused.end());
            parts_.pool.learn_refused(server, refused);
            for (const std::string& field : refused) {
                say_left_out(server, fmt::format("it takes no \"{}\" and is asked without", field));
            }
            return read_answer(server, stream, *head, leg);
        }
        const std::string said = read_rest(stream, kComplaintBytesMax, wait_until(std::chrono::steady_clock::now() + kComplaintWait, kComplaintWait));
        const ServerComplaint complaint = read_complaint(without_key(said, options_.api_key));
        std::optional<Failure> failure = rephrase(*head, complaint, body->fields, traits, leg);
        if (!first) {
            first = failure ? failure : failure_of(*head, complaint, options_.api_key);
        }
        if (failure) {
            if (!leg.begun.empty() && !traits.can_continue()) {
                can_continue_ = false;
                parts_.pool.learn_refused(server, {"continue_final_message"});
            }
            return failure->kind == Failure::Kind::Final ? *first : *failure; // the first words are about the question as it was meant
        }
    }
    return *first;
}

Outcome<AnswerEnd> Question::read_answer(std::size_t server, HttpStream& stream, const HttpHead& head, const Leg& leg) {
    AnswerReader reader({.text = {.stop_texts = request_.stop_texts, .bytes_max = options_.limits.answer_bytes_max, .number_chances = request_.number_chances,
                                  .begun = leg.begun, .is_answer_begun = leg.is_answer_begun},
                         .limits = options_.limits, .timeouts = options_.timeouts, .tokens_max = leg.tokens_max, .wants_logprobs = request_.top_logprobs.has_value()},
                        [this](const std::string& text, const std::vector<TokenLogprobs>& logprobs) { show(text, logprobs); });
    Outcome<AnswerEnd> end = reader.read(stream, head, [this](TimePoint deadline, Duration timeout) { return wait_until(deadline, timeout); }, options_.api_key);
    if (reader.text().was_reasoning_apart()) {
        parts_.pool.learn_splitting(server);
    }
    auto* const failure = std::get_if<Failure>(&end);
    if (failure == nullptr) {
        return end;
    }
    if (const auto reason = given_up_by(failure->error)) {
        return reader.end_here(*reason);
    }
    breaks_ += reader.text().has_new() ? 1 : 0;
    return end;
}

// A thought that is open when its budget is spent is closed, and the server goes on with the answer behind it.
void Question::close_thought(Leg& leg, const ServerTraits& traits, Completion& out) {
    if (leg.begun.find("</think>") != std::string::npos) {
        return; // the answer was being written
    }
    const std::string& prompt = options_.prompt.empty() ? traits.model.prompt : options_.prompt;
    const std::string_view tags = prompt == "glm-4.5v" ? "</think>" : "</think><answer>"; // the older models were trained to write the tag
    leg.begun += tags;
    leg.is_answer_begun = true;
    out.usage.thinking_forced_close = true;
    const std::vector<TokenLogprobs> tokens(request_.top_logprobs ? 1 : 0, told_by_nobody(tags));
    out.logprobs.insert(out.logprobs.end(), tokens.begin(), tokens.end());
    show(leg.begun, tokens);
}

bool Question::keeps_budget(std::size_t server, const ServerTraits& traits) const {
    if (!request_.thinking_budget || *request_.thinking_budget >= request_.max_new_tokens || request_.raw_prompt || traits.closes_thoughts()) {
        return false;
    }
    if (!traits.can_continue() || !can_continue_) {
        say_left_out(server, "it is not known to go on with an answer that has begun, so the thinking budget is not kept there; --max-new-tokens bounds an answer all the same");
        return false;
    }
    return true;
}

Outcome<Completion> Question::ask(std::size_t server) {
    const ServerTraits traits = *parts_.pool.traits(server);
    const bool is_bounded = keeps_budget(server, traits);
    Completion out;
    Leg leg{.begun = {}, .is_answer_begun = false, .tokens_max = is_bounded ? std::max(1, *request_.thinking_budget) : request_.max_new_tokens};
    for (bool is_first = true;; is_first = false) {
        Outcome<AnswerEnd> ended = run_leg(server, leg);
        if (auto* const failure = std::get_if<Failure>(&ended)) {
            if (const auto reason = given_up_by(failure->error)) {
                return unanswered(*reason);
            }
            if (is_bounded && !is_first && !can_continue_) {
                return ask(server); // can_continue_ is false from here on: once
            }
            return std::move(*failure);
        }
        AnswerEnd& end = std::get<AnswerEnd>(ended);
        const int used = out.usage.completion_tokens + end.counts.completion;
        out.usage.prompt_tokens = is_first ? end.counts.prompt : out.usage.prompt_tokens;
        out.usage.image_tokens = is_first ? end.counts.image : out.usage.image_tokens;
        out.usage.reused_tokens = is_first ? end.counts.reused : out.usage.reused_tokens;
        out.usage.completion_tokens = used;
        std::move(end.logprobs.begin(), end.logprobs.end(), std::back_inserter(out.logprobs));
        std::move(end.numbers.begin(), end.numbers.end(), std::back_inserter(out.numbers));
        if (!is_bounded || !is_first || end.reason != StopReason::MaxTokens || used >= request_.max_new_tokens) {
            return finished(std::move(out), std::move(end));
        }
        leg = {.begun = std::move(end.text), .is_answer_begun = false, .tokens_max = request_.max_new_tokens - used};
        close_thought(leg, traits, out);
    }
}

Completion Question::finished(Completion out, AnswerEnd end) const {
    const TimePoint now = std::chrono::steady_clock::now();
    out.text_utf8 = std::move(end.text);
    out.stop_reason = end.reason;
    out.usage.timings.first_token = first_token_.value_or(now) - begin_;
    out.usage.timings.decode = now - first_token_.value_or(now);
    return out;
}

} // namespace handeye
