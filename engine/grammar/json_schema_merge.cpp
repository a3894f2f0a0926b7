// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/json_schema_merge.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::array<std::string_view, 13> kAnnotations{"title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated",
                                                        "readOnly", "writeOnly", "$defs", "definitions", "$anchor"};

std::vector<std::string> types_of(const Schema& schema) {
    const auto found = schema.find("type");
    if (found == schema.end()) {
        return {};
    }
    std::vector<std::string> types;
    for (const Schema& type : found->is_array() ? *found : Schema::array({*found})) {
        if (type.is_string()) {
            types.push_back(type.get<std::string>());
        }
    }
    return types;
}

bool is_of_type(const Schema& value, const std::vector<std::string>& types) {
    const std::string name = value.is_object()    ? "object"
                             : value.is_array()   ? "array"
                             : value.is_string()  ? "string"
                             : value.is_boolean() ? "boolean"
                             : value.is_null()    ? "null"
                             : value.is_number_integer() ? "integer"
                                                         : "number";
    return types.empty() || std::ranges::find(types, name) != types.end() || (name == "integer" && std::ranges::find(types, "number") != types.end());
}

std::optional<std::vector<Schema>> values_of(const Schema& schema) {
    if (schema.contains("const")) {
        return std::vector<Schema>{schema["const"]};
    }
    if (schema.contains("enum") && schema["enum"].is_array()) {
        return std::vector<Schema>(schema["enum"].begin(), schema["enum"].end());
    }
    return std::nullopt;
}

/// Types that both allow; an integer is a number.
Schema common_types(const Schema& a, const Schema& b) {
    Schema out = Schema::array();
    const std::vector<std::string> left = types_of(a);
    const std::vector<std::string> right = types_of(b);
    const auto has = [](const std::vector<std::string>& list, std::string_view name) { return std::ranges::find(list, name) != list.end(); };
    for (const std::string& type : left) {
        if (has(right, type) || (type == "integer" && has(right, "number"))) {
            out.push_back(type);
        }
    }
    if (has(left, "number") && has(right, "integer") && !has(left, "integer")) {
        out.push_back("integer");
    }
    return out;
}

Result<Schema> both_values(std::string_view keyword, const Schema& a, const Schema& b, std::string_view pointer) {
    const bool is_low = keyword.starts_with("min") || keyword == "exclusiveMinimum";
    const bool is_high = keyword.starts_with("max") || keyword == "exclusiveMaximum";
    if ((is_low || is_high) && a.is_number() && b.is_number()) {
        return is_low == (a.get<double>() > b.get<double>()) ? a : b;
    }
    if (keyword == "required" && a.is_array() && b.is_array()) {
        Schema out = a;
        for (const Schema& name : b) {
            if (std::find(out.begin(), out.end(), name) == out.end()) {
                out.push_back(name);
            }
        }
        return out;
    }
    if (keyword == "enum" && a.is_array() && b.is_array()) {
        Schema out = Schema::array();
        std::copy_if(a.begin(), a.end(), std::back_inserter(out), [&](const Schema& v) { return std::find(b.begin(), b.end(), v) != b.end(); });
        return out;
    }
    if (keyword == "properties" && a.is_object() && b.is_object()) {
        Schema out = a;
        for (const auto& [name, schema] : b.items()) {
            out[name] = out.contains(name) ? Schema{{"allOf", Schema::array({out[name], schema})}} : schema;
        }
        return out;
    }
    if (keyword == "items" && (a.is_object() || b.is_object())) {
        return Schema{{"allOf", Schema::array({a, b})}};
    }
    if (keyword == "allOf" && a.is_array() && b.is_array()) {
        Schema out = a;
        std::copy(b.begin(), b.end(), std::back_inserter(out));
        return out;
    }
    return Error{ErrorCode::Unsupported, fmt::format("schema, at '{}': '{}' stands twice (through allOf) and cannot be merged: write one of them", pointer, keyword)};
}

} // namespace

bool is_annotation(std::string_view keyword) {
    return std::ranges::find(kAnnotations, keyword) != kAnnotations.end();
}

Result<Schema> merged(const Schema& a, const Schema& b, std::string_view pointer) {
    if (a.is_boolean() || b.is_boolean()) {
        return a == Schema(false) || b == Schema(false) ? Schema(false) : a.is_boolean() ? b : a;
    }
    // A property of the one that the other does not list is up to the other's additionalProperties.
    for (const auto& [mine, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
        const auto more = mine->find("additionalProperties");
        if (more == mine->end() || *more == Schema(true) || !other->contains("properties")) {
            continue;
        }
        for (const auto& [name, schema] : (*other)["properties"].items()) {
            if (!mine->contains("properties") || !(*mine)["properties"].contains(name)) {
                return Error{ErrorCode::Unsupported, fmt::format("schema, at '{}': 'additionalProperties' of one part of allOf shuts out '{}' of another: write one object",
                                                                 pointer, name.substr(0, 80))};
            }
        }
    }
    for (const auto& [mine, other] : {std::pair(&a, &b), std::pair(&b, &a)}) { // items of the one begin behind its own prefix
        if (mine->contains("items") && other->contains("prefixItems") && (!mine->contains("prefixItems") || (*mine)["prefixItems"] != (*other)["prefixItems"])) {
            return Error{ErrorCode::Unsupported, fmt::format("schema, at '{}': 'items' of one part of allOf speaks of the 'prefixItems' of another: write one array", pointer)};
        }
    }
    Schema out = a;
    for (const auto& [keyword, value] : b.items()) {
        if (!out.contains(keyword) || out[keyword] == value || is_annotation(keyword)) {
            out[keyword] = value;
        } else if (keyword == "type") {
            out[keyword] = common_types(a, b);
        } else {
            out[keyword] = TRY(both_values(keyword, out[keyword], value, pointer));
        }
    }
    return out;
}

bool are_disjoint(const Schema& a, const Schema& b) {
    if (!a.is_object() || !b.is_object()) {
        return a == Schema(false) || b == Schema(false);
    }
    const auto left = values_of(a);
    const auto right = values_of(b);
    if (left && right) {
        return std::ranges::none_of(*left, [&](const Schema& v) { return std::ranges::find(*right, v) != right->end(); });
    }
    if (left || right) {
        const std::vector<std::string> types = types_of(left ? b : a);
        return !types.empty() && std::ranges::none_of(left ? *left : *right, [&](const Schema& v) { return is_of_type(v, types); });
    }
    if (a.contains("type") && b.contains("type") && common_types(a, b).empty()) {
        return true;
    }
    if (!a.contains("properties") || !b.contains("properties") || types_of(a) != std::vector<std::string>{"object"} || types_of(b) != std::vector<std::string>{"object"}) {
        return false;
    }
    const auto is_required = [](const Schema& schema, const std::string& name) {
        return schema.contains("required") && schema["required"].is_array() && std::find(schema["required"].begin(), schema["required"].end(), Schema(name)) != schema["required"].end();
    };
    for (const auto& [name, schema] : a["properties"].items()) {
        const auto other = b["properties"].find(name);
        if (other != b["properties"].end() && is_required(a, name) && is_required(b, name) && are_disjoint(schema, *other)) {
            return true;
        }
    }
    return false;
}

} // namespace handeye
