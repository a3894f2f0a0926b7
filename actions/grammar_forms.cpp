// SPDX-License-Identifier: Apache-2.0
// The verb table's forms, "left_click(start_box='[x,y]', element_info='')" and the like, to GBNF: names and punctuation stay, what
// stands for a value becomes the rule of such values.
#include "actions/grammar_rules.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace handeye {
namespace {

/// What a model may not write inside a text: the marks that end thoughts, boxes and turns, and what ends an answer's action.
constexpr std::array<std::string_view, 6> kTags{"</think>", "<think>", "<|", "</answer>", "<answer>", " Observation:"};
/// A desktop answer's action has no label: a fence that a text opens would reach over the memory behind it.
constexpr std::array<std::string_view, 7> kDesktopTags{"</think>", "<think>", "<|", "</answer>", "<answer>", " Observation:", "```"};
constexpr std::array<std::string_view, 7> kContentTags{"</think>", "<think>", "<|", "</answer>", "<answer>", " Observation:", "</content>"};

constexpr std::array<std::string_view, 10> kModifiers{"ctrl", "Ctrl", "alt", "Alt", "shift", "Shift", "super", "win", "cmd", "meta"};
constexpr std::array<std::string_view, 52> kKeyNames{
    "enter", "Enter", "return", "Return", "tab", "Tab", "space", "esc", "escape", "Escape", "backspace", "BackSpace", "delete", "Delete",
    "insert", "Insert", "home", "Home", "end", "End", "pageup", "page_up", "Page_Up", "pagedown", "page_down", "Page_Down", "up", "Up",
    "down", "Down", "left", "Left", "right", "Right", "menu", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12",
    "F1", "F2", "F5", "F11", "plus"};

std::string any_name(std::span<const std::string_view> names) {
    const std::vector<std::string> texts(names.begin(), names.end());
    return any_of(texts);
}

struct Argument {
    std::string name;
    std::string value; ///< as the form shows it
};

/// "a='[x,y]', b=''" cut at the commas outside quotes and brackets.
std::vector<Argument> arguments_of(std::string_view text) {
    std::vector<Argument> out;
    while (!text.empty()) {
        std::size_t end = 0;
        int depth = 0;
        char quote = 0;
        for (; end < text.size() && (depth > 0 || quote != 0 || text[end] != ','); ++end) {
            const char c = text[end];
            if (quote != 0 ? c == quote : c == '\'' || c == '"') {
                quote = quote != 0 ? '\0' : c;
            } else if (quote == 0) {
                depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
            }
        }
        const std::string_view part = text.substr(0, end);
        const std::size_t equals = part.find('=');
        out.push_back({std::string(part.substr(0, equals)), std::string(part.substr(equals + 1))});
        text.remove_prefix(std::min(end + 1, text.size()));
        text.remove_prefix(text.starts_with(' ') ? 1 : 0);
    }
    return out;
}

/// A value of a call, by its argument's name and how the form shows it.
std::string value_rule(const VerbForm& form, const Argument& argument) {
    const std::string& name = argument.name;
    const std::string& value = argument.value;
    if (name == "action") { // do(action="Tap"): what is done, not a value
        return quoted(value);
    }
    if (value.starts_with("'[")) {
        return "point-quoted";
    }
    if (value.starts_with('(')) {
        return "point-round";
    }
    if (value.starts_with('[')) {
        return "point-square";
    }
    if (name == "direction") {
        const auto choices = std::ranges::find(form.parameters, "direction", &VerbParameter::name);
        const bool has_sides = choices != form.parameters.end() && choices->choices.find("left") != std::string_view::npos;
        return has_sides ? R"("'" ("up" | "down" | "left" | "right") "'")" : R"("'" ("up" | "down") "'")";
    }
    if (name == "key" || name == "keys") {
        return "\"'\" chord \"'\"";
    }
    if (name == "step") {
        return "[1-9] [0-9]?";
    }
    if (name == "distance") {
        return R"(("0." ([1-9] [0-9]? | "0" [1-9]) | "1" ".0"?))";
    }
    if (name == "duration") {
        return R"("\"" [1-9] [0-9]? " seconds\"")";
    }
    if (name == "app") {
        return "app-name";
    }
    const bool is_double = value.starts_with('"');
    return name == "element_info" ? (is_double ? "text-double" : "text-any") : is_double ? "text-double-some" : "text-any-some";
}

