// SPDX-License-Identifier: Apache-2.0
// Verbs that read, check, wait and ask.
#include "agent/taskfile/expression.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/policy.h"
#include "agent/taskfile/scalars.h"
#include "agent/taskrun/conditions.h"
#include "agent/taskrun/model_words.h"
#include "agent/taskrun/targets.h"
#include "agent/taskrun/verbs.h"
#include "agent/text_pattern.h"
#include "base/json.h"

#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using nlohmann::json;
using taskfile::text_of;

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr Duration kProofWithin = std::chrono::seconds(3); // of a goal, after the model says that it is done
constexpr int kGoalStepsMax = 50;

std::string trimmed(const std::string& text) {
    const std::size_t from = text.find_first_not_of(" \t\r\n");
    const std::size_t to = text.find_last_not_of(" \t\r\n");
    return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

std::string joined(const std::vector<ReadText>& lines) {
    std::string out;
    for (const ReadText& line : lines) {
        out += (out.empty() ? "" : "\n") + line.text_utf8;
    }
    return out;
}

Attempt<std::string> read_area(const Rect& area, const Look& look, Context& context) {
    Result<std::vector<ReadText>> lines = context.locator.read_lines({look.shot.image, look.elements}, area);
    return lines ? Attempt<std::string>(joined(*lines)) : fail(lines.error());
}

/// Of several elements in one place (a pane and the text that fills it) the one that was found: of its role, and rather one that holds
/// something. nullptr: it is no element, or one that is secret.
const Element* element_of(const Found& found, const std::vector<Element>& elements) {
    const Element* best = nullptr;
    int best_rank = -1;
    for (const Element& element : elements) {
        if (element.box != found.best.box || element.is_secret) {
            continue;
        }
        const bool is_its_role = found.best.what_utf8 == element.role || found.best.what_utf8.starts_with(element.role + " ");
        const int rank = (is_its_role ? 2 : 0) + (element.value_utf8.empty() ? 0 : 1);
        if (rank > best_rank) {
            best = &element;
            best_rank = rank;
        }
    }
    return best;
}

Attempt<std::string> read_target(const Node& call, const Node& target, Context& context) {
    if (Outcome missing = wait_for(target, context)) {
        return *std::move(missing);
    }
    const Result<Look> look = context.hands.look();
    if (!look) {
        return fail(FailureKind::Failed, "the screen could not be read: " + look.error().message);
    }
    Attempt<Found> found = find_in(target, context, *look);
    if (auto* const failure = std::get_if<Failure>(&found)) {
        return *failure;
    }
    const auto& place = std::get<Found>(found);
    note_found(context, target, place);
    const std::string by = text_of(call, "by");
    if (by != "ocr") {
        if (const Element* const element = element_of(place, look->elements)) {
            return element->value_utf8.empty() ? element->label_utf8 : element->value_utf8;
        }
        if (by == "accessibility") {
            return fail(FailureKind::TargetNotFound, "the platform does not tell what this target holds");
        }
    }
    return read_area(place.best.box, *look, context);
}

Attempt<std::string> read_region(const Node& region, Context& context) {
    const Result<Look> look = context.hands.look();
    if (!look) {
        return fail(FailureKind::Failed, "the screen could not be read: " + look.error().message);
    }
    Attempt<Rect> area = region_of(region, context, *look);
    if (auto* const failure = std::get_if<Failure>(&area)) {
        return *failure;
    }
    return read_area(std::get<Rect>(area), *look, context);
}

Attempt<std::string> source_text(const Node& call, Context& context) {
    if (const Node* const target = call.find("target")) {
        return read_target(call, *target, context);
    }
    if (const Node* const region = call.find("region")) {
        return read_region(*region, context);
    }
    if (call.find("clipboard") != nullptr) {
        Result<std::string> text = context.hands.platform().clipboard();
        return text ? Attempt<std::string>(*std::move(text)) : fail(text.error());
    }
    const bool is_file = call.find("file") != nullptr;
    Result<std::string> words = context.values().text(text_of(call, is_file ? "file" : "model"));
    if (!words) {
        return fail(words.error());
    }
    if (!is_file) {
        return ask_for(*words, context);
    }
    Result<std::string> content = context.disk.read(*words, kFileBytesMax);
    return content ? Attempt<std::string>(*std::move(content)) : fail(content.error());
}

// Strict: a number that could be read in two ways is none. "1.234,50" wants a pattern.
Attempt<json> as_type(const std::string& type, const std::string& text) {
    if (type == "list") {
        json lines = json::array();
        for (std::size_t from = 0; from <= text.size();) {
            const std::size_t end = std::min(text.find('\n', from), text.size());
            if (std::string line = trimmed(text.substr(from, end - from)); !line.empty()) {
                lines.push_back(std::move(line));
            }
            from = end + 1;
        }
        return lines;
    }
    const std::string word = trimmed(text);
    if (type == "boolean") {
        return word == "true" || word == "false" ? Attempt<json>(json(word == "true")) : fail(FailureKind::AssertFailed, fmt::format("\"{}\" is neither true nor false", word.substr(0, 80)));
    }
    if (type == "number") {
        double value = 0;
        const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
        const bool is_whole = read.ec == std::errc() && read.ptr == word.data() + word.size();
        return is_whole ? Attempt<json>(json(value)) : fail(FailureKind::AssertFailed, fmt::format("\"{}\" is no number; a pattern can cut one out", word.substr(0, 80)));
    }
    return json(word);
}

Outcome set_output(const Node& call, json value, Context& context) {
    const std::string name = text_of(call, "as");
    if (const Result<void> told = context.hands.tell("taskfile.output", dump_json({{"name", name}, {"value", value}})); !told) {
        return context.give_up(told.error());
    }
    context.values().set_output(name, std::move(value));
    return std::nullopt;
}

Outcome end_of_goal(const Node& step, const TaskEnd& end, Context& context) {
    const Node* const proof = step.find("done_when");
    switch (end.outcome) {
    case TaskOutcome::Done: return proof == nullptr ? std::nullopt : wait_until(*proof, context, kProofWithin, FailureKind::AssertFailed);
    case TaskOutcome::NeedsPerson: return fail(FailureKind::NeedsPerson, end.message);
    case TaskOutcome::Denied: return fail(FailureKind::Refused, end.message);
    case TaskOutcome::Stopped: return Failure{FailureKind::Over, end.message, end.outcome};
    case TaskOutcome::Failed: return fail(FailureKind::Failed, end.message);
    case TaskOutcome::Unconfirmed:
    case TaskOutcome::FellShort:
    case TaskOutcome::Infeasible:
    case TaskOutcome::BudgetExceeded:
    case TaskOutcome::Stuck:
    case TaskOutcome::ParseFailures: break;
    }
    return fail(FailureKind::AssertFailed, fmt::format("{}: {}", task_outcome_name(end.outcome), end.message));
}

} // namespace

