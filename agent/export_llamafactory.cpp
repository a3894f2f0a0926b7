// SPDX-License-Identifier: Apache-2.0
// The layout of the GLM-4.1V model card's finetune.json. A record is one step, because that is how the model is asked: one
// message with the history inside its text. LLaMA-Factory ignores the fields that it was not told of: session, task, step, result, outcome.
#include "agent/export.h"
#include "agent/training_set.h"
#include "agent/training_text.h"

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace training; // NOLINT(google-build-using-namespace): this file writes one of its sets
using report::text_of;

// Why a step is no example to learn from; empty: it is one.
std::string flaw_of(const TaskRecord& task, const StepRecord& step) {
    const std::string outcome = text_of(task.finished, "outcome", "not finished");
    const std::string result = text_of(step.finished, "result", "unfinished");
    if (outcome != "done") {
        return "its task ended " + outcome;
    }
    return result == "confirmed" || result == "unverifiable" || result == "said" ? "" : "its result is " + result;
}

class Writer {
public:
    Writer(const Recording& recording, const TrainingOptions& options) : recording_(recording), options_(options), session_(report::collect(recording)) {
        set_.name = "handeye";
        set_.columns = {{"messages", "messages"}, {"images", "images"}};
        set_.told.form = options.form.value_or(training::form_of(session_));
    }

    Result<Set> take() {
        if (!session_.damage.empty()) {
            return Error{ErrorCode::ParseFailed, session_.damage};
        }
        for (const TaskRecord& task : session_.tasks) {
            add(task);
        }
        if (set_.records.empty()) {
            const std::string why = set_.told.left_out.empty() ? "it holds no step" : fmt::format("of {} steps the first was left out because {}", set_.told.left_out.size(), set_.told.left_out.front().reason);
            return Error{ErrorCode::InvalidArgument, "the recording holds no step to learn from: " + why};
        }
        return std::move(set_);
    }

private:
    void add(const TaskRecord& task) {
        json turns = json::array();
        std::vector<PictureUse> pictures;
        json record;
        for (std::size_t at = 0; at < task.steps.size(); ++at) {
            const StepRecord& step = task.steps[at];
            const Result<std::pair<Question, std::string>> turn = turn_of(task, at);
            if (!turn) {
                set_.told.left_out.push_back({task.index, step.index, turn.error().message});
                continue;
            }
            const bool starts = options_.turns == TrainingTurns::OnePerRecord || turns.empty();
            if (starts) {
                turns = json::array();
                pictures = turn->first.pictures;
                record = facts(task, step);
            } else { // the screen as it is now, and what the model is told of the step before
                pictures.push_back(turn->first.current);
            }
            turns.push_back({{"role", "user"}, {"content", starts ? turn->first.text : "<image>" + plain_text(text_of(task.steps[at - 1].finished, "observation"))}});
            turns.push_back({{"role", "assistant"}, {"content", turn->second}});
            if (options_.turns == TrainingTurns::OnePerRecord) {
                finish(record, turns, pictures);
            }
        }
        if (options_.turns == TrainingTurns::OneTask && !turns.empty()) {
            finish(record, turns, pictures);
        }
    }

    Result<std::pair<Question, std::string>> turn_of(const TaskRecord& task, std::size_t at) const {
        const StepRecord& step = task.steps[at];
        if (const std::string flaw = flaw_of(task, step); !flaw.empty() && options_.steps == TrainingSteps::Good) {
            return Error{ErrorCode::Unsupported, flaw};
        }
        Question question = TRY(question_of(recording_, task, at));
        std::string answer = TRY(answer_of(recording_, step, set_.told.form));
        return std::pair(std::move(question), std::move(answer));
    }

    json facts(const TaskRecord& task, const StepRecord& step) const {
        return {{"session", session_.session_id},
                {"task", task.index},
                {"step", step.index},
                {"result", text_of(step.finished, "result", "unfinished")},
                {"outcome", text_of(task.finished, "outcome", "not finished")}};
    }

    void finish(json record, const json& turns, const std::vector<PictureUse>& pictures) {
        record["messages"] = turns;
        record["images"] = set_.take(pictures);
        set_.records.push_back(std::move(record));
    }

    const Recording& recording_;
    TrainingOptions options_;
    SessionRecord session_;
    Set set_;
};

} // namespace

std::string_view training_template(AnswerForm form) { return form == AnswerForm::Glm41V ? "glm4v" : "glm4_5v"; }

Result<TrainingExport> export_llamafactory(const Recording& recording, const std::filesystem::path& folder, const TrainingOptions& options) {
    Set set = TRY(Writer(recording, options).take());
    return write_set(recording, std::move(set), folder);
}

} // namespace handeye
