// SPDX-License-Identifier: Apache-2.0
#include "engine/answer_grammars.h"

#include "base/json.h"
#include "engine/grammar/grammar.h"
#include "engine/grammar/json_schema.h"
#include "engine/grammar/regex.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using Schema = nlohmann::ordered_json;

constexpr std::size_t kSchemaBytesMax = 4U << 20U;
constexpr int kSchemaDepthMax = 128;

bool is_name_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

/// Up to the end of what begins at `at` with a quote or a bracket.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    const char close = text[at] == '[' ? ']' : '"';
    for (++at; at < text.size() && text[at] != close; ++at) {
        at += text[at] == '\\' ? 1 : 0;
    }
    return std::min(at + 1, text.size());
}

/// The same grammar with all its rules renamed, so that two can stand in one text.
std::string with_prefix(std::string_view gbnf, std::string_view prefix) {
    std::string out;
    for (std::size_t at = 0; at < gbnf.size();) {
        std::size_t end = at + 1;
        if (gbnf[at] == '"' || gbnf[at] == '[') {
            end = end_of_quoted(gbnf, at);
        } else if (gbnf[at] == '{') {
            end = std::min(gbnf.find('}', at), gbnf.size() - 1) + 1;
        } else if (gbnf[at] == '#') {
            end = std::min(gbnf.find('\n', at), gbnf.size());
        } else if (is_name_byte(gbnf[at])) {
            end = static_cast<std::size_t>(std::find_if_not(gbnf.begin() + static_cast<std::ptrdiff_t>(at), gbnf.end(), is_name_byte) - gbnf.begin());
            out += prefix;
        }
        out += gbnf.substr(at, end - at);
        at = end;
    }
    return out;
}

Result<Schema> read_schema(const CalledTool& tool) {
    TRY(parse_json(tool.schema_json, {.bytes_max = kSchemaBytesMax, .depth_max = kSchemaDepthMax}));
    Schema schema = Schema::parse(tool.schema_json, nullptr, false);
    if (!schema.is_object()) {
        return Error{ErrorCode::ParseFailed, fmt::format("the schema of {}'s arguments is no object", tool.name)};
    }
    return schema;
}

/// A value between <arg_value> and its end: texts as they are, in which no tag may begin.
Result<std::string> tag_value(const Schema& schema, const Schema& all, const std::string& prefix, std::string& rules) {
    const bool is_text = schema.is_object() && schema.value("type", Schema()) == "string";
    if (is_text && schema.contains("enum") && schema["enum"].is_array()) {
        std::string ways;
        for (const Schema& one : schema["enum"]) {
            ways += one.is_string() ? fmt::format("{}{}", ways.empty() ? "" : " | ", gbnf_literal(one.get<std::string>())) : "";
        }
        return ways.empty() ? Result<std::string>(Error{ErrorCode::ParseFailed, "an enum of texts holds no text"}) : fmt::format("( {} )", ways);
    }
    if (is_text) {
        return std::string("[^<]*");
    }
    Schema whole = schema;
    if (whole.is_object() && all.contains("$defs") && !whole.contains("$defs")) {
        whole["$defs"] = all["$defs"];
    }
    rules += with_prefix(TRY(schema_grammar(whole.dump(), JsonSpacing::Compact)), prefix);
    return prefix + "root";
}

Result<std::string> tags_expression(const CalledTool& tool, std::size_t number, std::string& rules) {
    const Schema schema = TRY(read_schema(tool));
    std::string out = fmt::format("<tool_call> {}", gbnf_literal(tool.name + "\n"));
    if (!schema.contains("properties") || !schema["properties"].is_object()) {
        return out + " </tool_call>";
    }
    const Schema required = schema.value("required", Schema::array());
    std::size_t argument = 0;
    for (const auto& [name, property] : schema["properties"].items()) {
        const std::string value = TRY(tag_value(property, schema, fmt::format("t{}a{}-", number, argument++), rules).with_context(fmt::format("{}.{}", tool.name, name)));
        const std::string one = fmt::format("<arg_key> {} </arg_key> \"\\n\" <arg_value> {} </arg_value> \"\\n\"", gbnf_literal(name), value);
        const bool is_required = required.is_array() && std::find(required.begin(), required.end(), Schema(name)) != required.end();
        out += is_required ? fmt::format(" {}", one) : fmt::format(" ( {} )?", one);
    }
    return out + " </tool_call>";
}

Result<std::string> named_expression(const CalledTool& tool, std::size_t number, std::string& rules) {
    const std::string prefix = fmt::format("t{}-", number);
    rules += with_prefix(TRY(schema_grammar(tool.schema_json, JsonSpacing::Flexible).with_context(tool.name)), prefix);
    return fmt::format("{} {}root", gbnf_literal(tool.name + "\n"), prefix);
}

} // namespace

Result<std::string> grammar_of_schema(std::string_view json_schema) { return checked_grammar(TRY(schema_grammar(json_schema))); }

std::string grammar_of_json_object() { return json_object_grammar(); }

Result<std::string> grammar_of_regex(std::string_view pattern_utf8) { return checked_grammar(TRY(regex_grammar(pattern_utf8))); }

Result<std::string> grammar_of_choices(std::span<const std::string> texts_utf8) {
    std::string ways;
    for (const std::string& text : texts_utf8) {
        if (text.empty()) {
            return Error{ErrorCode::InvalidArgument, "one of the choices is empty"};
        }
        ways += fmt::format("{}{}", ways.empty() ? "" : " | ", gbnf_literal(text));
    }
    if (ways.empty()) {
        return Error{ErrorCode::InvalidArgument, "there is nothing to choose from"};
    }
    return checked_grammar(fmt::format("root ::= {}\n", ways));
}

Result<std::string> checked_grammar(std::string_view gbnf) {
    TRY(parse_grammar(gbnf));
    return std::string(gbnf);
}

Result<std::string> grammar_of_calls(std::span<const CalledTool> tools, CallNotation notation) {
    std::string ways;
    std::string rules;
    for (std::size_t i = 0; i < tools.size(); ++i) {
        const std::string way = TRY((notation == CallNotation::Tags ? tags_expression(tools[i], i, rules) : named_expression(tools[i], i, rules)));
        ways += fmt::format("{}{}", ways.empty() ? "" : " | ", way);
    }
    if (ways.empty()) {
        return Error{ErrorCode::InvalidArgument, "there is no tool to call"};
    }
    return checked_grammar(fmt::format("root ::= \"\\n\"? ( {} )\n{}", ways, rules));
}

} // namespace handeye
