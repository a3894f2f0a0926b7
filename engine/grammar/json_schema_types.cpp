// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/json_schema_types.h"

#include "base/json.h"
#include "engine/grammar/grammar.h"
#include "engine/grammar/json_schema_scalars.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::array<std::string_view, 7> kTypes{"object", "array", "string", "integer", "number", "boolean", "null"};

/// Which types a keyword speaks of, by the first of them.
struct Keyword {
    std::string_view name;
    std::string_view type; ///< empty: any
};
constexpr std::array kKeywords{
    Keyword{"type", ""}, Keyword{"enum", ""}, Keyword{"const", ""}, Keyword{"anyOf", ""}, Keyword{"oneOf", ""}, Keyword{"allOf", ""}, Keyword{"$ref", ""},
    Keyword{"properties", "object"}, Keyword{"required", "object"}, Keyword{"additionalProperties", "object"}, Keyword{"minProperties", "object"},
    Keyword{"maxProperties", "object"}, Keyword{"items", "array"}, Keyword{"prefixItems", "array"}, Keyword{"minItems", "array"}, Keyword{"maxItems", "array"},
    Keyword{"uniqueItems", "array"}, Keyword{"minLength", "string"}, Keyword{"maxLength", "string"}, Keyword{"pattern", "string"}, Keyword{"format", "string"},
    Keyword{"minimum", "number"}, Keyword{"maximum", "number"}, Keyword{"exclusiveMinimum", "number"}, Keyword{"exclusiveMaximum", "number"},
    Keyword{"multipleOf", "number"}};

} // namespace

Result<void> check_keywords(const Schema& schema, const std::string& pointer) {
    for (const auto& [keyword, ignored] : schema.items()) {
        const bool is_known = std::ranges::find(kKeywords, keyword, &Keyword::name) != kKeywords.end();
        if (!is_known && !is_annotation(keyword)) {
            return schema_refused(pointer, keyword, "take it out, or check the answer for it afterwards");
        }
    }
    return {};
}

Result<std::vector<std::string>> schema_types(const Schema& schema, const std::string& pointer) {
    std::vector<std::string> types;
    if (schema.contains("type")) {
        const Schema& type = schema["type"];
        for (const Schema& one : type.is_array() ? type : Schema::array({type})) {
            if (!one.is_string() || std::ranges::find(kTypes, one.get<std::string>()) == kTypes.end()) {
                return schema_fault(pointer, fmt::format("there is no type {}", one.dump().substr(0, 40)));
            }
            types.push_back(one.get<std::string>());
        }
        return types.empty() ? Result<std::vector<std::string>>(schema_fault(pointer, "it allows no type")) : types;
    }
    for (const auto& [keyword, ignored] : schema.items()) {
        const auto* const known = std::ranges::find(kKeywords, keyword, &Keyword::name);
        if (known != kKeywords.end() && !known->type.empty() && std::ranges::find(types, known->type) == types.end()) {
            types.emplace_back(known->type);
        }
    }
    return types;
}

std::string constant_expression(const Schema& one) {
    std::string parts;
    if (one.is_object()) {
        for (const auto& [name, part] : one.items()) {
            parts += fmt::format("{}{} ws {} ws", parts.empty() ? " " : " \",\" ws ", gbnf_literal(dump_json(nlohmann::json(name)) + ":"), constant_expression(part));
        }
        return fmt::format("\"{{\" ws{} \"}}\"", parts);
    }
    if (one.is_array()) {
        for (const Schema& part : one) {
            parts += fmt::format("{}{} ws", parts.empty() ? " " : " \",\" ws ", constant_expression(part));
        }
        return fmt::format("\"[\" ws{} \"]\"", parts);
    }
    return gbnf_literal(one.dump(-1, ' ', false, Schema::error_handler_t::replace));
}

Result<bool> is_valid_constant(const Schema& one, const Schema& schema, const std::string& pointer) {
    for (const auto& [keyword, ignored] : schema.items()) {
        if (keyword != "type" && keyword != "enum" && keyword != "const" && !is_annotation(keyword)) {
            return schema_refused(pointer, keyword, "beside 'enum' or 'const' only 'type' may stand");
        }
    }
    if (schema.contains("const") && schema.contains("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), one) == schema["enum"].end()) {
        return false;
    }
    const std::vector<std::string> types = TRY(schema_types(schema, pointer));
    const std::string_view name = one.is_object() ? "object" : one.is_array() ? "array" : one.is_string() ? "string" : one.is_boolean() ? "boolean" : one.is_null() ? "null" : "number";
    const bool is_whole = one.is_number_integer() || (one.is_number() && one.get<double>() == std::floor(one.get<double>()));
    return !schema.contains("type") || std::ranges::any_of(types, [&](const std::string& t) { return t == name || (t == "integer" && name == "number" && is_whole); });
}

} // namespace handeye
