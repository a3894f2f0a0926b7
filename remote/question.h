// SPDX-License-Identifier: Apache-2.0
// One question on its way through the servers: asked of one after the other until one has answered it whole.
#pragma once

#include "engine/chat_model.h"
#include "remote/answer_reader.h"
#include "remote/call.h"
#include "remote/picture_urls.h"
#include "remote/pool.h"

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

/// One thread. Borrows everything.
class Question {
public:
    struct Parts {
        const Caller& caller;
        Pool& pool;
        PictureUrls& pictures;
    };
    Question(const Parts& parts, const ChatRequest& request, const OnText& on_text, std::stop_token stop);

    /// The whole answer of one server, whose traits the pool knows, from its beginning. What earlier servers wrote before they broke
    /// off is not shown twice: the new text is passed on from where it is longer than what was shown.
    Outcome<Completion> ask(std::size_t server);
    /// What there is when the question is given up before a server has answered.
    [[nodiscard]] Completion unanswered(StopReason reason) const;

    [[nodiscard]] bool is_time_up() const { return time_up_ && std::chrono::steady_clock::now() >= *time_up_; }
    [[nodiscard]] std::optional<TimePoint> time_up() const { return time_up_; }
    /// Answers that broke off after their first text.
    [[nodiscard]] int breaks() const { return breaks_; }

private:
    /// One request of those that an answer takes: with a thinking budget they may be two.
    struct Leg {
        std::string begun;            ///< the text so far, for the server to go on with
        bool is_answer_begun = false; ///< its thought was closed by force
        int tokens_max = 0;           ///< 0: as many as the context holds
    };
    Outcome<AnswerEnd> run_leg(std::size_t server, Leg leg);
    /// nullopt: ask again, in the words that are left.
    std::optional<Failure> rephrase(const HttpHead& head, const ServerComplaint& complaint, const std::vector<std::string>& fields, ServerTraits& traits, Leg& leg) const;
    Outcome<AnswerEnd> read_answer(std::size_t server, HttpStream& stream, const HttpHead& head, const Leg& leg);
    [[nodiscard]] bool keeps_budget(std::size_t server, const ServerTraits& traits) const;
    void close_thought(Leg& leg, const ServerTraits& traits, Completion& out);
    [[nodiscard]] Completion finished(Completion out, AnswerEnd end) const;

    [[nodiscard]] StreamWait wait_until(TimePoint deadline, Duration timeout) const;
    /// Whether an error is the caller's own wish.
    [[nodiscard]] std::optional<StopReason> given_up_by(const Error& error) const;
    void show(const std::string& text, const std::vector<TokenLogprobs>& logprobs);
    void say_left_out(std::size_t server, const std::string& what) const;

    const Parts parts_;
    const RemoteOptions& options_;
    const ChatRequest& request_;
    const OnText& on_text_;
    const std::stop_token stop_;
    const TimePoint begin_;
    const std::optional<TimePoint> time_up_;
    std::size_t shown_bytes_ = 0;
    std::string longest_; ///< text of the answer that came furthest
    std::optional<TimePoint> first_token_;
    int breaks_ = 0;
    bool can_continue_ = true; ///< no server has refused to go on with this answer
};

} // namespace handeye
