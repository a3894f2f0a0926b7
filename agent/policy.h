// SPDX-License-Identifier: Apache-2.0
// What a task may do and how much of it: the values. The gate (policy_gate.h) holds resolved actions against them; nothing a
// model says can change them. The language, for people: docs/policy.md.
#pragma once

#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct Budget {
    int steps_max = 50;
    Duration wall_max = std::chrono::minutes(60); ///< time in a person's hands does not count
    std::int64_t tokens_max = 1'000'000; ///< prompt and completion tokens of all steps
    int parse_failures_max = 5;          ///< in a row
    int actions_per_minute_max = 0;      ///< performed ones in any 60 s; 0: no limit
    int same_action_max = 0;             ///< the same resolved action in a row; 0: no limit
};

enum class Effect { Allow, Ask, Deny };
std::string_view effect_name(Effect effect);

/// Pixels of the target. With `is_outside` the rule is about everything but the area.
struct PolicyRegion {
    Rect area;
    bool is_outside = false;
};
/// Local time of day, the end excluded; from > to goes over midnight.
struct TimeOfDay {
    int from_minute = 0;
    int to_minute = 0;
};

/// A rule matches when each of its conditions does; an empty list is no condition. "*" in a word stands for any characters;
/// letter case does not matter, except in `text`. An allow rule wants every point, window and chord of an action to fit, ask
/// and deny rules want one. What the platform cannot know fits ask and deny, and never allow.
struct PolicyRule {
    std::string name;
    Effect effect = Effect::Deny;
    std::vector<std::string> verbs;          ///< canonical names
    std::vector<std::string> apps;           ///< programs of the windows concerned, or to be opened
    std::vector<std::string> window_classes;
    std::vector<std::string> titles;
    std::vector<std::string> domains;        ///< hosts: "example.org", "*.example.org"
    std::optional<PolicyRegion> region;
    std::vector<std::string> text;           ///< patterns (PCRE2), one of which is found in what is typed, opened or visited
    std::vector<std::string> keys;           ///< chords: "ctrl+alt+*", "return"
    std::optional<TimeOfDay> time;
    double confidence_below = 0;             ///< > 0: the model was less certain than this of the place, or does not tell; not for Allow
    int max_count = 0;                       ///< > 0: matches this many times in a task, then no more
};

struct Policy {
    std::vector<std::string> allow_verbs; ///< empty: every verb that is not denied
    std::vector<std::string> deny_verbs;
    std::vector<PolicyRule> rules;        ///< the first that matches decides
    Effect otherwise = Effect::Allow;     ///< when none does
    std::vector<Policy> outer;            ///< policies that this one narrows: of all decisions the strictest counts
    std::string origin;                   ///< where it stands, for messages: "config.yaml:12", "task.run". Not in the JSON form
};

/// InvalidArgument names the rule, the field, what it held and what would do.
Result<void> check_policy(const Policy& policy);
/// `inner` within `outer`: nothing is allowed that either denies.
Policy narrowed(const Policy& outer, Policy inner);

/// Reads the JSON form (docs/policy.md). InvalidArgument as check_policy(), also for unknown fields and wrong types; ParseFailed
/// for what is no JSON. `outer` has no JSON form.
Result<Policy> policy_from_json(std::string_view text);
/// The JSON form; `outer` is left out.
std::string policy_to_json(const Policy& policy);

} // namespace handeye
