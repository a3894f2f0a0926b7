// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/score.h"

#include "actions/parse.h"
#include "agent/text_pattern.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace handeye::batch {
namespace {

struct RuleRow {
    Rule rule;
    std::string_view name;
};
constexpr double kSameNumber = 1e-9; // what writing a number in decimals may cost
constexpr std::array<RuleRow, 8> kRules{{{Rule::None, "none"},
                                         {Rule::Exact, "exact"},
                                         {Rule::Contains, "contains"},
                                         {Rule::Number, "number"},
                                         {Rule::Regex, "regex"},
                                         {Rule::Choice, "choice"},
                                         {Rule::Click, "click"},
                                         {Rule::Judge, "judge"}}};
/// [x0, y0, x1, y1] in thousandths: four references, or one text that holds them.
std::optional<std::array<double, 4>> box_of(const Item& item) {
    std::string text;
    for (const std::string& reference : item.references) {
        text += reference + " ";
    }
    const std::vector<double> box = numbers_in(text);
    const bool is_box = box.size() == 4 && box[0] >= 0 && box[1] >= 0 && box[0] < box[2] && box[1] < box[3] && box[2] <= 1000 && box[3] <= 1000;
    return is_box ? std::optional(std::array<double, 4>{box[0], box[1], box[2], box[3]}) : std::nullopt;
}

Verdict score_click(const Item& item, const Reading& reading) {
    const std::optional<ClickPlace> place = click_and_box(item, reading);
    if (!place || !place->has_click) {
        return {.is_right = false, .read = "no click"};
    }
    const auto& box = place->box;
    return {.is_right = place->x >= box[0] && place->x <= box[2] && place->y >= box[1] && place->y <= box[3], .read = fmt::format("({:g}, {:g})", place->x, place->y)};
}

std::optional<double> last_number(std::string_view text) {
    const std::vector<double> all = numbers_in(text);
    return all.empty() ? std::nullopt : std::optional(all.back());
}

template <class Holds>
bool any_reference(const Item& item, const Holds& holds) {
    return std::any_of(item.references.begin(), item.references.end(), holds);
}

Verdict score_number(const Item& item, const Reading& reading, double tolerance) {
    const std::optional<double> said = last_number(reading.final_part);
    if (!said) {
        return {.is_right = false, .read = "no number"};
    }
    const bool is_right = any_reference(item, [&](const std::string& reference) {
        const std::optional<double> want = last_number(reference);
        return want && std::abs(*said - *want) <= std::max(tolerance, kSameNumber) * std::abs(*want);
    });
    return {.is_right = is_right, .read = fmt::format("{:g}", *said)};
}

Verdict score_choice(const Item& item, const Reading& reading) {
    const std::optional<char> said = choice_in(reading.final_part, item.choices);
    if (!said) {
        return {.is_right = false, .read = "no choice"};
    }
    return {.is_right = any_reference(item, [&](const std::string& reference) { return choice_letter(reference, item.choices) == said; }), .read = std::string(1, *said)};
}

Verdict score_regex(const Item& item, const Reading& reading) {
    bool is_beyond = false;
    const bool is_right = any_reference(item, [&](const std::string& reference) {
        const Result<TextPattern> pattern = TextPattern::compile(reference);
        const TextPattern::Found found = pattern ? pattern->find_in(reading.final_part) : TextPattern::Found::No;
        is_beyond = is_beyond || found == TextPattern::Found::Unknown;
        return found == TextPattern::Found::Yes;
    });
    return {.is_right = is_right, .read = is_beyond && !is_right ? "(the pattern takes too long on this answer)" : reading.final_part};
}

} // namespace

std::string_view rule_name(Rule rule) {
    return std::find_if(kRules.begin(), kRules.end(), [rule](const RuleRow& row) { return row.rule == rule; })->name;
}

std::optional<Rule> find_rule(std::string_view name) {
    const auto* const row = std::find_if(kRules.begin(), kRules.end(), [name](const RuleRow& r) { return r.name == name; });
    return row == kRules.end() ? std::nullopt : std::optional(row->rule);
}

std::vector<std::string> rule_names() {
    std::vector<std::string> out;
    std::transform(kRules.begin(), kRules.end(), std::back_inserter(out), [](const RuleRow& row) { return std::string(row.name); });
    return out;
}

std::optional<ClickPlace> click_and_box(const Item& item, const Reading& reading) {
    const auto box = box_of(item);
    if (!box) {
        return std::nullopt;
    }
    const Result<ParsedReply> parsed = parse_reply(reading.answer, Dialect::GlmDesktop);
    const Spot* const spot = parsed && std::holds_alternative<Click>(parsed->action) ? std::get_if<Spot>(&std::get<Click>(parsed->action).at) : nullptr;
    const bool has_click = spot != nullptr && spot->units == Units::Thousandths;
    return ClickPlace{.box = *box, .has_click = has_click, .x = has_click ? spot->x : 0, .y = has_click ? spot->y : 0};
}

Result<void> check_references(const Item& item, const ScoreOptions& options) {
    for (const std::string& reference : item.references) {
        const auto wrong = [&](std::string_view what) { return Error{ErrorCode::InvalidArgument, fmt::format("the reference \"{}\" is {}", reference.substr(0, 80), what)}; };
        if ((options.rule == Rule::Exact || options.rule == Rule::Contains) && normalised(reference).empty()) {
            return wrong("empty, once quotes and blanks at its ends are left out");
        }
        if (options.rule == Rule::Number && !last_number(reference)) {
            return wrong("no number (--score number)");
        }
        if (options.rule == Rule::Choice && !choice_letter(reference, item.choices)) {
            return wrong(item.choices.empty() ? "no letter from A to Z (--score choice)" : fmt::format("no letter from A to {} and none of the choices (--score choice)", static_cast<char>('A' + item.choices.size() - 1)));
        }
        if (options.rule == Rule::Regex) {
            TRY(TextPattern::compile(reference));
        }
    }
    if (options.rule == Rule::Click && !box_of(item)) {
        return Error{ErrorCode::InvalidArgument, "the reference is no box [x0, y0, x1, y1] in thousandths of the picture, 0 to 1000 (--score click)"};
    }
    return {};
}

Verdict score(const Item& item, const Reading& reading, const ScoreOptions& options) {
    if (reading.is_thought_open || reading.answer.empty()) {
        return {.is_right = false, .read = ""};
    }
    switch (options.rule) {
    case Rule::Exact: {
        const std::string said = normalised(reading.final_part);
        return {.is_right = any_reference(item, [&](const std::string& reference) { return normalised(reference) == said; }), .read = reading.final_part};
    }
    case Rule::Contains: {
        const std::string said = normalised(reading.answer);
        return {.is_right = any_reference(item, [&](const std::string& reference) { return stands_in(said, normalised(reference)); }), .read = reading.answer};
    }
    case Rule::Number: return score_number(item, reading, options.tolerance);
    case Rule::Regex: return score_regex(item, reading);
    case Rule::Choice: return score_choice(item, reading);
    case Rule::Click: return score_click(item, reading);
    case Rule::None:
    case Rule::Judge: break;
    }
    return {};
}

} // namespace handeye::batch
