// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/flow.h"

#include "agent/taskfile/expression.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/policy.h"
#include "agent/taskrun/conditions.h"
#include "agent/taskrun/verbs.h"
#include "base/json.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using nlohmann::json;
using taskfile::text_of;

constexpr Duration kUntilWithin = std::chrono::seconds(10);
constexpr std::int64_t kItemsMax = 1000;
constexpr std::size_t kLabelBytesMax = 120;
constexpr std::size_t kRecordsMax = 100'000; // of one run
constexpr Duration kBackoffMax = std::chrono::hours(1);

/// What a report calls the step: its label, else what its verb is about.
std::string label_of(const Node& step, std::string_view verb) {
    std::string label = text_of(step, "label");
    const Node* const call = step.find(verb);
    if (label.empty() && call != nullptr && verb == "type") {
        const Node* const into = call->find("into");
        constexpr std::array<std::string_view, 5> kNames{"label", "text", "id", "role", "model"};
        const bool is_named = into != nullptr && std::any_of(kNames.begin(), kNames.end(), [&](std::string_view key) { return into->find(key) != nullptr; });
        if (is_named) {
            label = "into " + label_of(Node{.kind = Node::Kind::Map, .entries = {{"click", {}, *into}}}, "click");
        } else { // by its picture, or where the keyboard is
            label = fmt::format("\"{}\"", text_of(*call, "text"));
        }
    } else if (label.empty() && call != nullptr) {
        constexpr std::array<std::string_view, 17> kMain{"label", "text", "id", "role", "template", "model", "app", "url", "window", "file", "expr", "question", "name", "as", "direction", "in", "max"};
        const auto key = std::find_if(kMain.begin(), kMain.end(), [&](std::string_view word) { return call->find(word) != nullptr && call->find(word)->kind == Node::Kind::Scalar; });
        label = key == kMain.end() ? "" : call->find(*key)->scalar;
        if (const Node* const keys = call->find("keys"); keys != nullptr && label.empty()) {
            for (const Node& chord : keys->items) {
                label += (label.empty() ? "" : " ") + chord.scalar;
            }
        }
    }
    return label;
}

/// One line of it, cut between two characters; with what its references stand for, where they may be told.
std::string shown_label(const std::string& raw, const Values& values) {
    std::string label = values.text(raw).value_or(raw);
    std::replace_if(label.begin(), label.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    std::size_t end = std::min(label.size(), kLabelBytesMax);
    while (end < label.size() && end > 0 && (static_cast<unsigned char>(label[end]) & 0xC0U) == 0x80U) {
        --end;
    }
    return label.substr(0, end);
}

bool is_reason(const Node& retry, FailureKind kind) {
    const Node* const reasons = retry.find("on");
    if (kind == FailureKind::NeedsPerson || kind == FailureKind::Over) {
        return false;
    }
    if (reasons == nullptr) {
        return kind != FailureKind::Refused;
    }
    return std::any_of(reasons->items.begin(), reasons->items.end(), [&](const Node& reason) { return reason.scalar == "any" || reason.scalar == failure_name(kind); });
}

bool wants_effect(const Node* retry) {
    const Node* const reasons = retry == nullptr ? nullptr : retry->find("on");
    return reasons != nullptr && std::any_of(reasons->items.begin(), reasons->items.end(), [](const Node& reason) { return reason.scalar == "no_effect"; });
}

json step_values(const StepRecord& record) {
    return {{"ok", record.status == StepRecord::Status::Passed},
            {"skipped", record.status == StepRecord::Status::Skipped},
            {"attempts", record.attempts},
            {"error", record.failure ? json(record.failure->message) : json()}};
}

} // namespace

Outcome Flow::tell(std::string_view what, const StepRecord& record) {
    json data{{"file", record.file}, {"line", record.line}, {"verb", record.verb}, {"label", record.label}};
    if (what == "taskfile.step_finished") {
        data = to_json(record);
        data.erase("steps"); // they have told of themselves
    }
    const Result<void> told = context_.hands.tell(std::string(what), dump_json(data));
    return told ? std::nullopt : Outcome(context_.give_up(told.error()));
}

