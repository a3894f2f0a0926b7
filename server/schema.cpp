// SPDX-License-Identifier: Apache-2.0
#include "server/schema.h"

#include "base/suggest.h"

#include "base/json.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

RpcError fault(std::string_view path, const std::string& what) {
    return {ErrorKind::InvalidParams, fmt::format("{} {}", path, what), std::string(path)};
}

bool has_type(const json& value, std::string_view type) {
    if (type == "object") {
        return value.is_object();
    }
    if (type == "array") {
        return value.is_array();
    }
    if (type == "string") {
        return value.is_string();
    }
    if (type == "integer") {
        return value.is_number_integer();
    }
    if (type == "number") {
        return value.is_number();
    }
    return type == "boolean" && value.is_boolean();
}

// Characters, as JSON Schema counts.
std::size_t length_of(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::optional<RpcError> check_size(const json& schema, std::size_t size, std::string_view least, std::string_view most,
                                   std::string_view path, std::string_view unit) {
    if (const auto limit = schema.find(least); limit != schema.end() && size < limit->get<std::size_t>()) {
        return fault(path, fmt::format("has {} {}, at least {} are needed", size, unit, limit->get<std::size_t>()));
    }
    if (const auto limit = schema.find(most); limit != schema.end() && size > limit->get<std::size_t>()) {
        return fault(path, fmt::format("has {} {}, the limit is {}", size, unit, limit->get<std::size_t>()));
    }
    return std::nullopt;
}

std::optional<RpcError> check_number(const json& schema, const json& value, std::string_view path) {
    // As doubles: exact for every limit in the file, which are far below 2^53.
    const double number = value.get<double>();
    if (const auto limit = schema.find("minimum"); limit != schema.end() && number < limit->get<double>()) {
        return fault(path, fmt::format("is {}, the least is {}", value.dump(), limit->dump()));
    }
    if (const auto limit = schema.find("maximum"); limit != schema.end() && number > limit->get<double>()) {
        return fault(path, fmt::format("is {}, the most is {}", value.dump(), limit->dump()));
    }
    return std::nullopt;
}

// Where an unknown name would silently mean less than was asked for.
std::optional<RpcError> check_names(const json& schema, const json& value, std::string_view path) {
    const json& known = schema.at("properties");
    for (const auto& [name, inner] : value.items()) {
        if (!known.contains(name)) {
            std::vector<std::string_view> names;
            for (const auto& [word, ignored] : known.items()) {
                names.push_back(word);
            }
            return RpcError{ErrorKind::InvalidParams, fmt::format("there is no \"{}\" in {}; {}", name.substr(0, 60), path, suggestion(name, "names", names)), fmt::format("{}.{}", path, name.substr(0, 60))};
        }
    }
    return std::nullopt;
}

std::optional<RpcError> check_object(const json& schema, const json& value, std::string_view path) {
    const std::string prefix = path.empty() ? "" : fmt::format("{}.", path);
    if (const auto required = schema.find("required"); required != schema.end()) {
        for (const json& name : *required) {
            if (!value.contains(name.get_ref<const std::string&>())) {
                return fault(prefix + name.get<std::string>(), "is missing");
            }
        }
    }
    if (schema.contains("additionalProperties")) { // false is its only use
        if (auto found = check_names(schema, value, path); found) {
            return found;
        }
    }
    if (const auto properties = schema.find("properties"); properties != schema.end()) {
        for (const auto& [name, inner] : properties->items()) {
            if (const auto member = value.find(name); member != value.end()) {
                if (auto found = check_value(inner, *member, prefix + name); found) {
                    return found;
                }
            }
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<RpcError> check_value(const json& schema, const json& value, std::string_view path) {
    if (const auto type = schema.find("type"); type != schema.end() && !has_type(value, type->get_ref<const std::string&>())) {
        return fault(path, fmt::format("is {} and must be {}", value.type_name(), type->get<std::string>()));
    }
    if (const auto allowed = schema.find("enum"); allowed != schema.end()) {
        if (std::find(allowed->begin(), allowed->end(), value) == allowed->end()) {
            return fault(path, fmt::format("must be one of {}", allowed->dump()));
        }
    }
    if (value.is_object()) {
        return check_object(schema, value, path);
    }
    if (value.is_string()) {
        return check_size(schema, length_of(value.get_ref<const std::string&>()), "minLength", "maxLength", path, "characters");
    }
    if (value.is_number()) {
        return check_number(schema, value, path);
    }
    if (value.is_array()) {
        if (auto found = check_size(schema, value.size(), "minItems", "maxItems", path, "items"); found) {
            return found;
        }
        if (const auto items = schema.find("items"); items != schema.end()) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                if (auto found = check_value(*items, value[i], fmt::format("{}[{}]", path, i)); found) {
                    return found;
                }
            }
        }
    }
    return std::nullopt;
}

const json& protocol_schema() {
    static const json parsed = json::parse(protocol_schema_text()); // our own file: a test parses it before anyone else
    return parsed;
}

std::optional<RpcError> check_params(std::string_view method, const json& params) {
    return check_value(protocol_schema().at("methods").at(std::string(method)).at("params"), params, "");
}

} // namespace handeye