/// One call; what the table calls optional, and element_info, may be left out.
std::string call_rule(const VerbForm& form, std::string_view call) {
    const std::size_t paren = call.find('(');
    const std::string_view inside = call.substr(paren + 1, call.rfind(')') - paren - 1);
    std::string rule = quoted(call.substr(0, paren + 1));
    bool is_first = true;
    for (const Argument& argument : arguments_of(inside)) {
        const auto parameter = std::ranges::find(form.parameters, argument.name, &VerbParameter::name);
        const bool is_optional = argument.name == "element_info" || (parameter != form.parameters.end() && !parameter->is_required);
        const std::string part = fmt::format("{}{} {}", is_first ? "" : "comma ", quoted(argument.name + "="), value_rule(form, argument));
        rule += is_optional && !is_first ? fmt::format(" ({})?", part) : " " + part;
        is_first = false;
    }
    return rule + " \")\"";
}

/// The calls that a row's form and note write: a note shows variants ("do(action=\"Interact\")").
std::vector<std::string_view> calls_of(const VerbForm& form) {
    std::vector<std::string_view> calls{form.form};
    const std::string_view note = form.note;
    std::size_t at = std::min(note.find("do(action="), note.find("SCROLL_UP("));
    if (at != std::string_view::npos) {
        std::size_t end = note.find(')', at);
        const std::size_t round = note.find("=(", at);
        end = round < end ? note.find(')', end + 1) : end; // past a point=(x,y)
        calls.push_back(note.substr(at, end - at + 1));
    }
    return calls;
}

/// {"action_type":"swipe","direction":"<up|down>","box_2d":[[..]]}
std::string json_rule(const VerbForm& form) {
    std::string_view rest = form.form.substr(1, form.form.size() - 2);
    std::string rule = "\"{\"";
    bool is_first = true;
    while (!rest.empty()) {
        const std::size_t colon = rest.find(':');
        const std::string name(rest.substr(1, colon - 2));
        std::size_t end = colon + 1;
        const std::string_view closer = rest[end] == '[' ? "]]" : rest[end] == '"' ? "\"" : "";
        end = closer.empty() ? std::min(rest.find(',', end), rest.size()) : rest.find(closer, end + 1) + closer.size();
        const std::string_view value = rest.substr(colon + 1, end - colon - 1);
        std::string written = quoted(value);
        if (value.starts_with("[[")) {
            written = "box";
        } else if (value == "true") {
            written = "(\"true\" | \"false\")";
        } else if (value.find('|') != std::string_view::npos) {
            std::vector<std::string> words;
            for (std::string_view left = value.substr(2, value.size() - 4); !left.empty(); left.remove_prefix(std::min(left.find('|'), left.size() - 1) + 1)) {
                words.emplace_back("\"" + std::string(left.substr(0, left.find('|'))) + "\"");
            }
            written = any_of(words);
        } else if (value.starts_with("\"<")) {
            written = name == "app_name" ? "app-name" : form.name == "input_text" ? "json-string" : "json-string-some";
        }
        const auto parameter = std::ranges::find(form.parameters, name, &VerbParameter::name);
        const std::string part = fmt::format("{}{} colon {}", is_first ? "" : "comma ", quoted("\"" + name + "\""), written);
        rule += parameter != form.parameters.end() && !parameter->is_required ? fmt::format(" ({})?", part) : " " + part;
        is_first = false;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return rule + " \"}\"";
}

/// "Type [Label]; [Content]"; empty: it needs a label and none is shown.
std::string marks_rule(const VerbForm& form, bool has_marks) {
    struct Blank {
        std::string_view text;
        std::string_view rule;
        bool needs_mark = false;
    };
    static constexpr std::array kBlanks{
        Blank{"<content>[Content]</content>", R"("<content>" [^ \t<\x00-\x1F] content "</content>")"},
        Blank{"[Label or WINDOW]", R"(("WINDOW" | "[" mark "]"))"},
        Blank{"[Label]", R"("[" mark "]")", true},
        Blank{"[up or down]", R"("[" ("up" | "down") "]")"},
        Blank{"[Content]", R"("[" line-some "]")"},
    };
    std::string rule;
    std::string_view rest = form.form;
    while (!rest.empty()) {
        std::size_t at = rest.size();
        const Blank* next = nullptr;
        for (const Blank& blank : kBlanks) {
            if (const std::size_t found = rest.find(blank.text); found < at) {
                at = found;
                next = &blank;
            }
        }
        if (at > 0) {
            rule += quoted(rest.substr(0, at)) + " ";
        }
        if (next == nullptr) {
            break;
        }
        if (next->needs_mark && !has_marks) {
            return {};
        }
        rule += !has_marks && next->text == "[Label or WINDOW]" ? "\"WINDOW\" " : std::string(next->rule) + " ";
        rest.remove_prefix(at + next->text.size());
    }
    return rule;
}

} // namespace

