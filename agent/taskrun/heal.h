// SPDX-License-Identifier: Apache-2.0
// A target that is not there as its file names it: the model is asked where it is, and its answer is held against what is known.
// Inside this folder only.
#pragma once

#include "agent/target_words.h"
#include "agent/taskrun/context.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace handeye::taskrun {

/// A target that the model found in place of what a file says.
struct Healed {
    std::filesystem::path file; ///< canonical
    taskfile::Place place;      ///< of the target's words in it
    std::string title;          ///< FILE:LINE: verb label
    std::string missing;        ///< why it was not found, in one line
    std::string call;           ///< the model's answer
    std::string words;          ///< the target as it was found: a flow mapping
};

/// Of one run of a task file.
class Healer {
public:
    Healer(int steps_max, Locator& locator) : left_(steps_max), writer_(locator, task_file_text) {}

    /// Where the model sees the target of a step. A Failure as `missing`, with why nothing was done about it: the step is irreversible,
    /// so many were healed already, or the model points nowhere, at something of another kind or at what is switched off.
    Attempt<Found> find(const Node& step, const Node& target, const Failure& missing, Context& context);
    /// Whether what find() found is still there.
    [[nodiscard]] bool is_there(const Look& look) const;
    /// The step was done there: the change is kept and recorded.
    Outcome keep(Context& context);

    [[nodiscard]] const std::vector<Healed>& healed() const { return healed_; }
    [[nodiscard]] const TargetWriter& writer() const { return writer_; }

private:
    static std::string doubt_about(const Node& step, const Node& target, const Suggestion& suggestion, Context& context);
    Attempt<Found> check(const Node& target, const Suggestion& suggestion, const Failure& missing, Context& context);
    Result<Healed> describe_change(const Node& target, const Suggestion& suggestion, const Failure& missing, Context& context);

    int left_;
    TargetWriter writer_;
    std::string element_json_; // what was told of the target when it was found
    Point at_;
    std::optional<Healed> pending_;
    std::vector<Healed> healed_;
};

} // namespace handeye::taskrun