bool Flow::may_retry(const Node& step, const Node* retry, const Failure& failure, int attempts) const {
    const bool is_once_only = taskfile::is_set(step, "irreversible") && !taskfile::is_set(step, "idempotent");
    return retry != nullptr && !is_once_only && attempts <= integer_of(*retry, "max", 0) && is_reason(*retry, failure.kind);
}

Outcome Flow::run_steps(const Node& steps, std::vector<StepRecord>& records) {
    for (const Node& step : steps.items) {
        if (Outcome failure = run_step(step, records)) {
            return failure;
        }
    }
    return std::nullopt;
}

Outcome Flow::run_step(const Node& step, std::vector<StepRecord>& records) {
    if (Outcome over = context_.check_over()) {
        return over;
    }
    if (Outcome failure = close_popups()) {
        return failure;
    }
    if (records.size() >= kRecordsMax) {
        return fail(FailureKind::Failed, fmt::format("more than {} steps in one list", kRecordsMax));
    }
    StepRecord record;
    record.file = context_.frame().file.shown;
    record.line = step.place.line;
    record.round = std::exchange(round_, 0); // steps within it are of its own rounds
    record.verb = taskfile::verb_of(step);
    record.label = shown_label(label_of(step, record.verb), context_.values());
    record.id = text_of(step, "id");
    record.is_optional = taskfile::is_set(step, "optional");
    record.is_irreversible = taskfile::is_set(step, "irreversible") && !taskfile::is_set(step, "idempotent");
    StepRecord* const outer = std::exchange(context_.record, &record);
    const TimePoint begin = context_.hands.clock().now();
    Outcome failure = try_step(step, record);
    record.took = context_.hands.clock().now() - begin;
    context_.record = outer;
    round_ = record.round;
    if (failure && failure->place.empty()) {
        failure->place = fmt::format("{}:{}", record.file, record.line);
    }
    context_.pointer_is_placed = record.verb == "hover";
    finish_record(step, record, failure);
    if (Outcome broken = context_.broken ? std::nullopt : tell("taskfile.step_finished", record)) {
        failure = std::move(broken);
    }
    records.push_back(std::move(record));
    return failure;
}

// What became of it, for expressions and for the caller: an optional step does not fail its list.
void Flow::finish_record(const Node& step, StepRecord& record, Outcome& failure) {
    if (failure) {
        record.status = StepRecord::Status::Failed;
        record.failure = failure;
        const bool ends_all = failure->kind == FailureKind::Over || failure->kind == FailureKind::NeedsPerson;
        if (record.is_optional && !ends_all) {
            failure.reset();
        }
    }
    if (const std::string id = text_of(step, "id"); !id.empty()) {
        context_.values().set_step(id, step_values(record));
    }
}

Outcome Flow::try_step(const Node& step, StepRecord& record) {
    if (const Node* const when = step.find("when")) {
        Attempt<bool> is_so = holds(*when, context_);
        if (auto* const failure = std::get_if<Failure>(&is_so)) {
            return *failure;
        }
        if (!std::get<bool>(is_so)) {
            record.status = StepRecord::Status::Skipped;
            record.note = "not " + describe(*when, context_.values());
            return std::nullopt;
        }
    }
    if (Outcome broken = tell("taskfile.step_started", record)) {
        return broken;
    }
    const Node* const own = step.find("retry");
    const Node* const retry = own != nullptr ? own : context_.frame().file.tree.find("retry");
    Duration backoff = retry == nullptr ? Duration::zero() : duration_of(*retry, "backoff", Duration::zero());
    for (record.attempts = 1;; ++record.attempts) {
        context_.step_started = context_.hands.clock().wall_now();
        context_.wants_effect = text_of(step, "effect") == "seen";
        record.steps.clear();
        record.note.clear();
        Outcome failure = do_once(step, record);
        if (!failure && wants_effect(retry) && record.note == "the screen did not change") {
            failure = fail(FailureKind::NoEffect, record.note);
        }
        if (!failure || !may_retry(step, retry, *failure, record.attempts)) {
            return failure;
        }
        const TimePoint end = context_.hands.clock().now() + backoff;
        const Attempt<bool> waited = context_.until(backoff, [&]() -> Attempt<bool> { return context_.hands.clock().now() >= end; });
        if (const auto* const over = std::get_if<Failure>(&waited)) {
            return *over;
        }
        backoff = std::min<Duration>(backoff * 2, kBackoffMax);
    }
}