Outcome do_wait_until(const Node&, const Node& call, Context& context) {
    return wait_until(call, context, duration_of(call, "within", std::chrono::seconds(10)), FailureKind::Timeout);
}

Outcome do_sleep(const Node&, const Node& call, Context& context) {
    const TimePoint end = context.hands.clock().now() + duration_of(call, "for", Duration::zero());
    const Attempt<bool> slept = context.until(end - context.hands.clock().now(), [&]() -> Attempt<bool> { return context.hands.clock().now() >= end; });
    return std::holds_alternative<Failure>(slept) ? Outcome(std::get<Failure>(slept)) : std::nullopt;
}

Outcome do_extract(const Node&, const Node& call, Context& context) {
    Attempt<std::string> text = source_text(call, context);
    if (auto* const failure = std::get_if<Failure>(&text)) {
        return *failure;
    }
    if (const Node* const pattern = call.find("pattern")) {
        const Result<TextPattern> compiled = context.values().pattern(pattern->scalar);
        if (!compiled) {
            return fail(compiled.error());
        }
        std::optional<std::string> found = compiled->first_in(std::get<std::string>(text));
        if (!found) {
            return fail(FailureKind::AssertFailed, fmt::format("the pattern {} is not found in \"{}\"", pattern->scalar, std::get<std::string>(text).substr(0, 200)));
        }
        text = *std::move(found);
    }
    Attempt<json> value = as_type(text_of(call, "type"), std::get<std::string>(text));
    if (auto* const failure = std::get_if<Failure>(&value)) {
        return *failure;
    }
    return set_output(call, std::get<json>(std::move(value)), context);
}

Outcome do_assert(const Node&, const Node& call, Context& context) {
    Outcome failure = wait_until(call, context, duration_of(call, "within", std::chrono::seconds(5)), FailureKind::AssertFailed);
    if (failure && failure->kind == FailureKind::AssertFailed && call.find("message") != nullptr) {
        const Result<std::string> message = context.values().text(text_of(call, "message"));
        failure->message = fmt::format("{} ({})", message ? *message : text_of(call, "message"), failure->message);
    }
    return failure;
}

