// SPDX-License-Identifier: Apache-2.0
// A model that reads its answers from a list and keeps what it was asked.
#pragma once

#include "engine/chat_model.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace handeye::fakes {

class ScriptedModel final : public ChatModel {
public:
    explicit ScriptedModel(std::vector<std::string> answers = {}) : answers_(answers.begin(), answers.end()) {
        info_.name = "scripted";
        info_.family = "glm4v";
        info_.prompt = "glm-4.1v";
        info_.context_tokens_max = 65536;
    }

    void add(std::string answer) { answers_.push_back(std::move(answer)); }
    /// What is said once the list is used up; unset: EngineLost.
    void set_forever(std::string answer) { forever_ = std::move(answer); }
    void set_prompt(std::string prompt) { info_.prompt = std::move(prompt); }
    void set_tokens(int prompt, int completion) { tokens_ = {prompt, completion}; }
    /// Each answer takes this long on `clock`.
    void set_time(SimClock& clock, Duration per_answer) { clock_ = &clock, per_answer_ = per_answer; }
    /// Answers that ask for it tell that each number was the only one with this probability; the others are nowhere near. In order, the
    /// last one for all that follow.
    void set_certainty(std::vector<double> certainty) { certainty_.assign(certainty.begin(), certainty.end()); }
    /// The next call fails.
    void fail_next(Error error) { failure_ = std::move(error); }
    /// Runs in the middle of each answer: a place to request a stop.
    void set_while_answering(std::function<void()> hook) { while_answering_ = std::move(hook); }

    [[nodiscard]] const std::vector<ChatRequest>& requests() const { return requests_; }

    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override {
        requests_.push_back(request);
        if (failure_) {
            return *std::exchange(failure_, std::nullopt);
        }
        if (answers_.empty() && !forever_) {
            return Error{ErrorCode::EngineLost, "the script has no more answers"};
        }
        std::string answer = answers_.empty() ? *forever_ : answers_.front();
        if (!answers_.empty()) {
            answers_.pop_front();
        }
        Completion out;
        tell_numbers(answer, request, out);
        out.usage.prompt_tokens = tokens_.first;
        out.usage.completion_tokens = tokens_.second;
        if (clock_ != nullptr) {
            clock_->advance(per_answer_);
        }
        for (std::size_t at = 0, end = 0; at < answer.size() && !stop.stop_requested(); at = end) {
            end = std::min(at + kPieceBytes, answer.size());
            while (end < answer.size() && (static_cast<unsigned char>(answer[end]) & 0xC0U) == 0x80U) {
                ++end; // pieces hold whole characters
            }
            const std::string piece = answer.substr(at, end - at);
            out.text_utf8 += piece;
            on_text({piece});
            if (while_answering_) {
                while_answering_();
            }
        }
        out.stop_reason = stop.stop_requested() ? StopReason::Cancelled : StopReason::StopToken;
        return out;
    }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    void tell_numbers(const std::string& answer, const ChatRequest& request, Completion& out) {
        if (!request.number_chances || certainty_.empty()) {
            return;
        }
        const double certainty = certainty_.front();
        if (certainty_.size() > 1) {
            certainty_.pop_front();
        }
        for (std::size_t at = 0; at < answer.size(); ++at) {
            const auto is_digit = [&](std::size_t i) { return i < answer.size() && answer[i] >= '0' && answer[i] <= '9'; };
            if (is_digit(at) && (at == 0 || !is_digit(at - 1))) {
                out.numbers.push_back({.text_offset = at, .chances = {{.value = std::stoi(answer.substr(at)), .probability = certainty}, {.value = kNowhere, .probability = 1 - certainty}}});
            }
        }
        out.logprobs.push_back({.token = {.id = 0, .logprob = 0, .bytes = answer}, .top = {}});
    }

    static constexpr int kNowhere = 100'000; ///< far from every place
    std::deque<double> certainty_;
    static constexpr std::size_t kPieceBytes = 8;
    ModelInfo info_;
    std::deque<std::string> answers_;
    std::optional<std::string> forever_;
    std::pair<int, int> tokens_{100, 20};
    SimClock* clock_ = nullptr;
    Duration per_answer_{};
    std::optional<Error> failure_;
    std::function<void()> while_answering_;
    std::vector<ChatRequest> requests_;
};

} // namespace handeye::fakes