Outcome Flow::do_once(const Node& step, StepRecord& record) {
    if (Outcome failure = do_verb(step, record)) {
        return failure;
    }
    const Node* const until = step.find("until");
    return until == nullptr ? std::nullopt : wait_until(*until, context_, duration_of(*until, "within", kUntilWithin), FailureKind::Timeout);
}

Outcome Flow::do_verb(const Node& step, StepRecord& record) {
    const std::string_view name = record.verb;
    const Node* const call = step.find(name);
    if (call == nullptr) {
        return fail(FailureKind::Failed, "the step has no verb");
    }
    if (name == "run") {
        return run_other_file(*call, record);
    }
    if (name == "goal") {
        return run_goal(step, *call, record);
    }
    if (name == "for_each") {
        return run_for_each(step, *call, record);
    }
    if (name == "repeat") {
        return run_repeat(step, *call, record);
    }
    if (name == "group") {
        return run_steps(*step.find("steps"), record.steps);
    }
    const Verb verb = find_verb(name);
    return verb == nullptr ? Outcome(fail(FailureKind::Failed, fmt::format("this version cannot \"{}\"", name))) : verb(step, *call, context_);
}

Outcome Flow::run_for_each(const Node& step, const Node& call, StepRecord& record) {
    const Result<json> list = context_.values().json_of(*call.find("in"));
    if (!list || !list->is_array()) {
        return list ? fail(FailureKind::Failed, fmt::format("{} is no list to go through", dump_json(*list).substr(0, 80))) : fail(list.error());
    }
    const std::int64_t most = integer_of(call, "max", kItemsMax);
    if (static_cast<std::int64_t>(list->size()) > most) {
        return fail(FailureKind::Failed, fmt::format("the list has {} items, the limit is {}", list->size(), most));
    }
    const std::string name = call.find("as") == nullptr ? "item" : text_of(call, "as");
    Outcome failure;
    for (auto item = list->begin(); item != list->end() && !failure; ++item) {
        ++round_;
        context_.values().set_item(name, *item);
        failure = run_steps(*step.find("steps"), record.steps);
    }
    context_.values().forget_item(name);
    return failure;
}

Outcome Flow::run_repeat(const Node& step, const Node& call, StepRecord& record) {
    const auto is_so = [&](const char* key, bool otherwise) -> Attempt<bool> {
        const Node* const condition = call.find(key);
        return condition == nullptr ? Attempt<bool>(otherwise) : holds(*condition, context_);
    };
    const std::int64_t most = integer_of(call, "max", 1);
    for (std::int64_t i = 0; i < most; ++i) {
        round_ = static_cast<int>(i) + 1;
        Attempt<bool> goes_on = is_so("while", true);
        if (const auto* const failure = std::get_if<Failure>(&goes_on)) {
            return *failure;
        }
        if (!std::get<bool>(goes_on)) {
            return std::nullopt;
        }
        if (Outcome failure = run_steps(*step.find("steps"), record.steps)) {
            return failure;
        }
        Attempt<bool> is_done = is_so("until", false);
        if (const auto* const failure = std::get_if<Failure>(&is_done)) {
            return *failure;
        }
        if (std::get<bool>(is_done)) {
            return std::nullopt;
        }
    }
    const Node* const until = call.find("until");
    return until == nullptr ? std::nullopt : Outcome(fail(FailureKind::Timeout, fmt::format("{} was not so after {} rounds", describe(*until, context_.values()), most)));
}

