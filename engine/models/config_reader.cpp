// SPDX-License-Identifier: Apache-2.0
#include "engine/models/config_reader.h"

#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

const json* member(const json* object, std::string_view key) {
    if (object == nullptr || !object->is_object()) {
        return nullptr;
    }
    const auto found = object->find(key);
    return found == object->end() || found->is_null() ? nullptr : &*found;
}

} // namespace

const json* ConfigReader::find(std::string_view key) const {
    const json* value = member(inner_, key);
    return value != nullptr ? value : member(outer_, key);
}

Error ConfigReader::bad(std::string_view key, std::string_view expected) const {
    const json* value = find(key);
    std::string shown = value == nullptr ? "absent" : dump_json(*value);
    if (shown.size() > 100) {
        shown = shown.substr(0, 100) + "...";
    }
    return {value == nullptr ? ErrorCode::NotFound : ErrorCode::InvalidArgument,
            fmt::format("config: {}.{} is {}, expected {}", section_, key, shown, expected)};
}

Result<int> ConfigReader::integer(std::string_view key, int min, int max) const {
    const json* value = find(key);
    if (value == nullptr || !value->is_number_integer()) {
        return bad(key, fmt::format("a whole number in {}..{}", min, max));
    }
    const bool fits = value->is_number_unsigned() ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(max)
                                                  : value->get<std::int64_t>() <= max;
    if (!fits || value->get<std::int64_t>() < min) {
        return bad(key, fmt::format("a whole number in {}..{}", min, max));
    }
    return value->get<int>();
}

Result<int> ConfigReader::integer_or(std::string_view key, int fallback, int min, int max) const {
    return find(key) == nullptr ? Result<int>(fallback) : integer(key, min, max);
}

Result<double> ConfigReader::number_or(std::string_view key, double fallback, double min, double max) const {
    const json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_number() || !(value->get<double>() >= min && value->get<double>() <= max)) {
        return bad(key, fmt::format("a number in {}..{}", min, max));
    }
    return value->get<double>();
}

Result<bool> ConfigReader::flag_or(std::string_view key, bool fallback) const {
    const json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_boolean()) {
        return bad(key, "true or false");
    }
    return value->get<bool>();
}

Result<void> ConfigReader::expect_text(std::string_view key, const std::vector<std::string_view>& allowed) const {
    const json* value = find(key);
    if (value == nullptr) {
        return {};
    }
    if (!value->is_string()) {
        return bad(key, "a text");
    }
    if (std::find(allowed.begin(), allowed.end(), value->get_ref<const std::string&>()) == allowed.end()) {
        return Error{ErrorCode::Unsupported, fmt::format("config: {}.{} is {}, this engine knows {}", section_, key,
                                                         dump_json(*value), fmt::join(allowed, ", "))};
    }
    return {};
}

Result<std::vector<TokenId>> ConfigReader::ids(std::string_view key) const {
    constexpr std::int64_t kIdMax = 1 << 24;
    constexpr std::size_t kCountMax = 256;
    const json* value = find(key);
    std::vector<TokenId> ids;
    if (value == nullptr) {
        return ids;
    }
    const json list = value->is_array() ? *value : json::array({*value});
    if (list.size() > kCountMax) {
        return bad(key, fmt::format("at most {} ids", kCountMax));
    }
    for (const json& id : list) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() > kIdMax) {
            return bad(key, "a token id or a list of them");
        }
        ids.push_back(id.get<TokenId>());
    }
    return ids;
}

} // namespace handeye
