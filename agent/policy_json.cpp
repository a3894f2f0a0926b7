// SPDX-License-Identifier: Apache-2.0
// The one reader and writer of the policy's JSON form: requests and the configuration file hold the same.
#include "agent/policy.h"

#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

Error wrong(const std::string& where, const std::string& what) {
    return {ErrorCode::InvalidArgument, fmt::format("policy: {}: {}", where, what)};
}

template <std::size_t N>
Result<void> check_fields(const std::string& where, const json& object, const std::array<std::string_view, N>& known) {
    if (!object.is_object()) {
        return wrong(where, "not an object");
    }
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return wrong(where, fmt::format("there is no field \"{}\"; the fields are {}", name.substr(0, 80), fmt::join(known, ", ")));
        }
    }
    return {};
}

Result<Words> words_from(const std::string& where, const json& object, const char* field) {
    Words out;
    const auto found = object.find(field);
    if (found == object.end()) {
        return out;
    }
    const std::string place = fmt::format("{}{}", where, field);
    if (!found->is_array()) {
        return wrong(place, "not a list of words");
    }
    for (const json& word : *found) {
        if (!word.is_string()) {
            return wrong(place, "not a list of words");
        }
        out.push_back(word.get<std::string>());
    }
    return out;
}

Result<Effect> effect_from(const std::string& where, const json& value) {
    for (const Effect effect : {Effect::Allow, Effect::Ask, Effect::Deny}) {
        if (value.is_string() && value.get_ref<const std::string&>() == effect_name(effect)) {
            return effect;
        }
    }
    return wrong(where, fmt::format("{} is not allow, ask or deny", dump_json(value).substr(0, 80)));
}

Result<int> whole_number(const std::string& where, const json& value) {
    if (!value.is_number_integer() || value < -1'000'000 || value > 1'000'000) {
        return wrong(where, fmt::format("{} is not a whole number of at most a million", dump_json(value).substr(0, 80)));
    }
    return value.get<int>();
}

// "08:30"; "24:00" is the end of the day.
Result<int> minute_from(const std::string& where, std::string_view text) {
    int hour = 0, minute = 0;
    const char* const end = text.data() + text.size();
    const bool has_form = text.size() == 5 && text[2] == ':' && std::from_chars(text.data(), text.data() + 2, hour).ptr == text.data() + 2 &&
                          std::from_chars(text.data() + 3, end, minute).ptr == end;
    if (!has_form || hour < 0 || minute < 0 || minute > 59 || hour * 60 + minute > 24 * 60) {
        return wrong(where, fmt::format("\"{}\" is not a time such as 08:30", text.substr(0, 40)));
    }
    return hour * 60 + minute;
}

Result<TimeOfDay> time_from(const std::string& where, const json& value) {
    const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value).substr(0, 40);
    const std::size_t dash = text.find('-');
    if (!value.is_string() || dash == std::string::npos) {
        return wrong(where, fmt::format("\"{}\" is not a time of day such as 08:00-18:00", text));
    }
    TimeOfDay time;
    time.from_minute = TRY(minute_from(where, std::string_view(text).substr(0, dash)));
    time.to_minute = TRY(minute_from(where, std::string_view(text).substr(dash + 1)));
    return time;
}

Result<PolicyRegion> region_from(const std::string& where, const json& value) {
    constexpr std::array<std::string_view, 5> kFields{"x", "y", "width", "height", "outside"};
    TRY(check_fields(where, value, kFields));
    PolicyRegion region;
    const std::array<std::pair<const char*, int*>, 4> numbers{{{"x", &region.area.x},
                                                               {"y", &region.area.y},
                                                               {"width", &region.area.width_px},
                                                               {"height", &region.area.height_px}}};
    for (const auto& [name, into] : numbers) {
        if (!value.contains(name)) {
            return wrong(where, fmt::format("\"{}\" is missing", name));
        }
        *into = TRY(whole_number(fmt::format("{}.{}", where, name), value.at(name)));
    }
    if (const auto outside = value.find("outside"); outside != value.end()) {
        if (!outside->is_boolean()) {
            return wrong(where + ".outside", "not true or false");
        }
        region.is_outside = outside->get<bool>();
    }
    return region;
}

