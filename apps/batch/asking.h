// SPDX-License-Identifier: Apache-2.0
// Items asked of a model, several at a time, and answers asked of a judge.
#pragma once

#include "apps/batch/question.h"
#include "apps/batch/reading.h"
#include "engine/chat_model.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::batch {

/// What a model said to an item; a line of answers.jsonl.
struct Answer {
    std::size_t line = 0; ///< of the item
    std::string text;     ///< all of it, tags and boxes included
    std::string stop_reason;
    int prompt_tokens = 0;
    int image_tokens = 0;
    int completion_tokens = 0;
    bool is_thought_closed = false; ///< by force, at the thinking budget
    double seconds = 0;             ///< from the question to the end, waiting for others included
};
nlohmann::json to_json(const Answer& answer, const Item& item);
/// ParseFailed for what to_json() did not write.
Result<Answer> answer_from(const nlohmann::json& line);

/// What a judge said to an answer; a line of judgements.jsonl.
struct Judgement {
    std::size_t line = 0;
    bool is_right = false;
    std::string text;
    int tokens = 0; ///< prompt and answer
};
nlohmann::json to_json(const Judgement& judgement);
Result<Judgement> judgement_from(const nlohmann::json& line);

struct AskOptions {
    ChatRequest form; ///< sampling and bounds of every question; its messages are not used. An item's seed is sampling.seed plus its line
    std::size_t at_once = 1;
    std::filesystem::path programs; ///< folder of handeye-decoder and handeye-video
};

/// Calls come from the asking threads, one at a time; an error of one of them ends the asking.
template <class What>
using Heard = std::function<Result<void>(const Item& item, const What& what)>;
using HeardNone = std::function<void(const Item& item, const Error& why)>;

/// Asks all `items`. One that cannot be asked (a picture that is not there, a prompt too long) is `on_none`'s; an error of the model itself
/// three times in a row ends it. Cancelled when `stop` came first.
Result<void> ask(ChatModel& model, const std::vector<const Item*>& items, const FilesBeneath& files, const AskOptions& options, const Heard<Answer>& on_answer, const HeardNone& on_none,
                 const std::stop_token& stop);

struct ToJudge {
    const Item* item = nullptr;
    std::string answer; ///< Reading::answer
};
/// What the judge is asked: whether the answer says what a reference says, yes or no, held to that by a grammar, at temperature 0. The
/// pictures are not shown.
ChatRequest judge_request(const ToJudge& what);
/// Changes with every word of judge_request().
std::string judge_version();
/// As ask(). A judge that says neither yes nor no is `on_none`'s.
Result<void> judge(ChatModel& model, const std::vector<ToJudge>& answers, std::size_t at_once, const Heard<Judgement>& on_judgement, const HeardNone& on_none, const std::stop_token& stop);

} // namespace handeye::batch
