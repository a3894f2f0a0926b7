// SPDX-License-Identifier: Apache-2.0
// What holds an answer to a form, in the words of OpenAI (response_format) and of vLLM (structured_outputs, guided_*), as one grammar.
#include "base/json.h"
#include "server/openai/generation_fields.h"
#include "server/openai/raw_json.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using enum FieldUse;

constexpr std::size_t kChoicesMax = 10'000;
constexpr std::size_t kTextBytesMax = 4U << 20U;

/// A part of the body: parsed, as it was written, and its name for errors.
struct BodyPart {
    const json& value;
    std::string_view text;
    std::string name;

    [[nodiscard]] const json* find(const char* key) const { return find_field(value, key); }
    [[nodiscard]] BodyPart at(const char* key) const { return {value.at(key), raw_member(text, key), name.empty() ? key : fmt::format("{}.{}", name, key)}; }
};

/// What a grammar could not be made of is told with the field's name.
std::string grammar_or_refuse(const BodyPart& part, Result<std::string> grammar) {
    if (!grammar) {
        refuse(part.name, grammar.error().message);
    }
    return *std::move(grammar);
}

std::string of_schema(const BodyPart& part, const AnswerGrammars& grammars) {
    if (part.value.is_string()) { // vLLM takes the schema as a text, too
        return grammar_or_refuse(part, grammars.of_schema(part.value.get_ref<const std::string&>()));
    }
    if (!part.value.is_object()) {
        refuse(part.name, "it must be a JSON Schema: an object");
    }
    return grammar_or_refuse(part, grammars.of_schema(part.text));
}

const std::string& text_of(const BodyPart& part) {
    if (!part.value.is_string() || part.value.get_ref<const std::string&>().size() > kTextBytesMax) {
        refuse(part.name, fmt::format("it must be a text of at most {} bytes", kTextBytesMax));
    }
    return part.value.get_ref<const std::string&>();
}

std::string of_choices(const BodyPart& part, const AnswerGrammars& grammars) {
    const auto is_text = [](const json& one) { return one.is_string() && !one.get_ref<const std::string&>().empty(); };
    if (!part.value.is_array() || part.value.empty() || part.value.size() > kChoicesMax || !std::all_of(part.value.begin(), part.value.end(), is_text)) {
        refuse(part.name, fmt::format("it must be a list of 1 to {} texts that are not empty", kChoicesMax));
    }
    return grammar_or_refuse(part, grammars.of_choices(part.value.get<std::vector<std::string>>()));
}

/// {"type": "text" | "json_object" | "json_schema", ...}; empty: any text.
std::string of_response_format(const BodyPart& format, const AnswerGrammars& grammars) {
    const json type = format.value.is_object() ? format.value.value("type", json()) : json();
    if (type == "text") {
        constexpr std::array kRows{FieldRow{"type"}};
        check_fields(format.value, {kRows});
        return "";
    }
    if (type == "json_object") {
        return grammars.json_object;
    }
    if (type != "json_schema" || !format.value.contains("json_schema") || !format.value.at("json_schema").is_object()) {
        refuse(format.name, R"(it is {"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}})");
    }
    // "strict" is accepted either way: every answer keeps to the schema.
    constexpr std::array kRows{FieldRow{"name"}, FieldRow{"schema"}, FieldRow{"strict"}, FieldRow{"description"}};
    const BodyPart wrapped = format.at("json_schema");
    check_fields(wrapped.value, {kRows});
    if (wrapped.find("schema") == nullptr) {
        refuse(wrapped.name + ".schema", "there is none");
    }
    return of_schema(wrapped.at("schema"), grammars);
}

/// One of several keys of `part`; empty: none of them is there.
std::string of_keys(const BodyPart& part, const std::array<const char*, 4>& names, const AnswerGrammars& grammars) {
    std::string found;
    const char* first = nullptr;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (part.find(names[i]) == nullptr) {
            continue;
        }
        if (first != nullptr) {
            refuse(part.at(names[i]).name, fmt::format("{} holds the answer to a form already: one of them can be asked for", first));
        }
        first = names[i];
        const BodyPart one = part.at(names[i]);
        found = i == 0   ? of_schema(one, grammars)
                : i == 1 ? grammar_or_refuse(one, grammars.of_regex(text_of(one)))
                : i == 2 ? grammar_or_refuse(one, grammars.checked(text_of(one)))
                         : of_choices(one, grammars);
    }
    return found;
}

std::string of_structured_outputs(const BodyPart& part, const AnswerGrammars& grammars) {
    constexpr std::array kRows{FieldRow{"json"}, FieldRow{"regex"}, FieldRow{"grammar"}, FieldRow{"choice"}, FieldRow{"json_object"},
                               FieldRow{"backend", PassedOver}, FieldRow{"disable_fallback", PassedOver}, FieldRow{"disable_any_whitespace", Undone, "false"},
                               FieldRow{"disable_additional_properties", PassedOver}, FieldRow{"whitespace_pattern", Undone}, FieldRow{"structural_tag", Undone}};
    if (!part.value.is_object()) {
        refuse(part.name, "it must be an object");
    }
    check_fields(part.value, {kRows});
    std::string found = of_keys(part, {"json", "regex", "grammar", "choice"}, grammars);
    if (!flag(part.value, "json_object").value_or(false)) {
        return found;
    }
    if (!found.empty()) {
        refuse(part.name + ".json_object", "something else holds the answer to a form already: one of them can be asked for");
    }
    return grammars.json_object;
}

} // namespace

void read_constraint(const json& body, std::string_view body_text, const ChatContext& context, ChatCall& call) {
    const AnswerGrammars& grammars = context.grammars;
    const BodyPart all{body, body_text, ""};
    constexpr std::array kWhole{"response_format", "structured_outputs"};
    constexpr std::array<const char*, 4> kGuided{"guided_json", "guided_regex", "guided_grammar", "guided_choice"};
    const auto is_said = [&](const char* name) { return all.find(name) != nullptr; };
    if (!std::any_of(kWhole.begin(), kWhole.end(), is_said) && !std::any_of(kGuided.begin(), kGuided.end(), is_said)) {
        return;
    }
    if (!grammars.of_schema) {
        const auto* const one = std::find_if(kWhole.begin(), kWhole.end(), is_said);
        refuse(one != kWhole.end() ? *one : *std::find_if(kGuided.begin(), kGuided.end(), is_said), "this server was started without grammars");
    }
    std::string found = of_keys(all, kGuided, grammars);
    for (const char* const name : kWhole) {
        if (!is_said(name)) {
            continue;
        }
        std::string next = name == kWhole[0] ? of_response_format(all.at(name), grammars) : of_structured_outputs(all.at(name), grammars);
        if (!next.empty() && !found.empty()) {
            refuse(name, "another field holds the answer to a form already: one of them can be asked for");
        }
        found = next.empty() ? std::move(found) : std::move(next);
    }
    if (!found.empty()) {
        call.request.grammar = AnswerGrammar{.gbnf = std::move(found)};
    }
}

} // namespace handeye
