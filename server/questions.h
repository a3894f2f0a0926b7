// SPDX-License-Identifier: Apache-2.0
// What the task of one session asks people: its thread waits here while somebody answers.
#pragma once

#include "base/clock.h"
#include "server/rpc.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

enum class QuestionState { Pending, Answered, Expired, Dropped };
std::string_view question_state_name(QuestionState state);

struct QuestionRecord {
    std::string session;
    std::string question; ///< ULID
    std::string text_utf8;
    std::vector<std::string> choices; ///< empty: any text will do
    WallTime expires_at{};
    QuestionState state = QuestionState::Pending;
    std::string by; ///< who answered
};

/// Any thread.
class Questions {
public:
    /// `on_change` hears each question when it can be answered and when it waits no more; on the thread that asks, must not block.
    Questions(Clock& clock, std::function<void(const QuestionRecord&)> on_change) : clock_(clock), on_change_(std::move(on_change)) {}

    /// Blocks until somebody has answered, `expires_at`, or `stop`. Calls `announce` once, as soon as it can be answered. nullopt:
    /// nobody answered.
    std::optional<std::string> ask(const QuestionRecord& record, const std::function<void()>& announce, const std::stop_token& stop);
    /// NoSuchQuestion; also when it waits no more. InvalidParams: none of its choices.
    RpcResult<QuestionRecord> answer(const std::string& question, const std::string& text_utf8, const std::string& by);
    [[nodiscard]] std::optional<QuestionRecord> find(const std::string& question) const;
    /// Newest last.
    [[nodiscard]] std::vector<QuestionRecord> list() const;

private:
    QuestionRecord* find_locked(const std::string& question);

    Clock& clock_;
    const std::function<void(const QuestionRecord&)> on_change_;
    mutable std::mutex mutex_; // guards everything below
    std::condition_variable_any changed_;
    std::deque<QuestionRecord> records_; // oldest first
    std::string answer_;                 // to the one that waits
};

} // namespace handeye
