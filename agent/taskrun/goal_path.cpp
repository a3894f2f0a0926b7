// SPDX-License-Identifier: Apache-2.0
// Goals whose successful path is kept: it is taken first, and the model is asked where it leads no more.
#include "agent/taskfile/expression.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/scalars.h"
#include "agent/taskrun/conditions.h"
#include "agent/taskrun/flow.h"
#include "agent/taskrun/verbs.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using nlohmann::json;
using taskfile::text_of;

constexpr Duration kProofWithin = std::chrono::seconds(3);

/// What the goal's references stand for now, by the name of the variable that the path has for each.
Result<std::map<std::string, std::string>> values_of(const std::string& goal, const Values& values) {
    std::map<std::string, std::string> out;
    const std::vector<taskfile::TextPiece> pieces = TRY(taskfile::parse_text(goal));
    for (const taskfile::TextPiece& piece : pieces) {
        if (!piece.is_reference) {
            continue;
        }
        const taskfile::Expression expression = TRY(taskfile::parse_expression(piece.text));
        const bool is_name = expression.op == taskfile::Expression::Op::Name && !out.contains(expression.path.back());
        const json value = TRY(values.value(piece.text));
        out[is_name ? expression.path.back() : fmt::format("value_{}", out.size() + 1)] = to_text(value);
    }
    return out;
}

/// Whether the path was made for these values. With others it is a guess that needs a proof.
bool is_for(const taskfile::Loaded& path, const std::map<std::string, std::string>& values) {
    const Node* const vars = path.tree.find("vars");
    for (const auto& [name, value] : values) {
        const Node* const row = vars == nullptr ? nullptr : vars->find(name);
        const Node* const was = row == nullptr ? nullptr : row->find("default");
        if (was == nullptr || was->scalar != value) {
            return false;
        }
    }
    return true;
}

/// Whether something was tried that must not be tried twice.
bool has_done_for_good(const std::vector<StepRecord>& steps) {
    return std::any_of(steps.begin(), steps.end(), [](const StepRecord& step) {
        const bool was_tried = step.status == StepRecord::Status::Passed || step.point.has_value();
        return (step.is_irreversible && was_tried) || has_done_for_good(step.steps);
    });
}

Given given_of(const taskfile::Loaded& path, const std::map<std::string, std::string>& values) {
    Given given;
    const Node* const vars = path.tree.find("vars");
    for (const auto& [name, value] : values) {
        if (vars != nullptr && vars->find(name) != nullptr) {
            given[name] = value;
        }
    }
    return given;
}

} // namespace

Outcome Flow::run_goal(const Node& step, const Node& call, StepRecord& record) {
    const std::string path = taskfile::goal_path(step, context_.frame().file);
    if (path.empty()) {
        return do_goal(step, call, context_);
    }
    const std::string words = text_of(call, "text");
    const Result<std::map<std::string, std::string>> values = values_of(words, context_.values());
    const Result<std::string> goal = context_.values().text(words);
    if (!values || !goal) {
        return fail(values ? goal.error() : values.error());
    }
    if (std::optional<Outcome> done = take_path(step, *values, record)) {
        return *std::move(done);
    }
    const std::string tried = record.note;
    const int before = context_.hands.steps();
    Outcome failure = do_goal(step, call, context_);
    record.note = tried.empty() ? record.note : fmt::format("{}; {}", tried, record.note);
    const bool can_keep = context_.files.bundle == nullptr; // what was handed over has no folder here
    if (!failure && can_keep && context_.hands.steps() > before) {
        context_.reached.push_back({context_.frame().file.folder / path, *goal, *values, {before + 1, context_.hands.steps()}});
    }
    return failure;
}

std::optional<Outcome> Flow::take_path(const Node& step, const std::map<std::string, std::string>& values, StepRecord& record) {
    const taskfile::Loaded& file = context_.frame().file;
    const std::filesystem::path kept = context_.files.resolve(file, taskfile::goal_path(step, file));
    const auto found = context_.files.files.find(kept);
    if (found == context_.files.files.end()) {
        const auto broken = context_.files.broken_paths.find(kept);
        record.note = broken == context_.files.broken_paths.end() ? "" : to_text(broken->second);
        return std::nullopt;
    }
    const taskfile::Loaded& path = found->second;
    const Node* const proof = step.find("done_when");
    if (proof == nullptr && !is_for(path, values)) {
        record.note = "the kept path is for other values, and nothing would prove that it reaches the goal";
        return std::nullopt;
    }
    json outputs;
    Outcome failure = narrow_to(path, step.find("budget"));
    if (failure) {
        return failure;
    }
    failure = run_file(path, given_of(path, values), record.steps, outputs);
    context_.hands.restore();
    if (!failure && proof != nullptr) {
        failure = wait_until(*proof, context_, kProofWithin, FailureKind::AssertFailed);
    }
    if (!failure) {
        record.note = "by its kept path, without the model";
        return Outcome();
    }
    const bool is_done_for_good = taskfile::is_set(step, "irreversible") || has_done_for_good(record.steps);
    if (context_.broken || failure->kind == FailureKind::Over || failure->kind == FailureKind::NeedsPerson || is_done_for_good) {
        return failure;
    }
    record.steps.clear(); // the record of events has them; what counts is what the model does now
    record.note = fmt::format("the kept path leads there no more ({})", failure->message.substr(0, failure->message.find('\n')));
    return std::nullopt;
}

} // namespace handeye::taskrun
