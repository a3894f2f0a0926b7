// SPDX-License-Identifier: Apache-2.0
#include "agent/report_compare.h"

#include "agent/report_align.h"
#include "agent/report_html.h"
#include "agent/report_words.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr double kSlowerFactor = 2;
constexpr double kSlowerMs = 1000;
constexpr std::size_t kWordsMax = 120; // of what a recording holds, within a sentence

std::string quoted(const std::string& text) { return text.empty() ? "nothing" : "“" + shorten(text, kWordsMax) + "”"; }

// What an action does besides where: text, keys, direction, amount.
json input_of(const StepRecord& step) {
    json out = field_of(proposal_of(step), "action");
    if (out.is_object()) {
        for (const char* place : {"verb", "x", "y", "to_x", "to_y", "box", "to_box", "frame", "element_info", "units"}) {
            out.erase(place);
        }
    }
    return out;
}

std::string input_words(const json& input) {
    std::string out;
    for (const auto& [key, value] : input.items()) {
        out += (out.empty() ? "" : ", ") + key + " " + (value.is_string() ? quoted(value.get<std::string>()) : value.dump(-1, ' ', false, json::error_handler_t::replace));
    }
    return out.empty() ? "nothing" : shorten(out, kWordsMax);
}

std::string rung_of(const StepRecord& step) { return text_of(field_of(proposal_of(step), "found"), "rung"); }

std::string answer_of(const StepRecord& step) { return step.answers.empty() ? "" : text_of(field_of(step.answers.back(), "text"), "sha256"); }

bool had_effect(const StepRecord& step) { return result_of(step) == "confirmed"; }

void compare_action(const StepRecord& mine, const StepRecord& other, std::vector<Difference>& out) {
    const std::string verb = text_of(proposal_of(mine), "verb", "no action");
    const std::string other_verb = text_of(proposal_of(other), "verb", "no action");
    if (verb != other_verb) {
        out.push_back({"action", fmt::format("{} instead of {}", human(verb), human(other_verb))});
    }
    if (compare_targets(mine, other) == Likeness::Different) {
        out.push_back({"target", fmt::format("another target: {} instead of {}", target_words(mine), target_words(other))});
    }
    const json input = input_of(mine);
    const json other_input = input_of(other);
    if (verb == other_verb && input != other_input) {
        out.push_back({"input", fmt::format("other input: {} instead of {}", input_words(input), input_words(other_input))});
    }
}

void compare_effect(const StepRecord& mine, const StepRecord& other, std::vector<Difference>& out) {
    if (result_of(mine) == result_of(other)) {
        return;
    }
    const std::string words = fmt::format("{} instead of {}", human(result_of(mine)), human(result_of(other)));
    if (had_effect(mine) == had_effect(other)) {
        out.push_back({"result", words});
    } else {
        out.push_back(had_effect(mine) ? Difference{"effect_new", "an effect that the other run had not: " + words} : Difference{"effect_gone", "the effect is gone: " + words});
    }
}

std::vector<Difference> compare_steps(const StepRecord& mine, const StepRecord& other) {
    std::vector<Difference> out;
    compare_action(mine, other, out);
    if (const std::string answer = answer_of(mine), before = answer_of(other); !answer.empty() && !before.empty() && answer != before) {
        out.push_back({"answer", "the model answered in other words"});
    }
    if (const std::string rung = rung_of(mine), before = rung_of(other); rung != before) {
        out.push_back({"rung", fmt::format("found by {} instead of {}", rung.empty() ? "the model" : human(rung), before.empty() ? "the model" : human(before))});
    }
    compare_effect(mine, other, out);
    const double ms = sum_of(timings_of(mine));
    const double before = sum_of(timings_of(other));
    if (ms > kSlowerFactor * before && ms > before + kSlowerMs) {
        out.push_back({"slower", fmt::format("slower: {} instead of {}", format_ms(ms), format_ms(before))});
    }
    return out;
}

