// SPDX-License-Identifier: Apache-2.0
#include "server/questions.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kRecordsKept = 64;

} // namespace

std::string_view question_state_name(QuestionState state) {
    switch (state) {
    case QuestionState::Pending: return "pending";
    case QuestionState::Answered: return "answered";
    case QuestionState::Expired: return "expired";
    case QuestionState::Dropped: return "dropped";
    }
    return "dropped";
}

QuestionRecord* Questions::find_locked(const std::string& question) {
    const auto found = std::find_if(records_.begin(), records_.end(), [&](const QuestionRecord& r) { return r.question == question; });
    return found == records_.end() ? nullptr : &*found;
}

std::optional<std::string> Questions::ask(const QuestionRecord& record, const std::function<void()>& announce, const std::stop_token& stop) {
    {
        const std::lock_guard lock(mutex_);
        records_.push_back(record);
        if (records_.size() > kRecordsKept) {
            records_.pop_front();
        }
    }
    announce();
    on_change_(record);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, record.expires_at - clock_.wall_now(), [&] { return find_locked(record.question)->state != QuestionState::Pending; });
    QuestionRecord& now = *find_locked(record.question); // the newest: it is not forgotten while it waits
    if (now.state == QuestionState::Pending) {
        now.state = stop.stop_requested() ? QuestionState::Dropped : QuestionState::Expired;
    }
    std::optional<std::string> answer = now.state == QuestionState::Answered ? std::optional(std::move(answer_)) : std::nullopt;
    const QuestionRecord settled = now;
    lock.unlock();
    on_change_(settled);
    return answer;
}

RpcResult<QuestionRecord> Questions::answer(const std::string& question, const std::string& text_utf8, const std::string& by) {
    const std::lock_guard lock(mutex_);
    QuestionRecord* const record = find_locked(question);
    if (record == nullptr) {
        return RpcError{ErrorKind::NoSuchQuestion, fmt::format("there is no question \"{}\"", question), "question"};
    }
    if (record->state != QuestionState::Pending || clock_.wall_now() >= record->expires_at) {
        const QuestionState state = record->state == QuestionState::Pending ? QuestionState::Expired : record->state;
        return RpcError{ErrorKind::NoSuchQuestion, fmt::format("question \"{}\" is {} already", question, question_state_name(state)), "question"};
    }
    const auto& choices = record->choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text_utf8) == choices.end()) {
        return RpcError{ErrorKind::InvalidParams, fmt::format("the answers to choose from are: {}", fmt::join(choices, ", ")), "answer"};
    }
    record->state = QuestionState::Answered;
    record->by = by;
    answer_ = text_utf8;
    changed_.notify_all();
    return *record;
}

std::optional<QuestionRecord> Questions::find(const std::string& question) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(records_.begin(), records_.end(), [&](const QuestionRecord& r) { return r.question == question; });
    return found == records_.end() ? std::nullopt : std::optional(*found);
}

std::vector<QuestionRecord> Questions::list() const {
    const std::lock_guard lock(mutex_);
    return {records_.begin(), records_.end()};
}

} // namespace handeye
