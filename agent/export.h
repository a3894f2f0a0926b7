// SPDX-License-Identifier: Apache-2.0
// A recording as something that other programs read: training data, preference pairs, traces. Nothing leaves the machine, and
// what was painted over or taken out when it was recorded stays so.
#pragma once

#include "agent/recorder.h"
#include "base/geometry.h"
#include "base/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// How the model that is trained wraps its answer.
enum class AnswerForm {
    Glm41V, ///< <think> thoughts, <answer> answer: LLaMA-Factory's template `glm4v`
    Glm45V, ///< <think> thoughts, then the answer: `glm4_5v`; 4.6V writes so, too
};
/// Which of a recording's steps become training data.
enum class TrainingSteps {
    Good, ///< those that had an effect, of tasks that ended done
    All,  ///< denied, failed and ineffective ones, too: the field `result` of each record says which
};
enum class TrainingTurns {
    OnePerRecord, ///< a record is one step: the very prompt of that step and its answer
    OneTask,      ///< a record is one task: its first step's prompt, then a picture and what came of the step before in each turn
};

struct TrainingOptions {
    std::optional<AnswerForm> form; ///< unset: that of the model that was asked
    TrainingSteps steps = TrainingSteps::Good;
    TrainingTurns turns = TrainingTurns::OnePerRecord;
};

struct LeftOut {
    int task = 0;
    int step = 0;
    std::string reason;
};
struct TrainingExport {
    std::filesystem::path file; ///< the records: JSON
    AnswerForm form = AnswerForm::Glm41V;
    int records = 0;
    int pictures = 0;
    std::int64_t pixels_max = 0; ///< of the largest picture: what LLaMA-Factory's image_max_pixels must at least be
    std::vector<LeftOut> left_out;
};
/// LLaMA-Factory's name of the chat template that goes with a form.
std::string_view training_template(AnswerForm form);

/// Records in LLaMA-Factory's sharegpt layout, their pictures (PNG) and dataset_info.json in `folder`, which must be new or empty.
/// InvalidArgument when no step can be used: then nothing is written. What is left out is told with its reason.
Result<TrainingExport> export_llamafactory(const Recording& recording, const std::filesystem::path& folder, const TrainingOptions& options = {});

/// Pairs for preference training, in the same layout with `ranking`: at a step whose action a person refused and then did
/// another in its place (approval.decided deny or take_over, then input), the model's answer is rejected and the person's action is chosen, over the
/// same prompt and pictures. InvalidArgument when the recording holds no such step.
Result<TrainingExport> export_preference(const Recording& recording, const std::filesystem::path& folder, const TrainingOptions& options = {});

/// OTLP/JSON traces: one span per task, step and stage, with the GenAI attributes of OpenTelemetry's semantic conventions.
/// Holds no text of the screen, of a prompt or of an answer. InvalidArgument when the recording holds no task.
Result<std::string> export_otel(const Recording& recording);

} // namespace handeye