StepPair pair_of(const StepRecord* mine, const StepRecord* other) {
    StepPair out{mine, other, {}};
    if (other == nullptr) {
        out.differences.push_back({"step_added", "only this run has this step"});
    } else if (mine == nullptr) {
        out.differences.push_back({"step_missing", "only the other run has this step"});
    } else {
        out.differences = compare_steps(*mine, *other);
    }
    return out;
}

std::string outcome_of(const TaskRecord& task) { return task.finished.is_object() ? text_of(task.finished, "outcome", "?") : "not finished"; }

TaskPair pair_of(const TaskRecord& mine, const TaskRecord& other) {
    TaskPair out{&mine, &other, false, {}, {}};
    const auto differs = [&](const char* kind, std::string_view name, const std::string& now, const std::string& before) {
        if (now != before) {
            out.differences.push_back({kind, fmt::format("{}: {} instead of {}", name, now, before)});
        }
    };
    differs("goal", "another goal", quoted(text_of(mine.started, "goal")), quoted(text_of(other.started, "goal")));
    differs("outcome", "it ended otherwise", human(outcome_of(mine)), human(outcome_of(other)));
    differs("task_answer", "another answer of the task", quoted(text_of(mine.finished, "answer")), quoted(text_of(other.finished, "answer")));
    Alignment alignment = align(mine.steps, other.steps);
    out.is_by_number = alignment.is_by_number;
    for (const auto& [mine_at, other_at] : alignment.pairs) {
        out.steps.push_back(pair_of(mine_at ? &mine.steps[*mine_at] : nullptr, other_at ? &other.steps[*other_at] : nullptr));
    }
    return out;
}

json to_json(const std::vector<Difference>& differences) {
    json out = json::array();
    std::transform(differences.begin(), differences.end(), std::back_inserter(out), [](const Difference& one) { return json{{"kind", one.kind}, {"words", one.words}}; });
    return out;
}

json number_json(const StepRecord* step) { return step == nullptr ? json() : json(step->index); }

} // namespace

std::size_t Comparison::count() const {
    std::size_t out = differences.size();
    for (const TaskPair& task : tasks) {
        out += task.differences.size();
        for (const StepPair& step : task.steps) {
            out += step.differences.size();
        }
    }
    return out;
}

Comparison compare(const SessionRecord& mine, const SessionRecord& other) {
    Comparison out;
    if (!mine.damage.empty()) {
        out.differences.push_back({"damage", "this recording is damaged, what came before is compared: " + mine.damage});
    }
    if (!other.damage.empty()) {
        out.differences.push_back({"damage", "the other recording is damaged, what came before is compared: " + other.damage});
    }
    if (mine.tasks.size() != other.tasks.size()) {
        out.differences.push_back({"tasks", fmt::format("{} instead of {}", counted(static_cast<double>(mine.tasks.size()), "task"), counted(static_cast<double>(other.tasks.size()), "task"))});
    }
    for (std::size_t at = 0; at < std::min(mine.tasks.size(), other.tasks.size()); ++at) {
        out.tasks.push_back(pair_of(mine.tasks[at], other.tasks[at]));
    }
    return out;
}

json to_json(const Comparison& comparison) {
    json tasks = json::array();
    for (const TaskPair& task : comparison.tasks) {
        json steps = json::array();
        for (const StepPair& step : task.steps) {
            steps.push_back({{"this", number_json(step.mine)}, {"other", number_json(step.other)}, {"differences", to_json(step.differences)}});
        }
        tasks.push_back({{"task", task.mine->index}, {"paired_by_number", task.is_by_number}, {"differences", to_json(task.differences)}, {"steps", std::move(steps)}});
    }
    return {{"same", comparison.count() == 0}, {"differences", to_json(comparison.differences)}, {"tasks", std::move(tasks)}};
}

} // namespace handeye::report
