// SPDX-License-Identifier: Apache-2.0
#include "server/openai/fields.h"

#include "base/suggest.h"
#include "server/openai/api_error.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kNameShownMax = 64;

const FieldRow* find_row(std::initializer_list<FieldTable> tables, std::string_view name) {
    for (const FieldTable table : tables) {
        const auto row = std::find_if(table.begin(), table.end(), [&](const FieldRow& one) { return one.name == name; });
        if (row != table.end()) {
            return &*row;
        }
    }
    return nullptr;
}

[[noreturn]] void refuse_unknown(const std::string& name, std::initializer_list<FieldTable> tables) {
    std::vector<std::string_view> names;
    for (const FieldTable table : tables) {
        for (const FieldRow& row : table) {
            if (row.use == FieldUse::Read) {
                names.push_back(row.name);
            }
        }
    }
    const std::string shown = name.substr(0, kNameShownMax);
    refuse(shown, "there is no such field; " + suggestion(shown, "fields", names));
}

} // namespace

void check_fields(const json& body, std::initializer_list<FieldTable> tables) {
    if (!body.is_object()) {
        refuse("body", "it must be a JSON object");
    }
    for (const auto& [name, value] : body.items()) {
        const FieldRow* const row = find_row(tables, name);
        if (row == nullptr) {
            refuse_unknown(name, tables);
        }
        if (row->use == FieldUse::Undone && !value.is_null() && (row->harmless_json.empty() || value != json::parse(row->harmless_json))) {
            refuse(name, row->harmless_json.empty() ? "this endpoint does not do that" : fmt::format("this endpoint does not do that; it may be {}", row->harmless_json));
        }
    }
}

const json* find_field(const json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

double number(const json& object, const char* name, Range range, double otherwise) {
    const json* const found = find_field(object, name);
    if (found == nullptr) {
        return otherwise;
    }
    if (!found->is_number() || !(found->get<double>() >= range.from) || !(found->get<double>() <= range.to)) {
        refuse(name, fmt::format("it must be a number from {} to {}", range.from, range.to));
    }
    return found->get<double>();
}

std::optional<int> whole(const json& object, const char* name, int from, int to) {
    const json* const found = find_field(object, name);
    if (found == nullptr) {
        return std::nullopt;
    }
    const bool is_huge = found->is_number_unsigned() && found->get<std::uint64_t>() > std::uint64_t{1} << 62U;
    if (!found->is_number_integer() || is_huge || found->get<std::int64_t>() < from || found->get<std::int64_t>() > to) {
        refuse(name, fmt::format("it must be a whole number from {} to {}", from, to));
    }
    return found->get<int>();
}

std::optional<bool> flag(const json& object, const char* name) {
    const json* const found = find_field(object, name);
    if (found == nullptr) {
        return std::nullopt;
    }
    if (!found->is_boolean()) {
        refuse(name, "it must be true or false");
    }
    return found->get<bool>();
}

std::optional<std::string> text(const json& object, const char* name, std::size_t bytes_max) {
    const json* const found = find_field(object, name);
    if (found == nullptr) {
        return std::nullopt;
    }
    if (!found->is_string() || found->get_ref<const std::string&>().size() > bytes_max) {
        refuse(name, fmt::format("it must be a text of at most {} bytes", bytes_max));
    }
    return found->get<std::string>();
}

} // namespace handeye
