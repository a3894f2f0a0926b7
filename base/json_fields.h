// SPDX-License-Identifier: Apache-2.0
// Members of a JSON object that a stranger wrote, by the type that they should have. What is absent, of another type or out of range
// is the fallback, as it is where `object` is none: nothing here throws.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// null where there is none.
const nlohmann::json& json_member(const nlohmann::json& object, const char* key);
/// An empty one where there is none.
const nlohmann::json& json_object(const nlohmann::json& object, const char* key);
const nlohmann::json& json_list(const nlohmann::json& object, const char* key);
std::string json_text(const nlohmann::json& object, const char* key, const std::string& fallback = {});
bool json_flag(const nlohmann::json& object, const char* key, bool fallback = false);
double json_number(const nlohmann::json& object, const char* key, double fallback = 0);
/// 1.0 is 1, and 1.5 no whole number.
int json_int(const nlohmann::json& object, const char* key, int fallback = 0);

} // namespace handeye
