// SPDX-License-Identifier: Apache-2.0
// Steps in their order: conditions, loops, tries, pop-ups, files within files, and what is done at the end. Inside this folder only.
#pragma once

#include "agent/taskrun/context.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace handeye::taskrun {

class Flow {
public:
    /// `secret_name`: what a secret of a file is called where it is typed.
    using SecretName = std::function<std::string(const taskfile::Loaded& file, const std::string& variable)>;
    Flow(Context& context, SecretName secret_name) : context_(context), secret_name_(std::move(secret_name)) {}

    /// The file with its `finally`. Unset: every step came true.
    Outcome run_file(const taskfile::Loaded& file, const Given& given, std::vector<StepRecord>& records, nlohmann::json& outputs);

private:
    Outcome run_steps(const Node& steps, std::vector<StepRecord>& records);
    Outcome run_step(const Node& step, std::vector<StepRecord>& records);
    Outcome try_step(const Node& step, StepRecord& record);
    Outcome do_once(const Node& step, StepRecord& record);
    Outcome do_verb(const Node& step, StepRecord& record);
    Outcome run_for_each(const Node& step, const Node& call, StepRecord& record);
    Outcome run_repeat(const Node& step, const Node& call, StepRecord& record);
    Outcome run_goal(const Node& step, const Node& call, StepRecord& record);
    /// Unset: there is no path for this goal, or it did not lead there, and the model is to try.
    std::optional<Outcome> take_path(const Node& step, const std::map<std::string, std::string>& values, StepRecord& record);
    Outcome narrow_to(const taskfile::Loaded& file, const Node* limits);
    Outcome run_other_file(const Node& call, StepRecord& record);
    Outcome close_popups();
    Outcome tell(std::string_view what, const StepRecord& record);
    [[nodiscard]] bool may_retry(const Node& step, const Node* retry, const Failure& failure, int attempts) const;
    void finish_record(const Node& step, StepRecord& record, Outcome& failure);

    Context& context_;
    SecretName secret_name_;
    std::map<const Node*, int> popups_closed_;
    bool is_closing_popup_ = false;
    int round_ = 0; ///< of the loop right around the next step; 0: none
};

} // namespace handeye::taskrun