// From here on what the file's policy allows, within its budget and `limits`, until the hands are restored.
Outcome Flow::narrow_to(const taskfile::Loaded& file, const Node* limits) {
    const Node* const policy = file.tree.find("policy");
    const Node* const own_limits = policy == nullptr ? nullptr : policy->find("budget");
    const Result<Policy> rules = policy == nullptr ? Result<Policy>(Policy{}) : taskfile::policy_of(*policy);
    Result<Budget> budget = own_limits == nullptr ? Result<Budget>(program_budget()) : taskfile::budget_of(*own_limits, program_budget());
    const Result<Budget> outer = limits == nullptr || !budget ? budget : taskfile::budget_of(*limits, *budget);
    if (!rules || !budget || !outer) {
        return fail(!rules ? rules.error() : !budget ? budget.error() : outer.error());
    }
    budget->steps_max = std::min(budget->steps_max, outer->steps_max);
    budget->wall_max = std::min(budget->wall_max, outer->wall_max);
    const Result<void> narrowed = context_.hands.narrow(*rules, *budget);
    return narrowed ? std::nullopt : Outcome(fail(narrowed.error()));
}

Outcome Flow::run_other_file(const Node& call, StepRecord& record) {
    const Result<std::string> name = context_.values().text(text_of(call, "file"));
    if (!name) {
        return fail(name.error());
    }
    const auto found = context_.files.files.find(context_.files.resolve(context_.frame().file, *name));
    if (found == context_.files.files.end()) {
        return fail(FailureKind::Refused, fmt::format("{} was not known before the task began, and so was not checked: name it without references", *name));
    }
    Given given;
    for (const taskfile::Entry& entry : call.find("vars") != nullptr ? call.find("vars")->entries : std::vector<taskfile::Entry>()) {
        Result<json> value = context_.values().json_of(entry.value);
        if (!value) {
            return fail(value.error());
        }
        given[entry.key] = *std::move(value);
    }
    if (Outcome failure = narrow_to(found->second, nullptr)) {
        return failure;
    }
    json its_outputs; // its own: nothing outside can name them
    Outcome failure = run_file(found->second, given, record.steps, its_outputs);
    context_.hands.restore();
    return failure;
}

Outcome Flow::run_file(const taskfile::Loaded& file, const Given& given, std::vector<StepRecord>& records, json& outputs) {
    Result<Values> values = Values::of(file.tree, given, [&](const std::string& variable) { return secret_name_(file, variable); });
    if (!values) {
        return fail(values.error());
    }
    context_.frames.push_back({file, *std::move(values)});
    Outcome failure = run_steps(*file.tree.find("steps"), records);
    if (const Node* const last = file.tree.find("finally"); last != nullptr && !context_.broken) {
        for (const Node& step : last->items) { // each is done, whatever becomes of the others
            Outcome trouble = run_step(step, records);
            failure = failure ? failure : trouble;
        }
    }
    outputs = context_.values().outputs();
    context_.frames.pop_back();
    return failure;
}

Outcome Flow::close_popups() {
    const Node* const list = context_.frame().file.tree.find("on_interstitial");
    if (list == nullptr || is_closing_popup_) {
        return std::nullopt;
    }
    is_closing_popup_ = true;
    Outcome failure;
    for (const Node& popup : list->items) {
        int& closed = popups_closed_[&popup];
        while (!failure && closed < integer_of(popup, "max", 1)) {
            Attempt<bool> is_there = holds(*popup.find("when"), context_);
            if (const auto* const trouble = std::get_if<Failure>(&is_there)) {
                failure = *trouble;
            }
            if (failure || !std::get<bool>(is_there)) {
                break;
            }
            ++closed;
            std::vector<StepRecord> records; // in the log of events, not among the steps
            failure = run_steps(*popup.find("do"), records);
        }
    }
    is_closing_popup_ = false;
    return failure;
}

} // namespace handeye::taskrun
