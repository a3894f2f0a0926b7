// SPDX-License-Identifier: Apache-2.0
#include "base/json_fields.h"

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

namespace handeye {

using nlohmann::json;

const json& json_member(const json& object, const char* key) {
    static const json kNone;
    if (!object.is_object()) {
        return kNone;
    }
    const auto found = object.find(key);
    return found == object.end() ? kNone : *found;
}

const json& json_object(const json& object, const char* key) {
    static const json kNone = json::object();
    const json& member = json_member(object, key);
    return member.is_object() ? member : kNone;
}

const json& json_list(const json& object, const char* key) {
    static const json kNone = json::array();
    const json& member = json_member(object, key);
    return member.is_array() ? member : kNone;
}

std::string json_text(const json& object, const char* key, const std::string& fallback) {
    const json& member = json_member(object, key);
    return member.is_string() ? member.get<std::string>() : fallback;
}

bool json_flag(const json& object, const char* key, bool fallback) {
    const json& member = json_member(object, key);
    return member.is_boolean() ? member.get<bool>() : fallback;
}

double json_number(const json& object, const char* key, double fallback) {
    const json& member = json_member(object, key);
    return member.is_number() ? member.get<double>() : fallback;
}

int json_int(const json& object, const char* key, int fallback) {
    const double value = json_number(object, key, std::numeric_limits<double>::quiet_NaN());
    const bool fits = value >= std::numeric_limits<int>::min() && value <= std::numeric_limits<int>::max() && value == std::floor(value);
    return fits ? static_cast<int>(value) : fallback;
}

} // namespace handeye
