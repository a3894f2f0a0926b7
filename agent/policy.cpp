// SPDX-License-Identifier: Apache-2.0
// What a policy may hold: every word is checked before it is used, since a rule with a slip in it protects nobody.
#include "agent/policy.h"

#include "actions/vocabulary.h"
#include "agent/key_pattern.h"
#include "agent/text_pattern.h"

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kRulesMax = 256;
constexpr std::size_t kWordsMax = 256;
constexpr std::size_t kWordBytesMax = 512;
constexpr std::size_t kLayersMax = 8;
constexpr int kSideMaxPx = 1 << 20;
constexpr int kDayMinutes = 24 * 60;

Error wrong(const std::string& where, const std::string& what) {
    return {ErrorCode::InvalidArgument, fmt::format("policy: {}: {}", where, what)};
}

Result<void> check_verbs(const std::string& where, const std::vector<std::string>& verbs) {
    for (const std::string& verb : verbs) {
        if (find_verb(verb) != nullptr) {
            continue;
        }
        std::string known;
        for (const VerbRow& row : verb_table()) {
            known += fmt::format("{}{}", known.empty() ? "" : ", ", row.verb);
        }
        return wrong(where, fmt::format("there is no verb \"{}\"; the verbs are {}", verb.substr(0, 80), known));
    }
    return {};
}

Result<void> check_words(const std::string& where, const std::vector<std::string>& words) {
    if (words.size() > kWordsMax) {
        return wrong(where, fmt::format("{} entries, the limit is {}", words.size(), kWordsMax));
    }
    for (const std::string& word : words) {
        if (word.empty() || word.size() > kWordBytesMax) {
            return wrong(where, fmt::format("an entry takes 1 to {} bytes, not {}", kWordBytesMax, word.size()));
        }
    }
    return {};
}

Result<void> check_domains(const std::string& where, const std::vector<std::string>& domains) {
    TRY(check_words(where, domains));
    for (const std::string& domain : domains) {
        if (domain.find_first_of("/:@ ") != std::string::npos) {
            return wrong(where, fmt::format("\"{}\" is not a host such as example.org or *.example.org", domain));
        }
    }
    return {};
}

Result<void> check_numbers(const std::string& where, const PolicyRule& rule) {
    if (rule.region) {
        const Rect& r = rule.region->area;
        if (r.width_px < 1 || r.height_px < 1 || r.width_px > kSideMaxPx || r.height_px > kSideMaxPx || r.x < -kSideMaxPx ||
            r.y < -kSideMaxPx || r.x > kSideMaxPx || r.y > kSideMaxPx) {
            return wrong(where + ".region", fmt::format("{}x{}+{}+{} is no area of a screen", r.width_px, r.height_px, r.x, r.y));
        }
    }
    if (rule.time) {
        const TimeOfDay& time = *rule.time;
        if (time.from_minute < 0 || time.to_minute < 0 || time.from_minute >= kDayMinutes || time.to_minute > kDayMinutes ||
            time.from_minute == time.to_minute) {
            return wrong(where + ".time", "from and to must be two times of a day");
        }
    }
    if (!(rule.confidence_below >= 0 && rule.confidence_below <= 1)) {
        return wrong(where + ".confidence_below", fmt::format("{} is not a share from 0 to 1", rule.confidence_below));
    }
    if (rule.confidence_below > 0 && rule.effect == Effect::Allow) {
        return wrong(where + ".confidence_below", "a rule that allows cannot ask for doubt: let one that asks or denies stand before it");
    }
    if (rule.max_count < 0) {
        return wrong(where + ".max_count", fmt::format("{} is less than 1", rule.max_count));
    }
    if (rule.max_count > 0 && rule.effect == Effect::Deny) {
        return wrong(where + ".max_count", "a rule that denies has no count: after it the action would be allowed");
    }
    return {};
}

Result<void> check_rule(std::size_t number, const PolicyRule& rule) {
    const std::string where = fmt::format("rule {} (\"{}\")", number, rule.name.substr(0, 80));
    if (rule.name.empty() || rule.name.size() > 128) {
        return wrong(where + ".name", "a rule needs a name of 1 to 128 bytes");
    }
    TRY(check_verbs(where + ".verbs", rule.verbs));
    TRY(check_words(where + ".apps", rule.apps));
    TRY(check_words(where + ".window_classes", rule.window_classes));
    TRY(check_words(where + ".titles", rule.titles));
    TRY(check_domains(where + ".domains", rule.domains));
    TRY(check_numbers(where, rule));
    if (rule.text.size() > kWordsMax || rule.keys.size() > kWordsMax) {
        return wrong(where, fmt::format("text and keys take {} entries each at most", kWordsMax));
    }
    for (const std::string& pattern : rule.text) {
        TRY(TextPattern::compile(pattern).with_context(fmt::format("policy: {}.text", where)));
    }
    for (const std::string& keys : rule.keys) {
        TRY(ChordPattern::parse(keys).with_context(fmt::format("policy: {}.keys", where)));
    }
    return {};
}

} // namespace

std::string_view effect_name(Effect effect) {
    switch (effect) {
    case Effect::Allow: return "allow";
    case Effect::Ask: return "ask";
    case Effect::Deny: return "deny";
    }
    return "deny";
}

Result<void> check_policy(const Policy& policy) {
    TRY(check_verbs("allow_verbs", policy.allow_verbs));
    TRY(check_verbs("deny_verbs", policy.deny_verbs));
    if (policy.rules.size() > kRulesMax) {
        return wrong("rules", fmt::format("{} rules, the limit is {}", policy.rules.size(), kRulesMax));
    }
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
        TRY(check_rule(i + 1, policy.rules[i]));
    }
    if (policy.outer.size() > kLayersMax) {
        return wrong("outer", fmt::format("{} policies around this one, the limit is {}", policy.outer.size(), kLayersMax));
    }
    for (const Policy& outer : policy.outer) {
        TRY(check_policy(outer));
    }
    return {};
}

Policy narrowed(const Policy& outer, Policy inner) {
    for (const Policy& layer : outer.outer) {
        inner.outer.push_back(layer);
    }
    Policy own = outer;
    own.outer.clear();
    const bool says_nothing = own.allow_verbs.empty() && own.deny_verbs.empty() && own.rules.empty() && own.otherwise == Effect::Allow;
    if (!says_nothing) {
        inner.outer.push_back(std::move(own));
    }
    return inner;
}

} // namespace handeye
