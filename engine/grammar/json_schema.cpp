// SPDX-License-Identifier: Apache-2.0
// One function per type of document; each returns an expression of the rules it has written.
#include "engine/grammar/json_schema.h"

#include "base/json.h"
#include "engine/grammar/grammar.h"
#include "engine/grammar/json_schema_merge.h"
#include "engine/grammar/json_schema_parts.h"
#include "engine/grammar/json_schema_scalars.h"
#include "engine/grammar/json_schema_types.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::size_t kGrammarBytesMax = 4U << 20U;
constexpr int kNestingMax = 128;
constexpr std::size_t kEntriesMax = 4096;       ///< of one object or list
constexpr std::size_t kExclusiveMax = 256;      ///< alternatives of a oneOf: each is held against each
constexpr std::size_t kMergedNodesMax = 400'000; ///< that merging makes: parts of parts double

/// What takes part in searches of each against each is bounded before anything is searched.
Result<void> check_entries(const nlohmann::json& value, const std::string& pointer) {
    if (value.size() > kEntriesMax && value.is_structured()) {
        return schema_fault(pointer, fmt::format("{} entries, at most {} may stand in one place", value.size(), kEntriesMax), ErrorCode::LimitExceeded);
    }
    if (value.is_structured()) {
        for (const nlohmann::json& part : value) {
            TRY(check_entries(part, pointer));
        }
    }
    return {};
}

std::size_t nodes_of(const Schema& schema) {
    std::size_t nodes = 1;
    if (schema.is_structured()) {
        for (const Schema& part : schema) {
            nodes += nodes_of(part);
        }
    }
    return nodes;
}