Outcome do_capture(const Node&, const Node& call, Context& context) {
    std::optional<Rect> area;
    if (const Node* const region = call.find("region")) {
        const Result<Look> look = context.hands.look();
        Attempt<Rect> found = look ? region_of(*region, context, *look) : Attempt<Rect>(fail(FailureKind::Failed, look.error().message));
        if (auto* const failure = std::get_if<Failure>(&found)) {
            return *failure;
        }
        area = std::get<Rect>(found);
    }
    Result<Blob> picture = context.hands.keep_picture(area);
    if (!picture) {
        return fail(picture.error());
    }
    const json data{{"name", text_of(call, "name")}, {"frame", {{"sha256", picture->sha256_hex}, {"media_type", picture->media_type}, {"bytes", picture->bytes->size()}}}};
    const Result<void> told = context.hands.tell("taskfile.captured", dump_json(data), {*picture});
    return told ? std::nullopt : Outcome(context.give_up(told.error()));
}

Outcome do_goal(const Node& step, const Node& call, Context& context) {
    Result<std::string> goal = context.values().text(text_of(call, "text"));
    if (!goal) {
        return fail(goal.error());
    }
    Pursuit pursuit{*std::move(goal), {}, {}};
    pursuit.budget.steps_max = kGoalStepsMax;
    if (const Node* const budget = step.find("budget")) {
        Result<Budget> given = taskfile::budget_of(*budget, pursuit.budget);
        if (!given) {
            return fail(given.error());
        }
        pursuit.budget = *given;
    }
    std::optional<Failure> unclear;
    if (const Node* const proof = step.find("done_when")) {
        pursuit.is_reached = [&context, &unclear, proof]() -> Result<bool> {
            Attempt<bool> now = holds(*proof, context);
            if (auto* const failure = std::get_if<Failure>(&now)) {
                unclear = *failure; // nothing can be told: the model goes on, and the proof is asked for again at the end
                return false;
            }
            return std::get<bool>(now);
        };
    }
    const Result<TaskEnd> end = context.hands.pursue(pursuit);
    if (!end) {
        return context.give_up(end.error());
    }
    if (unclear && unclear->kind == FailureKind::Over) {
        return unclear;
    }
    context.record->note = end->message;
    return end_of_goal(step, *end, context);
}

Outcome do_ask(const Node&, const Node& call, Context& context) {
    Result<std::string> question = context.values().text(text_of(call, "question"));
    std::vector<std::string> choices;
    for (const Node& choice : call.find("choices") != nullptr ? call.find("choices")->items : std::vector<Node>()) {
        const Result<std::string> word = context.values().text(choice.scalar);
        choices.push_back(word ? *word : choice.scalar);
    }
    if (!question) {
        return fail(question.error());
    }
    const Result<std::optional<std::string>> answer = context.hands.ask_person(*question, choices);
    if (!answer) {
        return context.give_up(answer.error());
    }
    if (!*answer) {
        return fail(FailureKind::NeedsPerson, fmt::format("nobody answered \"{}\"", *question));
    }
    return call.find("as") == nullptr ? std::nullopt : set_output(call, **answer, context);
}

Outcome do_set(const Node&, const Node& call, Context& context) {
    Result<json> value = context.values().value(text_of(call, "expr"));
    return value ? set_output(call, *std::move(value), context) : fail(value.error());
}

Verb find_verb(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, Verb>, 21> kVerbs{{{"launch", do_launch}, {"open_url", do_open_url}, {"focus", do_focus}, {"click", do_click},
        {"double_click", do_double_click}, {"triple_click", do_triple_click}, {"right_click", do_right_click}, {"middle_click", do_middle_click}, {"hover", do_hover}, {"drag", do_drag}, {"type", do_type},
        {"key", do_key}, {"scroll", do_scroll}, {"wait_until", do_wait_until}, {"sleep", do_sleep}, {"extract", do_extract}, {"assert", do_assert}, {"capture", do_capture},
        {"goal", do_goal}, {"ask", do_ask}, {"set", do_set}}};
    for (const auto& [verb, does] : kVerbs) {
        if (verb == name) {
            return does;
        }
    }
    return nullptr;
}

} // namespace handeye::taskrun
