// SPDX-License-Identifier: Apache-2.0
#include "server/openai/answering.h"

#include <algorithm>

#include <utility>

namespace handeye {
namespace {

OpenAiResponse to_response(const Error& error) {
    const ApiError told = api_error(error);
    return {.status = told.status, .body = error_json(told)};
}

std::size_t part_count(const ChatCall& call) { return std::max<std::size_t>(1, call.prompts.size()) * static_cast<std::size_t>(call.choices); }

void append(AnswerPiece& out, AnswerPiece&& more) {
    out.reasoning += more.reasoning;
    out.content += more.content;
    std::move(more.logprobs.begin(), more.logprobs.end(), std::back_inserter(out.logprobs));
}

} // namespace

Answering::Answering(ChatCall call, AnswerHead head, Exchange exchange, ModelGate& gate, std::optional<TimePoint> deadline)
    : call_(std::move(call)), head_(std::move(head)), exchange_(std::move(exchange)), gate_(gate), deadline_(deadline), on_gone_(exchange_.stop, [this] { stop_.request_stop(); }),
      splits_(part_count(call_), AnswerSplit(call_)), choices_(splits_.size()), is_begun_(splits_.size()), sent_(splits_.size()), left_(splits_.size()) {}

Result<ChatRequest> Answering::request_of(std::size_t part) {
    const auto choices = static_cast<std::size_t>(call_.choices);
    ChatRequest request = call_.request; // pictures are shared, not copied
    request.sampling.seed += part % choices;
    if (!call_.prompts.empty()) {
        request.raw_prompt = call_.prompts[part / choices];
    }
    if (deadline_) {
        const Duration left = *deadline_ - std::chrono::steady_clock::now();
        if (left <= Duration::zero()) {
            return Error{ErrorCode::DeadlineExceeded, "the time of the request was up before the model was free (--request-timeout); ask again later"};
        }
        request.time_limit = left;
    }
    return request;
}

Result<std::string> Answering::echo_of(const ChatRequest& request) {
    if (!call_.wants_echo) {
        return std::string();
    }
    if (const auto* const text = std::get_if<std::string>(&*request.raw_prompt); text != nullptr) {
        return *text;
    }
    const TokenizedPrompt prompt = TRY(gate_.tokenize(request, stop_.get_token()));
    std::string text;
    for (const std::string& bytes : prompt.bytes) {
        text += bytes;
    }
    return text;
}

Result<Completion> Answering::generate(std::size_t part) {
    const ChatRequest request = TRY(request_of(part));
    AnswerPiece echo{.reasoning = {}, .content = TRY(echo_of(request)), .logprobs = {}};
    choices_[part].echo_bytes = echo.content.size();
    if (!call_.is_stream) {
        choices_[part].text = std::move(echo);
        return gate_.generate(request, [](const TextPiece&) {}, stop_.get_token());
    }
    if (!echo.is_empty()) {
        send_piece(part, echo);
    }
    return gate_.generate(request, [&](const TextPiece& piece) { send_piece(part, splits_[part].push(piece)); }, stop_.get_token());
}

void Answering::answer(std::size_t part) {
    if (stop_.stop_requested()) {
        leave(); // nobody waits for it any more
        return;
    }
    const Result<Completion> done = generate(part);
    if (done) {
        finish_part(part, *done);
    } else {
        fail(done.error());
    }
    leave();
}

// The stream begins with the first text: what goes wrong before it is an answer with a status of its own.
void Answering::send_piece(std::size_t part, const AnswerPiece& piece) {
    const std::lock_guard lock(mutex_);
    if (failure_) {
        return;
    }
    if (!std::exchange(is_streaming_, true)) {
        exchange_.begin_stream();
    }
    if (!is_begun_[part]) {
        is_begun_[part] = true;
        if (std::string first = first_chunk(head_, part); !first.empty()) {
            exchange_.send(std::move(first));
        }
    }
    if (!piece.is_empty()) {
        exchange_.send(text_chunk(head_, part, piece, sent_[part]));
        sent_[part] += piece.content.size();
    }
}

void Answering::finish_part(std::size_t part, const Completion& done) {
    AnswerSplit& split = splits_[part];
    AnswerPiece text = call_.is_stream ? AnswerPiece() : split.push({.text_utf8 = done.text_utf8, .logprobs = done.logprobs});
    AnswerRest rest = split.finish();
    if (call_.is_stream) {
        send_piece(part, rest.piece);
    }
    const std::lock_guard lock(mutex_);
    if (part % static_cast<std::size_t>(call_.choices) == 0) { // a prompt is counted once, however many choices it has
        usage_.prompt_tokens += done.usage.prompt_tokens;
        usage_.reused_tokens += done.usage.reused_tokens;
    }
    usage_.completion_tokens += done.usage.completion_tokens;
    if (call_.is_stream) {
        if (!failure_) {
            exchange_.send(last_chunk(head_, part, rest.calls, done.stop_reason));
        }
        return;
    }
    Choice& choice = choices_[part];
    append(choice.text, std::move(text));
    append(choice.text, std::move(rest.piece));
    choice.calls = std::move(rest.calls);
    choice.stop_reason = done.stop_reason;
}

void Answering::fail(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (!failure_) {
            failure_ = error;
        }
    }
    stop_.request_stop();
}

void Answering::leave() {
    const std::lock_guard lock(mutex_);
    if (--left_ > 0) {
        return;
    }
    if (!is_streaming_) {
        exchange_.respond(failure_ ? to_response(*failure_) : OpenAiResponse{.status = 200, .body = completion_json(head_, choices_, usage_)});
        return;
    }
    if (failure_) {
        exchange_.send(event_of(error_json(api_error(*failure_))));
    } else if (call_.wants_usage) {
        exchange_.send(usage_chunk(head_, usage_));
    }
    exchange_.send(std::string(kStreamEnd));
    exchange_.end();
}

} // namespace handeye
