// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/policy.h"

#include "agent/taskfile/names.h"
#include "agent/taskfile/scalars.h"
#include "base/json.h"

#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskfile {
namespace {

using nlohmann::json;

json words(const Node* list) {
    json out = json::array();
    if (list != nullptr) {
        for (const Node& item : list->items) {
            out.push_back(item.scalar);
        }
    }
    return out;
}

std::int64_t integer(const std::string& text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

json rule_of(const Node& rule, const char* effect, std::size_t number) {
    const std::string name = text_of(rule, "name");
    json out{{"effect", effect}, {"name", name.empty() ? fmt::format("{} {}", effect, number) : name}};
    constexpr std::array<std::pair<const char*, const char*>, 7> kLists{{{"verb", "verbs"}, {"apps", "apps"}, {"window_classes", "window_classes"},
                                                                         {"titles", "titles"}, {"domains", "domains"}, {"text_matches", "text"}, {"keys", "keys"}}};
    for (const auto& [ours, theirs] : kLists) {
        if (rule.find(ours) != nullptr) {
            out[theirs] = words(rule.find(ours));
        }
    }
    if (const Node* const area = rule.find("region"); area != nullptr && area->items.size() == 4) {
        const auto side = [&](std::size_t i) { return integer(area->items[i].scalar); };
        out["region"] = {{"x", side(0)}, {"y", side(1)}, {"width", side(2)}, {"height", side(3)}, {"outside", is_set(rule, "outside")}};
    }
    if (rule.find("time") != nullptr) {
        out["time"] = text_of(rule, "time");
    }
    if (rule.find("max_count") != nullptr) {
        out["max_count"] = integer(text_of(rule, "max_count"));
    }
    return out;
}

} // namespace

Result<Policy> policy_of(const Node& policy) {
    json out{{"allow_verbs", words(policy.find("verbs"))}, {"rules", json::array()}, {"otherwise", "allow"}};
    for (const auto& [key, effect] : {std::pair{"deny", "deny"}, std::pair{"confirm", "ask"}}) {
        if (const Node* const rules = policy.find(key); rules != nullptr) {
            for (std::size_t i = 0; i < rules->items.size(); ++i) {
                out["rules"].push_back(rule_of(rules->items[i], effect, i + 1));
            }
        }
    }
    json bounds{{"effect", "allow"}, {"name", "what the task file names"}};
    for (const char* const key : {"apps", "window_classes", "domains"}) {
        if (policy.find(key) != nullptr) {
            bounds[key] = words(policy.find(key));
            out["otherwise"] = "deny";
        }
    }
    if (out["otherwise"] == "deny") {
        out["rules"].push_back(bounds);
    }
    return policy_from_json(dump_json(out));
}

Result<Budget> budget_of(const Node& budget, Budget base) {
    if (budget.find("steps") != nullptr) {
        base.steps_max = static_cast<int>(TRY(parse_count(text_of(budget, "steps"))));
    }
    if (budget.find("wall") != nullptr) {
        base.wall_max = TRY(parse_duration(text_of(budget, "wall")));
    }
    if (budget.find("tokens") != nullptr) {
        base.tokens_max = TRY(parse_count(text_of(budget, "tokens")));
    }
    if (budget.find("actions_per_minute") != nullptr) {
        base.actions_per_minute_max = static_cast<int>(integer(text_of(budget, "actions_per_minute")));
    }
    if (budget.find("same_action") != nullptr) {
        base.same_action_max = static_cast<int>(integer(text_of(budget, "same_action")));
    }
    return base;
}

} // namespace handeye::taskfile
