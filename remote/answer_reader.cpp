// SPDX-License-Identifier: Apache-2.0
#include "remote/answer_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr Duration kAfterFinish = std::chrono::seconds(5); // for the usage that follows
constexpr std::string_view kDone = "[DONE]";

Failure lost(ErrorCode code, const std::string& what) { return {Failure::Kind::Lost, {code, what}, {}}; }

} // namespace

// A logarithm that no probability has: whoever reads it must not take it for certain.
TokenLogprobs told_by_nobody(std::string_view text) { return {.token = {.id = -1, .logprob = 1, .bytes = std::string(text)}, .top = {}}; }

// Tags that were put in here, and thinking whose tokens some servers do not tell, stand in front.
std::vector<TokenLogprobs> AnswerReader::tokens_of(std::string_view grown, std::vector<TokenLogprobs> told) const {
    if (!options_.wants_logprobs || grown.empty()) {
        return {};
    }
    std::string bytes;
    for (const TokenLogprobs& one : told) {
        bytes += one.token.bytes;
    }
    if (!grown.ends_with(bytes)) {
        return {told_by_nobody(grown)};
    }
    if (bytes.size() < grown.size()) {
        told.insert(told.begin(), told_by_nobody(grown.substr(0, grown.size() - bytes.size())));
    }
    return told;
}

AnswerReader::AnswerReader(AnswerReaderOptions options, OnGrown on_grown)
    : options_(std::move(options)), on_grown_(std::move(on_grown)), text_(options_.text), events_(options_.limits.event_bytes_max) {}

Result<void> AnswerReader::take_event(std::string_view data) {
    if (is_done_ || is_stopped_) {
        return {};
    }
    if (data == kDone) {
        is_done_ = true;
        return {};
    }
    AnswerChunk chunk = TRY(read_chunk(without_key(std::string(data), api_key_), options_.limits.event_bytes_max));
    if (chunk.complaint) {
        complaint_ = std::move(chunk.complaint);
        return Error{ErrorCode::Unavailable, complaint_->message};
    }
    counts_ = chunk.usage ? chunk.usage : counts_;
    finish_ = chunk.finish.empty() ? finish_ : std::move(chunk.finish);
    if (!chunk.content.empty() || !chunk.reasoning.empty()) {
        ++pieces_;
        last_piece_ = std::chrono::steady_clock::now();
        const std::size_t before = text_.text().size();
        is_stopped_ = TRY(text_.add(chunk)) == AnswerText::Grown::StopText;
        const std::string_view text = text_.text();
        const std::vector<TokenLogprobs> tokens = tokens_of(text.substr(std::min(before, text.size())), std::move(chunk.logprobs));
        logprobs_.insert(logprobs_.end(), tokens.begin(), tokens.end());
        on_grown_(text_.text(), tokens);
    }
    return {};
}

Result<void> AnswerReader::take_bytes(std::string_view bytes, bool is_stream) {
    bytes_ += bytes.size();
    if (bytes_ > (is_stream ? options_.limits.stream_bytes_max : options_.limits.event_bytes_max)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("more than {} bytes for one answer", is_stream ? options_.limits.stream_bytes_max : options_.limits.event_bytes_max)};
    }
    if (!is_stream) {
        whole_ += bytes;
        return {};
    }
    return events_.push(bytes, [this](std::string_view data) { return take_event(data); });
}

Outcome<AnswerEnd> AnswerReader::read(HttpStream& stream, const HttpHead& head, const WaitUntil& wait_until, const std::string& api_key) {
    api_key_ = api_key;
    const std::string type = without_key(std::string(head.field("content-type")), api_key);
    const bool is_stream = type.starts_with("text/event-stream");
    if (!is_stream && !type.starts_with("application/json")) {
        return Failure{Failure::Kind::Unusable, {ErrorCode::ParseFailed, fmt::format("it answered \"{}\", neither events nor JSON", type.substr(0, 64))}, {}};
    }
    last_piece_ = std::chrono::steady_clock::now();
    while (!is_done_ && !is_stopped_) {
        const Duration timeout = !finish_.empty() ? kAfterFinish : pieces_ > 0 ? options_.timeouts.between_tokens : options_.timeouts.first_token;
        const StreamWait wait = wait_until(last_piece_ + timeout, timeout);
        if (wait.stop.stop_requested()) {
            return lost(ErrorCode::Cancelled, "stopped");
        }
        const bool is_over = std::chrono::steady_clock::now() >= wait.deadline; // bytes that come all the time are no tokens
        const auto piece = is_over ? Result<std::string_view>(Error{ErrorCode::DeadlineExceeded, "no token in time"}) : stream.read_some(wait);
        if (!piece && !finish_.empty()) {
            break; // only its figures are missing
        }
        if (!piece) {
            const bool is_late = piece.error().code == ErrorCode::DeadlineExceeded;
            return is_late ? Failure{Failure::Kind::Silent, {ErrorCode::DeadlineExceeded, fmt::format("{} for {} s", pieces_ > 0 ? "no further token" : "no token", std::chrono::duration<double>(timeout).count())}, {}}
                           : failure_of(piece.error());
        }
        if (piece->empty()) {
            break;
        }
        if (auto taken = take_bytes(*piece, is_stream); !taken) {
            return complaint_ ? failure_of(*complaint_, api_key) : lost(taken.error().code, "its answer cannot be read: " + taken.error().message);
        }
    }
    if (!is_stream) {
        if (auto taken = take_event(whole_); !taken) {
            return complaint_ ? failure_of(*complaint_, api_key) : lost(taken.error().code, "its answer cannot be read: " + taken.error().message);
        }
        is_done_ = true;
    }
    return end_of_stream();
}

StopReason AnswerReader::reason_of_finish() const {
    if (is_stopped_) {
        return StopReason::StopText;
    }
    if (finish_ != "length") {
        return StopReason::StopToken;
    }
    const bool is_short = options_.tokens_max == 0 || (counts_ && counts_->completion > 0 && counts_->completion < options_.tokens_max);
    return is_short ? StopReason::ContextFull : StopReason::MaxTokens;
}

Outcome<AnswerEnd> AnswerReader::end_of_stream() {
    if (finish_.empty() && !is_done_ && !is_stopped_) {
        return lost(ErrorCode::Unavailable, pieces_ > 0 ? "the connection ended in the middle of the answer" : "the connection ended before the answer");
    }
    if (finish_ == "abort" || finish_ == "error") {
        return lost(ErrorCode::Unavailable, fmt::format("it ended the answer with \"{}\"", finish_));
    }
    return end_here(reason_of_finish());
}

AnswerEnd AnswerReader::end_here(StopReason reason) {
    text_.finish(reason == StopReason::StopToken);
    AnswerEnd end{.text = text_.text(), .reason = reason, .counts = counts_.value_or(TokenCounts{}), .logprobs = std::move(logprobs_), .numbers = std::move(text_.numbers())};
    if (end.counts.completion == 0) {
        end.counts.completion = pieces_;
    }
    return end;
}

} // namespace handeye
