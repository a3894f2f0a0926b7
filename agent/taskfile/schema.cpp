// SPDX-License-Identifier: Apache-2.0
// The grammar as JSON Schema 2020-12 and as the reference for people.
#include "agent/task_file.h"
#include "agent/taskfile/grammar.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace taskfile;
using json = nlohmann::ordered_json;

json reference_to(ShapeId id) { return {{"$ref", fmt::format("#/$defs/{}", shape_of(id).name)}}; }

json schema_of_one(const ValueType& type) {
    switch (type.kind) {
    case Kind::Text: return {{"type", json::array({"string", "number", "boolean"})}};
    case Kind::Plain: return {{"type", json::array({"string", "number", "boolean"})}};
    case Kind::Name: return {{"type", "string"}, {"pattern", "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"}};
    case Kind::Integer: return {{"type", "integer"}, {"minimum", type.from}, {"maximum", type.to}};
    case Kind::Number: return {{"type", "number"}, {"minimum", type.from}, {"maximum", type.to}};
    case Kind::Truth: return {{"type", "boolean"}};
    case Kind::Duration: return {{"type", "string"}, {"pattern", "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
    case Kind::Count: return {{"type", json::array({"integer", "string"})}, {"pattern", "^[0-9]+(\\.[0-9]+)?[kM]?$"}};
    case Kind::Choice: return {{"enum", type.choices}};
    case Kind::Pattern:
    case Kind::Search: return {{"type", "string"}, {"maxLength", 1024}};
    case Kind::Expression: return {{"type", json::array({"string", "number", "boolean"})}};
    case Kind::Chord: return {{"type", json::array({"string", "integer"})}};
    case Kind::Numbers:
        return {{"type", "array"}, {"items", {{"type", "integer"}}}, {"minItems", static_cast<int>(type.from)}, {"maxItems", static_cast<int>(type.to)}};
    case Kind::Value: return json::object();
    case Kind::Object: return reference_to(type.shape);
    case Kind::Names:
        return {{"type", "object"}, {"propertyNames", {{"pattern", "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"}}}, {"additionalProperties", reference_to(type.shape)}};
    }
    return {};
}

json schema_of(const Field& field) {
    json one = schema_of_one(field.type);
    if (field.type.is_list) {
        const int at_least = field.type.kind == Kind::Object ? 1 : 0;
        one = {{"anyOf", json::array({one, {{"type", "array"}, {"items", one}, {"minItems", at_least}}})}};
    }
    one["description"] = field.help;
    return one;
}

json any_of_required(const std::vector<std::string_view>& names) {
    json out = json::array();
    for (const std::string_view name : names) {
        out.push_back({{"required", json::array({name})}});
    }
    return out;
}

std::vector<std::string_view> split(std::string_view names) {
    std::vector<std::string_view> out;
    while (!names.empty()) {
        const std::size_t bar = names.find('|');
        out.push_back(names.substr(0, bar));
        names = bar == std::string_view::npos ? std::string_view() : names.substr(bar + 1);
    }
    return out;
}

json schema_of(const Shape& shape) {
    json map{{"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}};
    json required = json::array();
    json beside = json::object();
    for (const Field& field : shape.fields) {
        map["properties"][field.name] = schema_of(field);
        if (field.is_required) {
            required.push_back(field.name);
        }
        if (!field.beside.empty()) {
            beside[field.name] = {{"anyOf", any_of_required(split(field.beside))}};
        }
    }
    if (!required.empty()) {
        map["required"] = required;
    }
    if (!beside.empty()) {
        map["dependentSchemas"] = beside;
    }
    if (!shape.exactly_one_of.empty()) {
        map["oneOf"] = any_of_required(shape.exactly_one_of);
    }
    if (!shape.at_least_one_of.empty()) {
        map["anyOf"] = any_of_required(shape.at_least_one_of);
    }
    json out{{"description", shape.help}};
    if (shape.shorthand.empty()) {
        out.update(map);
        return out;
    }
    out["anyOf"] = json::array({schema_of_one(shape.find(shape.shorthand)->type), map});
    if (const ValueType& type = shape.find(shape.shorthand)->type; type.is_list || type.kind == Kind::Value) {
        out["anyOf"][0] = {{"type", json::array({"string", "number", "boolean", "array"})}};
    }
    return out;
}

std::string type_in_words(const ValueType& type) {
    const auto named = [&]() -> std::string {
        switch (type.kind) {
        case Kind::Text: return "text with `${references}`";
        case Kind::Plain: return "text";
        case Kind::Name: return "name";
        case Kind::Integer: return fmt::format("whole number, {:.15g} to {:.15g}", type.from, type.to);
        case Kind::Number: return fmt::format("number, {:.15g} to {:.15g}", type.from, type.to);
        case Kind::Truth: return "true or false";
        case Kind::Duration: return "duration";
        case Kind::Count: return "count";
        case Kind::Choice: return fmt::format("`{}`", fmt::join(type.choices, "`, `"));
        case Kind::Pattern: return "pattern";
        case Kind::Search: return "pattern with `${references}`";
        case Kind::Expression: return "expression";
        case Kind::Chord: return "chord";
        case Kind::Numbers: return fmt::format("{:.15g} whole numbers", type.from);
        case Kind::Value: return "any value";
        case Kind::Object: return fmt::format("[{0}](#{0})", shape_of(type.shape).name);
        case Kind::Names: return fmt::format("names, each with a [{0}](#{0})", shape_of(type.shape).name);
        }
        return "";
    }();
    return type.is_list ? "one or several: " + named : named;
}

} // namespace

std::string task_file_schema() {
    json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
             {"$id", "urn:handeye:task:1"},
             {"title", "handeye task file, version 1"}};
    const json file = schema_of(shape_of(ShapeId::File));
    out.update(file);
    out["$defs"] = json::object();
    for (const ShapeId id : all_shapes()) {
        if (id != ShapeId::File) {
            out["$defs"][std::string(shape_of(id).name)] = schema_of(shape_of(id));
        }
    }
    return out.dump(1) + "\n";
}

std::string task_file_reference() {
    std::string out;
    for (const ShapeId id : all_shapes()) {
        const Shape& shape = shape_of(id);
        out += fmt::format("### {}\n\n{}.", shape.name, shape.help);
        if (!shape.shorthand.empty()) {
            out += fmt::format(" A value alone stands for `{}`.", shape.shorthand);
        }
        if (!shape.at_least_one_of.empty()) {
            out += fmt::format(" At least one of `{}`.", fmt::join(shape.at_least_one_of, "`, `"));
        }
        if (!shape.exactly_one_of.empty()) {
            out += fmt::format(" Exactly one of `{}`.", fmt::join(shape.exactly_one_of, "`, `"));
        }
        out += "\n\n| key | value | meaning |\n|---|---|---|\n";
        for (const Field& field : shape.fields) {
            std::string help(field.help);
            if (field.is_required) {
                help += " (needed)";
            }
            if (!field.beside.empty()) {
                help += fmt::format(" (beside {})", fmt::join(split(field.beside), ", "));
            }
            for (std::size_t at = help.find('|'); at != std::string::npos; at = help.find('|', at + 2)) {
                help.replace(at, 1, "\\|");
            }
            out += fmt::format("| `{}` | {} | {} |\n", field.name, type_in_words(field.type), help);
        }
        out += "\n";
    }
    return out;
}

} // namespace handeye
