// SPDX-License-Identifier: Apache-2.0
// Canonical JSON as a grammar: the fields in alphabetical order, as to_canonical_json writes them, or as people do: the verb, the place,
// and then the rest in the order of the rows here.
#include "actions/grammar_rules.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

struct Field {
    std::string_view name;
    std::string_view rule;
    bool is_required = false;
};
/// What surrounds a place: a point with its units and box, or a label.
enum class Where { Nowhere, There, ThereOrNot, Way, WayOrNot };
struct Row {
    std::string_view verb;
    Where where = Where::Nowhere;
    std::array<Field, 4> fields = {};
};

constexpr Field kInfo{"element_info", "strict-string"};
constexpr Field kHold{"hold_keys", R"("[" (key-name ("," key-name){0,3})? "]")"};
constexpr Field kAsk{"ask_first", "strict-string"};
constexpr Field kDirection{"direction", R"(("\"up\"" | "\"down\"" | "\"left\"" | "\"right\""))"};
constexpr std::string_view kTruth = R"(("true" | "false"))";

constexpr std::array kRows{
    Row{"click", Where::There, {kHold, kInfo, kAsk}},
    Row{"right_click", Where::There, {kHold, kInfo, kAsk}},
    Row{"middle_click", Where::There, {kHold, kInfo, kAsk}},
    Row{"double_click", Where::There, {kHold, kInfo, kAsk}},
    Row{"triple_click", Where::There, {kHold, kInfo, kAsk}},
    Row{"long_press", Where::There, {Field{"hold_ms", R"([1-9] [0-9]{0,3} ("." [0-9]{1,6})?)"}, kHold, kInfo, kAsk}},
    Row{"hover", Where::There, {kInfo}},
    Row{"drag", Where::Way, {kInfo, kHold}},
    Row{"scroll", Where::ThereOrNot, {kDirection, Field{"amount", "[1-9] [0-9]{0,3}"}, Field{"viewport_share", R"(("0" | [1-9] [0-9]?) ("." [0-9]{1,18})?)"}}},
    Row{"swipe", Where::ThereOrNot, {kDirection}},
    Row{"swipe", Where::Way, {}},
    Row{"type", Where::ThereOrNot, {Field{"text", "strict-string", true}, Field{"clear", kTruth}, Field{"enter", kTruth}, kInfo}},
    Row{"key", Where::Nowhere, {Field{"keys", R"("\"" chord "\"")", true}}},
    Row{"back"}, Row{"home"}, Row{"search_page"},
    Row{"open_app", Where::Nowhere, {Field{"app", "app-name", true}, Field{"args", R"("[" (strict-string ("," strict-string)*)? "]")"}}},
    Row{"open_url", Where::Nowhere, {Field{"url", "strict-string-some", true}}},
    Row{"focus_window", Where::Nowhere, {Field{"title", "strict-string-some", true}}},
    Row{"wait", Where::Nowhere, {Field{"seconds", R"(("0" | [1-9] [0-9]?) ("." [0-9]{1,9})?)"}}},
    Row{"answer", Where::Nowhere, {Field{"text", "strict-string", true}, Field{"ends_task", kTruth}}},
    Row{"ask_user", Where::Nowhere, {Field{"question", "strict-string"}}},
    Row{"finish", Where::Nowhere, {Field{"message", "strict-string"}}},
    Row{"fail", Where::Nowhere, {Field{"message", "strict-string"}}},
};

/// One object: the verb first and `fields` as they are, or all in alphabetical order.
std::string object_rule(const Row& row, std::vector<Field> fields, bool is_verb_first) {
    const std::string verb = quoted(fmt::format("\"verb\":\"{}\"", row.verb));
    if (!is_verb_first) {
        std::ranges::sort(fields, {}, &Field::name);
    }
    // Optional fields before the first one that is always there bring their comma behind them, those after it in front.
    std::string rule = "\"{\"";
    bool has_one = is_verb_first;
    rule += is_verb_first ? " " + verb : "";
    const auto add = [&](const std::string& written, bool is_required) {
        if (is_required) {
            rule += fmt::format(" {}{}", has_one ? "\",\" " : "", written);
            has_one = true;
        } else {
            rule += has_one ? fmt::format(" (\",\" {})?", written) : fmt::format(" ({} \",\")?", written);
        }
    };
    bool is_verb_written = is_verb_first;
    for (const Field& field : fields) {
        if (!is_verb_written && field.name > "verb") {
            add(verb, true);
            is_verb_written = true;
        }
        add(fmt::format("{} {}", quoted(fmt::format("\"{}\":", field.name)), field.rule), field.is_required);
    }
    if (!is_verb_written) {
        add(verb, true);
    }
    return rule + " \"}\"";
}

std::vector<Field> with(std::vector<Field> place, const std::vector<Field>& rest) {
    place.insert(place.end(), rest.begin(), rest.end());
    return place;
}

} // namespace

std::vector<std::string> canonical_forms(const AnswerGrammarOptions& options) {
    constexpr Field kX{"x", "pixel", true};
    constexpr Field kY{"y", "pixel", true};
    constexpr Field kBox{"box", R"("[" pixel "," pixel "," pixel "," pixel "]")"};
    constexpr Field kToX{"to_x", "pixel", true};
    constexpr Field kToY{"to_y", "pixel", true};
    constexpr Field kToBox{"to_box", R"("[" pixel "," pixel "," pixel "," pixel "]")"};
    constexpr Field kThousandths{"units", R"("\"thousandths\"")", true};
    constexpr Field kMilleX{"x", "mille", true};
    constexpr Field kMilleY{"y", "mille", true};
    constexpr Field kToMilleX{"to_x", "mille", true};
    constexpr Field kToMilleY{"to_y", "mille", true};
    constexpr Field kMark{"mark", "mark-number", true};
    constexpr Field kToMark{"to_mark", "mark-number", true};
    std::vector<std::string> forms;
    for (const Row& row : kRows) {
        if (!is_allowed(row.verb, options)) {
            continue;
        }
        std::vector<Field> fields;
        std::ranges::copy_if(row.fields, std::back_inserter(fields), [](const Field& f) { return !f.name.empty(); });
        std::vector<std::vector<Field>> variants;
        if (row.where == Where::Nowhere || row.where == Where::ThereOrNot) {
            variants.push_back(fields);
        }
        if (row.where == Where::There || row.where == Where::ThereOrNot) {
            variants.push_back(with({kX, kY, kBox}, fields));
            variants.push_back(with({kMilleX, kMilleY, kThousandths, kBox}, fields));
            variants.push_back(with({kMark}, fields));
        }
        if (row.where == Where::Way) {
            variants.push_back(with({kX, kY, kToX, kToY, kBox, kToBox}, fields));
            variants.push_back(with({kMilleX, kMilleY, kToMilleX, kToMilleY, kThousandths, kBox, kToBox}, fields));
            variants.push_back(with({kMark, kToMark}, fields));
        }
        for (const std::vector<Field>& variant : variants) {
            for (const bool is_verb_first : {true, false}) {
                forms.push_back(object_rule(row, variant, is_verb_first));
            }
        }
    }
    return forms;
}

} // namespace handeye
