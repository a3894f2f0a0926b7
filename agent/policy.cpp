// SPDX-License-Identifier: Apache-2.0
#include "agent/policy.h"

#include "actions/vocabulary.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

bool holds(const std::vector<std::string>& verbs, std::string_view verb) {
    return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

// Words and pauses touch nothing: an allow list of other verbs does not take them away, or no task could end.
bool touches_target(const Action& action) {
    return !std::holds_alternative<Wait>(action) && !std::holds_alternative<Answer>(action) &&
           !std::holds_alternative<AskUser>(action) && !std::holds_alternative<Finish>(action);
}

} // namespace

Result<void> check_policy(const Policy& policy) {
    for (const auto* list : {&policy.allow_verbs, &policy.deny_verbs}) {
        for (const std::string& verb : *list) {
            if (find_verb(verb) != nullptr) {
                continue;
            }
            std::string known;
            for (const VerbRow& row : verb_table()) {
                known += fmt::format("{}{}", known.empty() ? "" : ", ", row.verb);
            }
            return Error{ErrorCode::InvalidArgument, fmt::format("policy: there is no verb \"{}\"; the verbs are {}", verb, known)};
        }
    }
    return {};
}

GateDecision gate_action(const Policy& policy, const Action& action) {
    const std::string_view verb = verb_name(action);
    if (std::holds_alternative<Finish>(action)) {
        return {Gate::Allow, "finish is always allowed", ""}; // a model that gives up is never held
    }
    if (holds(policy.deny_verbs, verb)) {
        return {Gate::Deny, fmt::format("deny_verbs: {}", verb), fmt::format("\"{}\" is not allowed in this task", verb)};
    }
    if (!policy.allow_verbs.empty() && touches_target(action) && !holds(policy.allow_verbs, verb)) {
        return {Gate::Deny, fmt::format("allow_verbs: no {}", verb), fmt::format("\"{}\" is not among the allowed actions", verb)};
    }
    return {Gate::Allow, policy.allow_verbs.empty() ? "no rule denies it" : fmt::format("allow_verbs: {}", verb), ""};
}

} // namespace handeye