std::vector<std::string> forms_of(Dialect dialect, const AnswerGrammarOptions& options) {
    std::set<std::string> seen;
    std::vector<std::string> forms;
    const auto add = [&](std::string form) {
        if (!form.empty() && seen.insert(form).second) {
            forms.push_back(std::move(form));
        }
    };
    for (const VerbRow* row : verbs_of(dialect)) {
        if (!is_allowed(row->verb, options)) {
            continue;
        }
        const VerbForm& form = *form_of(*row, dialect);
        if (dialect == Dialect::GlmMobile) {
            add(json_rule(form));
        } else if (dialect == Dialect::GlmWebMarks) {
            add(marks_rule(form, !options.marks.empty()));
        } else {
            for (const std::string_view call : calls_of(form)) {
                add(call_rule(form, call));
            }
        }
    }
    return forms;
}

std::string form_rules(Dialect dialect, const AnswerGrammarOptions& options) {
    const std::span<const std::string_view> tags = dialect == Dialect::GlmDesktop ? std::span<const std::string_view>(kDesktopTags) : kTags;
    constexpr std::string_view kJsonEscapes = R"("\\" (["\\/nrt] | "u" [0-9a-fA-F]{4}))";
    std::string rules = rules_of({"single", R"('\\\x00-\x1F\x7F)", R"("\\" [nrt\\'"/])", tags}) +
                        rules_of({"double", R"(\"\\\x00-\x1F\x7F)", R"("\\" [nrt\\'"/])", tags}) +
                        rules_of({"json", R"(\"\\\x00-\x1F\x7F)", kJsonEscapes, tags}) + rules_of({"line", R"(\x00-\x1F\x7F)", {}, tags}) +
                        rules_of({"content", R"(\x00-\x09\x0B-\x1F\x7F)", {}, kContentTags});
    rules += fmt::format(R"G(number ::= "0" | [1-9] [0-9]? [0-9]?
comma ::= "," " "?
colon ::= ":" " "?
point-quoted ::= "'[" number comma number "]'"
point-round ::= "(" number comma number ")"
point-square ::= "[" number comma number "]"
box ::= "[[" number comma number comma number comma number "]]"
text-any ::= "'" single "'" | "\"" double "\""
text-any-some ::= "'" single-some "'" | "\"" double-some "\""
text-double ::= "\"" double "\""
text-double-some ::= "\"" double-some "\""
json-string ::= "\"" json "\""
json-string-some ::= "\"" json-some "\""
chord ::= ({} "+"){{0,3}} ({} | {} | [a-zA-Z0-9])
)G",
                         any_name(kModifiers), any_name(kModifiers), any_name(kKeyNames));
    std::vector<std::string> apps;
    for (const std::string& app : options.apps) {
        const bool is_writable = std::ranges::none_of(app, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }) &&
                                 std::ranges::none_of(tags, [&](std::string_view tag) { return app.find(tag) != std::string::npos; });
        if (!is_writable) {
            continue;
        }
        std::string written = "\"";
        for (const char c : app) {
            written += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        }
        apps.push_back(written + "\"");
    }
    rules += fmt::format("app-name ::= {}\n", apps.empty() ? "json-string-some" : any_of(apps));
    std::vector<std::string> marks;
    std::ranges::transform(options.marks, std::back_inserter(marks), [](int mark) { return std::to_string(mark); });
    rules += marks.empty() ? "" : fmt::format("mark ::= {}\n", any_of(marks));
    return rules;
}

} // namespace handeye
