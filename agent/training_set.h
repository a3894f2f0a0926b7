// SPDX-License-Identifier: Apache-2.0
// A recorded step as question and answer with its pictures, and the folder that a set of such records is written to.
// Inside this folder only.
#pragma once

#include "agent/export.h"
#include "agent/report_model.h"

#include <map>
#include <string>
#include <vector>

namespace handeye::training {

using nlohmann::json;
using report::SessionRecord;
using report::StepRecord;
using report::TaskRecord;

/// A recorded frame and the size in which the model was shown it.
struct PictureUse {
    std::string sha256;
    Size recorded; ///< as the recording says
    Size fed;
};
struct Question {
    std::string text; ///< with "<image>" for each picture, in order
    std::vector<PictureUse> pictures;
    PictureUse current; ///< the one of them that shows the screen as it is now
    std::string dialect;
};

/// The last question of task.steps[at]. The recording keeps frames, not what was made of them: which frame stands at which
/// place follows from the prompt's own order, and its size must fit. An Error says why the step cannot be used.
Result<Question> question_of(const Recording& recording, const TaskRecord& task, std::size_t at);
/// The answer from which the step's action was read, in `form`.
Result<std::string> answer_of(const Recording& recording, const StepRecord& step, AnswerForm form);
/// The form of the model that was asked.
AnswerForm form_of(const SessionRecord& session);
/// Name of a picture within the set's folder.
std::string picture_path(const PictureUse& use);

/// A set on its way to the disk.
struct Set {
    std::string name;   ///< of the set: NAME.json
    json columns;       ///< of dataset_info.json
    bool is_ranking = false;
    json records = json::array();
    std::map<std::string, PictureUse> pictures; ///< by path
    TrainingExport told;

    /// Paths for a record, which the set then holds.
    json take(const std::vector<PictureUse>& uses);
};
/// Fills `folder` and completes `set.told`. InvalidArgument: the folder is neither new nor empty.
Result<TrainingExport> write_set(const Recording& recording, Set set, const std::filesystem::path& folder);

} // namespace handeye::training