Result<PolicyRule> rule_from(std::size_t number, const json& value) {
    constexpr std::array<std::string_view, 13> kFields{"name", "effect", "verbs", "apps", "window_classes", "titles",
                                                       "domains", "region", "text", "keys", "time", "confidence_below", "max_count"};
    PolicyRule rule;
    if (value.is_object() && value.contains("name") && value.at("name").is_string()) {
        rule.name = value.at("name").get<std::string>();
    }
    const std::string where = fmt::format("rule {} (\"{}\")", number, rule.name.substr(0, 80));
    TRY(check_fields(where, value, kFields));
    if (!value.contains("effect")) {
        return wrong(where + ".effect", "missing: allow, ask or deny");
    }
    rule.effect = TRY(effect_from(where + ".effect", value.at("effect")));
    const std::array<std::pair<const char*, Words*>, 7> lists{{{"verbs", &rule.verbs},
                                                               {"apps", &rule.apps},
                                                               {"window_classes", &rule.window_classes},
                                                               {"titles", &rule.titles},
                                                               {"domains", &rule.domains},
                                                               {"text", &rule.text},
                                                               {"keys", &rule.keys}}};
    for (const auto& [name, into] : lists) {
        *into = TRY(words_from(where + ".", value, name));
    }
    if (const auto region = value.find("region"); region != value.end()) {
        rule.region = TRY(region_from(where + ".region", *region));
    }
    if (const auto time = value.find("time"); time != value.end()) {
        rule.time = TRY(time_from(where + ".time", *time));
    }
    if (const auto below = value.find("confidence_below"); below != value.end()) {
        if (!below->is_number()) {
            return wrong(where + ".confidence_below", fmt::format("{} is not a share from 0 to 1", dump_json(*below).substr(0, 80)));
        }
        rule.confidence_below = below->get<double>();
    }
    if (const auto count = value.find("max_count"); count != value.end()) {
        rule.max_count = TRY(whole_number(where + ".max_count", *count));
        if (rule.max_count < 1) {
            return wrong(where + ".max_count", fmt::format("{} is less than 1", rule.max_count));
        }
    }
    return rule;
}

json rule_json(const PolicyRule& rule) {
    json out{{"name", rule.name}, {"effect", effect_name(rule.effect)}};
    const std::array<std::pair<const char*, const Words*>, 7> lists{{{"verbs", &rule.verbs},
                                                                     {"apps", &rule.apps},
                                                                     {"window_classes", &rule.window_classes},
                                                                     {"titles", &rule.titles},
                                                                     {"domains", &rule.domains},
                                                                     {"text", &rule.text},
                                                                     {"keys", &rule.keys}}};
    for (const auto& [name, words] : lists) {
        if (!words->empty()) {
            out[name] = *words;
        }
    }
    if (rule.region) {
        const Rect& area = rule.region->area;
        out["region"] = {{"x", area.x}, {"y", area.y}, {"width", area.width_px}, {"height", area.height_px}, {"outside", rule.region->is_outside}};
    }
    if (rule.time) {
        out["time"] = fmt::format("{:02}:{:02}-{:02}:{:02}", rule.time->from_minute / 60, rule.time->from_minute % 60,
                                  rule.time->to_minute / 60, rule.time->to_minute % 60);
    }
    if (rule.confidence_below > 0) {
        out["confidence_below"] = rule.confidence_below;
    }
    if (rule.max_count > 0) {
        out["max_count"] = rule.max_count;
    }
    return out;
}

} // namespace

Result<Policy> policy_from_json(std::string_view text) {
    constexpr std::array<std::string_view, 4> kFields{"allow_verbs", "deny_verbs", "rules", "otherwise"};
    const json value = TRY(parse_json(text).with_context("policy"));
    TRY(check_fields("the policy", value, kFields));
    Policy policy;
    policy.allow_verbs = TRY(words_from("", value, "allow_verbs"));
    policy.deny_verbs = TRY(words_from("", value, "deny_verbs"));
    if (const auto otherwise = value.find("otherwise"); otherwise != value.end()) {
        policy.otherwise = TRY(effect_from("otherwise", *otherwise));
    }
    if (const auto rules = value.find("rules"); rules != value.end()) {
        if (!rules->is_array()) {
            return wrong("rules", "not a list");
        }
        for (const json& rule : *rules) {
            policy.rules.push_back(TRY(rule_from(policy.rules.size() + 1, rule)));
        }
    }
    TRY(check_policy(policy));
    return policy;
}

std::string policy_to_json(const Policy& policy) {
    json rules = json::array();
    for (const PolicyRule& rule : policy.rules) {
        rules.push_back(rule_json(rule));
    }
    return dump_json(json{{"allow_verbs", policy.allow_verbs},
                          {"deny_verbs", policy.deny_verbs},
                          {"rules", rules},
                          {"otherwise", effect_name(policy.otherwise)}});
}

} // namespace handeye
