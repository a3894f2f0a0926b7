// SPDX-License-Identifier: Apache-2.0
// Reads one answer off a connection, as a stream of events or as one JSON document.
#pragma once

#include "base/net/http_stream.h"
#include "engine/chat.h"
#include "remote/answer_text.h"
#include "remote/call.h"
#include "remote/options.h"
#include "remote/sse.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct AnswerEnd {
    std::string text; ///< with what was begun before
    StopReason reason = StopReason::StopToken;
    TokenCounts counts; ///< as the server tells them; where it does not, the new tokens are the pieces that came
    std::vector<TokenLogprobs> logprobs;
    std::vector<NumberSpread> numbers;
};

struct AnswerReaderOptions {
    AnswerTextOptions text;
    RemoteLimits limits;
    RemoteTimeouts timeouts;
    int tokens_max = 0; ///< that were asked for; 0: no bound was said
    bool wants_logprobs = false;
};

/// Text that no token of the server's stands for, as a token whose logprob is 1, which no probability has.
TokenLogprobs told_by_nobody(std::string_view text);

/// One thread, one answer.
class AnswerReader {
public:
    /// Called with the whole text after each piece, and what the server tells of the piece's tokens.
    using OnGrown = std::function<void(const std::string& text, const std::vector<TokenLogprobs>& logprobs)>;
    AnswerReader(AnswerReaderOptions options, OnGrown on_grown);

    /// How long one wait may take, within the question's own limits.
    using WaitUntil = std::function<StreamWait(TimePoint deadline, Duration timeout)>;
    /// `head` is one of status 200. Failures as Failure::Kind says; where the wait's stop is requested, one with the code Cancelled.
    Outcome<AnswerEnd> read(HttpStream& stream, const HttpHead& head, const WaitUntil& wait_until, const std::string& api_key);
    /// What has come so far, as the end.
    AnswerEnd end_here(StopReason reason);

    [[nodiscard]] const AnswerText& text() const { return text_; }

private:
    Result<void> take_event(std::string_view data);
    Result<void> take_bytes(std::string_view bytes, bool is_stream);
    Outcome<AnswerEnd> end_of_stream();
    /// What stands for `grown`, the newest text: the tokens where they are told, so that all together are the text.
    std::vector<TokenLogprobs> tokens_of(std::string_view grown, std::vector<TokenLogprobs> told) const;
    [[nodiscard]] StopReason reason_of_finish() const;

    const AnswerReaderOptions options_;
    const OnGrown on_grown_;
    AnswerText text_;
    SseParser events_;
    std::string api_key_; ///< taken out of all that the server says
    std::string whole_; ///< a document that is no stream
    std::size_t bytes_ = 0;
    int pieces_ = 0;
    TimePoint last_piece_{};
    std::optional<TokenCounts> counts_;
    std::vector<TokenLogprobs> logprobs_;
    std::string finish_;
    std::optional<ServerComplaint> complaint_;
    bool is_stopped_ = false; ///< by a stop text
    bool is_done_ = false;    ///< [DONE]
};

} // namespace handeye