std::string escaped_pointer(std::string_view key) {
    std::string out;
    for (const char c : key) {
        out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return out;
}

class SchemaWriter {
public:
    SchemaWriter(const Schema& root, JsonSpacing spacing) : root_(root), rules_(json_rules(spacing == JsonSpacing::Compact)) {}

    Result<std::string> run() {
        const std::string start = TRY(value(root_, "#"));
        return fmt::format("root ::= {}\n{}", start, rules_);
    }

private:
    /// Pays for a schema that was made of others.
    Result<Schema> paid(Schema made, const std::string& pointer) {
        merged_nodes_ += nodes_of(made);
        if (merged_nodes_ > kMergedNodesMax) {
            return schema_fault(pointer, fmt::format("its parts make more than {} when they are merged", kMergedNodesMax), ErrorCode::LimitExceeded);
        }
        return made;
    }
    Result<Schema> both(const Schema& a, const Schema& b, const std::string& pointer) {
        Schema made = TRY(merged(a, b, pointer));
        return paid(std::move(made), pointer);
    }

    std::string rule(std::string_view expression) {
        const std::string name = fmt::format("v{}", ++rules_count_);
        rules_ += fmt::format("{} ::= {}\n", name, expression);
        return name;
    }

    /// A name stays as it is.
    std::string ruled(const std::string& expression) {
        return expression.find(' ') == std::string::npos ? expression : rule(expression);
    }

    /// The expression of a schema's documents.
    Result<std::string> value(const Schema& schema, const std::string& pointer) {
        if (++depth_ > kNestingMax || rules_.size() > kGrammarBytesMax) {
            return schema_fault(pointer, depth_ > kNestingMax ? fmt::format("it nests deeper than {}", kNestingMax) : fmt::format("its grammar takes more than {} bytes", kGrammarBytesMax),
                         ErrorCode::LimitExceeded);
        }
        Result<std::string> out = value_of(schema, pointer);
        --depth_;
        return out;
    }

    Result<std::string> value_of(const Schema& schema, const std::string& pointer) {
        if (schema.is_boolean()) {
            return schema.get<bool>() ? Result<std::string>("json-value") : schema_fault(pointer, "'false' allows no document");
        }
        if (!schema.is_object()) {
            return schema_fault(pointer, "a schema is an object or a boolean");
        }
        TRY(check_keywords(schema, pointer));
        if (schema.contains("allOf")) {
            return value(TRY(all_of(schema, pointer)), pointer);
        }
        if (schema.contains("$ref")) {
            return reference(schema, pointer);
        }
        for (const char* keyword : {"anyOf", "oneOf"}) {
            if (schema.contains(keyword)) {
                return any_of(schema, keyword, pointer);
            }
        }
        if (schema.contains("const")) {
            return constants(Schema::array({schema["const"]}), schema, pointer);
        }
        if (schema.contains("enum")) {
            return constants(schema["enum"], schema, pointer);
        }
        return typed(schema, pointer);
    }

    Result<std::string> reference(const Schema& schema, const std::string& pointer) {
        for (const auto& [keyword, ignored] : schema.items()) {
            if (keyword != "$ref" && !is_annotation(keyword)) {
                Schema rest = schema;
                rest.erase("$ref");
                const Schema target = TRY(resolved(schema["$ref"], pointer));
                return value(TRY(both(target, rest, pointer)), pointer);
            }
        }
        const std::string target = schema["$ref"].is_string() ? schema["$ref"].get<std::string>() : "";
        const auto known = references_.find(target);
        if (known != references_.end()) {
            return known->second;
        }
        const Schema wanted = TRY(resolved(schema["$ref"], pointer));
        const std::string name = fmt::format("ref{}", references_.size());
        references_.emplace(target, name); // before its value: a schema may hold itself
        const std::string expression = TRY(value(wanted, target));
        rules_ += fmt::format("{} ::= {}\n", name, expression);
        return name;
    }

    /// The schema that "#/$defs/name" names, through references to references.
    Result<Schema> resolved(const Schema& reference, const std::string& pointer) {
        Schema current = {{"$ref", reference}};
        for (int hops = 0; current.is_object() && current.contains("$ref"); ++hops) {
            if (!current["$ref"].is_string() || hops > 32) {
                return schema_fault(pointer, hops > 32 ? "'$ref' leads back to itself" : "'$ref' must be a text");
            }
            const auto target = current["$ref"].get<std::string>();
            if (target != "#" && !target.starts_with("#/")) {
                return schema_refused(pointer, target, "only references within the schema, '#/$defs/...', are followed");
            }
            const Schema* found = &root_;
            try {
                found = &root_.at(Schema::json_pointer(target.substr(1)));
            } catch (const nlohmann::json::exception&) {
                return schema_fault(pointer, fmt::format("'$ref' to '{}': there is nothing", target.substr(0, 80)));
            }
            if (hops > 0 || current.size() == 1) {
                Schema rest = current;
                rest.erase("$ref");
                Schema next = *found;
                current = rest.empty() ? TRY(paid(std::move(next), pointer)) : TRY(both(next, rest, pointer));
            }
        }
        return current;
    }

    Result<Schema> all_of(const Schema& schema, const std::string& pointer) {
        Schema out = schema;
        out.erase("allOf");
        if (!schema["allOf"].is_array() || schema["allOf"].empty()) {
            return schema_fault(pointer, "'allOf' is a list of schemas that is not empty");
        }
        std::size_t index = 0;
        for (const Schema& part : schema["allOf"]) {
            const std::string at = fmt::format("{}/allOf/{}", pointer, index++);
            Schema whole = part.is_object() && part.contains("$ref") ? TRY(resolved(part["$ref"], at)) : part;
            if (part.is_object() && part.contains("$ref") && part.size() > 1) {
                Schema rest = part;
                rest.erase("$ref");
                whole = TRY(both(whole, rest, at));
            }
            out = TRY(both(out, whole, at));
        }
        return out;
    }

    Result<std::string> any_of(const Schema& schema, const char* keyword, const std::string& pointer) {
        const Schema& list = schema[keyword];
        if (!list.is_array() || list.empty()) {
            return schema_fault(pointer, fmt::format("'{}' is a list of schemas that is not empty", keyword));
        }
        Schema base = schema;
        base.erase(keyword);
        for (auto at = base.begin(); at != base.end();) {
            at = is_annotation(at.key()) ? base.erase(at) : std::next(at);
        }
        const bool is_exclusive = std::string_view(keyword) == "oneOf";
        if (is_exclusive) {
            TRY(check_exclusive(list, base, pointer));
        }
        std::vector<std::string> ways;
        for (const Schema& part : list) {
            const Schema whole = TRY(alternative(part, base, is_exclusive, pointer));
            ways.push_back(TRY(value(whole, fmt::format("{}/{}/{}", pointer, keyword, ways.size()))));
        }
        return rule(fmt::format("{}", fmt::join(ways, " | ")));
    }

    /// One part of a list with what stands beside the list.
    Result<Schema> alternative(const Schema& part, const Schema& base, bool is_exclusive, const std::string& pointer) {
        const bool is_reference = part.is_object() && part.contains("$ref");
        const bool needs_whole = !base.empty() || is_exclusive;
        const Schema whole = is_reference && needs_whole && part.size() == 1 ? TRY(resolved(part["$ref"], pointer)) : part;
        return base.empty() ? Result<Schema>(whole) : both(base, whole, pointer);
    }

    Result<void> check_exclusive(const Schema& list, const Schema& base, const std::string& pointer) {
        if (list.size() > kExclusiveMax) {
            return schema_fault(pointer, fmt::format("'oneOf' of {} alternatives, at most {} are held against each other; write anyOf", list.size(), kExclusiveMax), ErrorCode::LimitExceeded);
        }
        std::vector<Schema> parts;
        for (const Schema& part : list) {
            parts.push_back(TRY(alternative(part, base, true, pointer)));
        }
        for (std::size_t i = 0; i < parts.size(); ++i) {
            for (std::size_t k = i + 1; k < parts.size(); ++k) {
                if (!are_disjoint(parts[i], parts[k])) {
                    return schema_refused(pointer, "oneOf", fmt::format("alternatives {} and {} may both hold; give them different types or a required property with different "
                                                                        "constants, or write anyOf", i, k));
                }
            }
        }
        return {};
    }

    Result<std::string> constants(const Schema& values, const Schema& schema, const std::string& pointer) {
        if (!values.is_array() || values.empty()) {
            return schema_fault(pointer, "'enum' is a list that is not empty");
        }
        std::vector<std::string> ways;
        for (const Schema& one : values) {
            if (TRY(is_valid_constant(one, schema, pointer))) {
                ways.push_back(constant_expression(one));
            }
        }
        if (ways.empty()) {
            return schema_fault(pointer, "none of its constants is of its type");
        }
        return rule(fmt::format("{}", fmt::join(ways, " | ")));
    }

    Result<std::string> typed(const Schema& schema, const std::string& pointer) {
        const std::vector<std::string> types = TRY(schema_types(schema, pointer));
        if (types.empty()) {
            return std::string("json-value");
        }
        std::vector<std::string> ways;
        for (const std::string& type : types) {
            ways.push_back(type == "object"    ? TRY(object(schema, pointer))
                           : type == "array"   ? TRY(array(schema, pointer))
                           : type == "string"  ? ruled(TRY(string_expression(schema, pointer)))
                           : type == "boolean" ? "json-boolean"
                           : type == "null"    ? "json-null"
                                               : ruled(TRY(number_expression(schema, pointer, type == "integer" ? NumberKind::Integer : NumberKind::Decimal))));
        }
        return ways.size() == 1 ? ways[0] : rule(fmt::format("{}", fmt::join(ways, " | ")));
    }

    Result<std::string> array(const Schema& schema, const std::string& pointer) {
        if (schema.contains("uniqueItems") && schema["uniqueItems"] != Schema(false)) {
            return schema_refused(pointer, "uniqueItems", "");
        }
        const std::int64_t low = TRY(schema_count(schema, "minItems", 0, pointer));
        const std::int64_t high = TRY(schema_count(schema, "maxItems", -1, pointer));
        if (high >= 0 && high < low) {
            return schema_fault(pointer, "'maxItems' is less than 'minItems'");
        }
        std::vector<std::string> first;
        if (schema.contains("prefixItems")) {
            if (!schema["prefixItems"].is_array()) {
                return schema_fault(pointer, "'prefixItems' is a list of schemas");
            }
            for (const Schema& item : schema["prefixItems"]) {
                first.push_back(TRY(value(item, fmt::format("{}/prefixItems/{}", pointer, first.size()))));
            }
        }
        const auto prefix = static_cast<std::int64_t>(first.size());
        const bool is_closed = (schema.contains("items") && schema["items"] == Schema(false)) || (high >= 0 && high <= prefix);
        std::string rest; // what may follow the prefix, commas included
        if (!is_closed) {
            const std::string item = schema.contains("items") ? TRY(value(schema["items"], pointer + "/items")) : "json-value";
            const std::int64_t need = std::max<std::int64_t>(0, low - prefix);
            if (prefix == 0) {
                const std::string more = fmt::format("{} (\",\" ws {}){}", item, item, repeats(std::max<std::int64_t>(0, need - 1), high < 0 ? -1 : high - 1));
                return rule(need > 0 ? fmt::format("\"[\" ws {} ws \"]\"", more) : fmt::format("\"[\" ws ({} ws)? \"]\"", more));
            }
            rest = fmt::format("(\",\" ws {}){}", item, repeats(need, high < 0 ? -1 : high - prefix));
        } else if (low > prefix) {
            return schema_fault(pointer, fmt::format("'minItems' is {}, and at most {} items are described", low, prefix));
        }
        // From the last of the prefix to its first: each may be the end once there are enough.
        for (std::int64_t i = std::min(prefix, high < 0 || !is_closed ? prefix : high); i-- > 0;) {
            const std::string here = fmt::format("{}{}{}", i > 0 ? "\",\" ws " : "", first[static_cast<std::size_t>(i)], rest.empty() ? "" : " " + rest);
            rest = rule(i < low ? here : fmt::format("({})?", here));
        }
        return rule(rest.empty() ? "\"[\" ws \"]\"" : fmt::format("\"[\" ws {} ws \"]\"", rest));
    }

    Result<std::string> object(const Schema& schema, const std::string& pointer) {
        Schema properties = schema.contains("properties") ? schema["properties"] : Schema::object();
        if (!properties.is_object() || (schema.contains("required") && !schema["required"].is_array())) {
            return schema_fault(pointer, "'properties' is an object of schemas and 'required' a list of names");
        }
        const bool is_open = schema.contains("additionalProperties") ? schema["additionalProperties"] != Schema(false) : properties.empty();
        const std::string other = !is_open ? "" : schema.contains("additionalProperties") ? TRY(value(schema["additionalProperties"], pointer + "/additionalProperties")) : "json-value";
        std::vector<std::string> required;
        for (const Schema& name : schema.contains("required") ? schema["required"] : Schema::array()) {
            if (!name.is_string()) {
                return schema_fault(pointer, "'required' is a list of names");
            }
            required.push_back(name.get<std::string>());
            if (!properties.contains(required.back())) {
                if (!is_open) {
                    return schema_fault(pointer, fmt::format("'required' names '{}', which is none of its properties", required.back().substr(0, 80)));
                }
                properties[required.back()] = schema.contains("additionalProperties") ? schema["additionalProperties"] : Schema(true);
            }
        }
        if (properties.empty()) {
            return map(schema, pointer, other);
        }
        if (schema.contains("minProperties") || schema.contains("maxProperties")) {
            return schema_refused(pointer, schema.contains("minProperties") ? "minProperties" : "maxProperties", "beside named properties");
        }
        std::vector<std::string> names;
        std::vector<std::string> pairs;
        for (const auto& [name, property] : properties.items()) {
            const std::string written = TRY(value(property, fmt::format("{}/properties/{}", pointer, escaped_pointer(name))));
            names.push_back(name);
            pairs.push_back(fmt::format("{} ws {}", gbnf_literal(dump_json(nlohmann::json(name)) + ":"), written));
        }
        // From the last property to the first: `some` is one or more members from here on, `rest` what may follow a member before.
        std::string some;
        std::string rest;
        bool can_stop = true;
        if (is_open) {
            const std::string key = fmt::format("key{}", ++rules_count_);
            rules_ += other_key_rules(key, names);
            some = rule(fmt::format("{0} \":\" ws {1} (\",\" ws {0} \":\" ws {1})*", key, other));
            rest = fmt::format("(\",\" ws {})?", some);
        }
        for (std::size_t i = names.size(); i-- > 0;) {
            const bool is_required = std::ranges::find(required, names[i]) != required.end();
            some = rule(fmt::format("{}{}{}{}{}", pairs[i], rest.empty() ? "" : " ", rest, is_required || some.empty() ? "" : " | ", is_required ? "" : some));
            can_stop = can_stop && !is_required;
            rest = fmt::format("{}\",\" ws {}{}", can_stop ? "(" : "", some, can_stop ? ")?" : "");
        }
        return rule(fmt::format("\"{{\" ws {} \"}}\"", can_stop ? fmt::format("({} ws)?", some) : some + " ws"));
    }

    /// An object of any names.
    Result<std::string> map(const Schema& schema, const std::string& pointer, const std::string& other) {
        const std::int64_t low = TRY(schema_count(schema, "minProperties", 0, pointer));
        const std::int64_t high = TRY(schema_count(schema, "maxProperties", -1, pointer));
        if (low > 1) {
            return schema_refused(pointer, "minProperties", "above 1 without named properties: two names could be equal");
        }
        if (high == 0 || other.empty()) {
            return low > 0 ? schema_fault(pointer, "it needs a property and allows none") : Result<std::string>("\"{\" ws \"}\"");
        }
        const std::string pairs = fmt::format("json-string \":\" ws {} (\",\" ws json-string \":\" ws {}){} ws", other, other, repeats(0, high < 0 ? -1 : high - 1));
        return rule(low > 0 ? fmt::format("\"{{\" ws {} \"}}\"", pairs) : fmt::format("\"{{\" ws ({})? \"}}\"", pairs));
    }

    const Schema& root_;
    std::string rules_;
    std::map<std::string, std::string> references_;
    std::size_t rules_count_ = 0;
    std::size_t merged_nodes_ = 0;
    int depth_ = 0;
};

} // namespace

Result<std::string> schema_grammar(std::string_view json_schema, JsonSpacing spacing) {
    const nlohmann::json unordered = TRY(parse_json(json_schema));
    TRY(check_entries(unordered, "#")); // limits and duplicate keys; its objects forget their order
    const Schema schema = Schema::parse(json_schema, nullptr, false);
    std::string gbnf = TRY(SchemaWriter(schema, spacing).run());
    if (gbnf.size() > kGrammarBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("the schema's grammar takes {} bytes, more than {}", gbnf.size(), kGrammarBytesMax)};
    }
    return gbnf;
}

std::string json_object_grammar(JsonSpacing spacing) {
    return "root ::= json-object\n" + json_rules(spacing == JsonSpacing::Compact);
}

} // namespace handeye
