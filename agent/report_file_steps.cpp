// SPDX-License-Identifier: Apache-2.0
// A recording of a task file: which of the file's steps each recorded one belongs to, and those that fell short before anything was done.
#include "agent/report_html.h"
#include "agent/report_model.h"
#include "agent/report_words.h"

#include "agent/program.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr std::size_t kOpenMax = 64; // steps within steps
constexpr std::size_t kFileStepsMax = 100'000;

std::string place_of(const json& data) { return fmt::format("{}:{:.0f}", text_of(data, "file"), number_of(data, "line")); }

bool is_aside(const StepRecord& step) { return text_of(field_of(proposal_of(step), "found"), "rung") == kAsideRung; }

/// The step itself fell short, and not one within it.
bool has_own_failure(const FileStep& step) { return text_of(step.data, "status") == "failed" && text_of(field_of(step.data, "failure"), "place", place_of(step.data)) == place_of(step.data); }

/// What was seen last before the step was given up: the look around it, else the step before.
json last_look(const TaskRecord& task, const FileStep& step) {
    for (std::size_t at = std::min(step.end, task.steps.size()); at > 0; --at) {
        const StepRecord& seen = task.steps[at - 1];
        if (seen.after.is_object() || seen.before.is_object()) {
            return seen.after.is_object() ? seen.after : seen.before;
        }
    }
    return nullptr;
}

class Joined {
public:
    Joined(TaskRecord& task, const std::vector<const FileStep*>& of_task) : task_(task), of_step_(task.steps.size(), nullptr) {
        for (const FileStep* const step : of_task) { // the inner ones end first
            for (std::size_t i = step->first; i < std::min(step->end, of_step_.size()); ++i) {
                of_step_[i] = of_step_[i] == nullptr ? step : of_step_[i];
            }
        }
        for (const FileStep* const step : of_task) {
            if (has_own_failure(*step)) {
                add_failure(*step);
            }
        }
    }

    std::vector<StepRecord> steps() {
        std::vector<StepRecord> out;
        for (std::size_t i = 0; i <= of_step_.size(); ++i) {
            for (auto [card, end] = cards_.equal_range(i); card != end; ++card) {
                out.push_back(std::move(card->second));
            }
            if (i == of_step_.size() || is_aside(task_.steps[i])) {
                continue;
            }
            StepRecord step = std::move(task_.steps[i]);
            if (of_step_[i] != nullptr) {
                step.file_step = of_step_[i]->data;
                step.number = std::to_string(of_step_[i]->number);
            }
            out.push_back(std::move(step));
        }
        count(out);
        return out;
    }

private:
    void add_failure(const FileStep& step) {
        for (std::size_t i = std::min(step.end, of_step_.size()); i > step.first; --i) {
            if (!is_aside(task_.steps[i - 1])) {
                task_.steps[i - 1].failure = field_of(step.data, "failure");
                return;
            }
        }
        StepRecord card;
        card.number = std::to_string(step.number);
        card.file_step = step.data;
        card.failure = field_of(step.data, "failure");
        card.before = last_look(task_, step);
        cards_.emplace(std::min(step.end, of_step_.size()), std::move(card));
    }

    /// Several of one step of the file: 4.1, 4.2.
    static void count(std::vector<StepRecord>& steps) {
        for (std::size_t from = 0; from < steps.size();) {
            const auto is_other = [&](const StepRecord& step) { return step.number != steps[from].number; };
            const auto end = static_cast<std::size_t>(std::find_if(steps.begin() + static_cast<std::ptrdiff_t>(from), steps.end(), is_other) - steps.begin());
            const bool is_counted = end - from > 1 && !steps[from].number.empty();
            for (std::size_t i = from; is_counted && i < end; ++i) {
                steps[i].number += fmt::format(".{}", i - from + 1);
            }
            from = end;
        }
    }

    TaskRecord& task_;
    std::vector<const FileStep*> of_step_;
    std::multimap<std::size_t, StepRecord> cards_; // by the place before which they come
};

/// A program's window comes after the step that started it: what the next step saw is what came of it.
void take_late_effects(std::vector<StepRecord>& steps) {
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
        StepRecord& step = steps[i];
        const std::string verb = text_of(proposal_of(step), "verb");
        const bool opens = verb == "open_app" || verb == "open_url";
        if (opens && result_of(step) == "suspected_noop" && text_of(step.file_step, "status") == "passed" && field_of(steps[i + 1].before, "frame").is_object()) {
            step.after = steps[i + 1].before;
            step.is_after_late = true;
        }
    }
}

} // namespace

void add_file_step(SessionRecord& session, bool is_start, const json& data) {
    if (session.tasks.empty() || session.file_steps.size() >= kFileStepsMax) {
        return;
    }
    FileStep step{.task = session.tasks.size() - 1, .first = session.tasks.back().steps.size(), .end = 0, .number = 0, .data = data};
    if (is_start) {
        step.number = ++session.file_steps_begun;
        if (session.open_file_steps.size() < kOpenMax) {
            session.open_file_steps.push_back(std::move(step));
        }
        return;
    }
    std::vector<FileStep>& open = session.open_file_steps;
    if (!open.empty() && open.back().task == step.task && place_of(open.back().data) == place_of(data)) {
        step.first = open.back().first;
        step.number = open.back().number;
        open.pop_back();
    } else { // one whose `when` was not so never began
        step.number = ++session.file_steps_begun;
    }
    step.end = session.tasks.back().steps.size();
    session.file_steps.push_back(std::move(step));
}

void join_file_steps(SessionRecord& session) {
    for (std::size_t i = 0; i < session.tasks.size(); ++i) {
        std::vector<const FileStep*> of_task;
        for (const FileStep& step : session.file_steps) {
            if (step.task == i) {
                of_task.push_back(&step);
            }
        }
        if (of_task.empty()) {
            continue;
        }
        TaskRecord& task = session.tasks[i];
        task.steps = Joined(task, of_task).steps();
        take_late_effects(task.steps);
    }
}

} // namespace handeye::report
