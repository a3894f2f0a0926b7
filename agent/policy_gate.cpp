// SPDX-License-Identifier: Apache-2.0
// One condition at a time: each says whether it holds for all, some or none of what an action touches, or that nobody knows.
// Allow wants "all"; ask and deny are content with "some" or with not knowing.
#include "actions/keys.h"
#include "agent/policy_gate.h"

#include "actions/parse.h"
#include "agent/glob.h"
#include "agent/history.h"
#include "agent/key_pattern.h"
#include "agent/plain_text.h"
#include "agent/target_facts.h"
#include "agent/text_pattern.h"
#include "agent/url_host.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kAskedBytesMax = 500; // of the model's words in a decision

enum class Fit { All, Some, None, Unknown };

bool satisfies(Fit fit, Effect effect) {
    return effect == Effect::Allow ? fit == Fit::All : fit != Fit::None;
}

template <class Things, class Test>
Fit fit_of(const Things& things, Test test) {
    const auto n = std::count_if(things.begin(), things.end(), test);
    return n == 0 ? Fit::None : static_cast<std::size_t>(n) == things.size() ? Fit::All : Fit::Some;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return matches_glob(pattern, text); });
}

// Words and pauses touch nothing: an allow list of other verbs does not take them away, or no task could end.
bool touches_target(const Action& action) {
    return !std::holds_alternative<Wait>(action) && !std::holds_alternative<Answer>(action) &&
           !std::holds_alternative<AskUser>(action) && !std::holds_alternative<Finish>(action);
}

bool holds(const std::vector<std::string>& verbs, std::string_view verb) {
    return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

/// A verb that stands for the same hands: a finger's way from a point to a point presses and moves as a drag does. It counts where
/// something is denied or asked for, never where it is allowed.
bool is_meant(const std::vector<std::string>& verbs, const Action& action, Effect effect) {
    return holds(verbs, verb_name(action)) || (effect != Effect::Allow && is_finger_path(action) && holds(verbs, "drag"));
}

struct ReadyRule {
    PolicyRule rule;
    std::vector<TextPattern> text;
    std::vector<ChordPattern> keys;
    int matches = 0;
};

struct ReadyPolicy {
    Policy policy;
    std::vector<ReadyRule> rules;
};

bool looks_at_windows(const PolicyRule& rule) {
    return !rule.apps.empty() || !rule.window_classes.empty() || !rule.titles.empty() || !rule.domains.empty();
}

/// `own`: what the action itself names (the program it opens), instead of a window's.
Fit fit_windows(const std::vector<std::string>& patterns, const ActionFacts& facts, const std::optional<std::string>& own,
                std::string (*name_of)(const WindowInfo&), bool is_empty_unknown) {
    if (own) {
        return matches_any(patterns, *own) ? Fit::All : Fit::None;
    }
    if (!facts.windows) {
        return Fit::Unknown;
    }
    const auto known = [&](const WindowInfo& window) { return window.id == 0 || !is_empty_unknown || !name_of(window).empty(); };
    if (!std::all_of(facts.windows->begin(), facts.windows->end(), known)) {
        return Fit::Unknown;
    }
    return fit_of(*facts.windows, [&](const WindowInfo& window) { return window.id != 0 && matches_any(patterns, name_of(window)); });
}

Fit fit_region(const PolicyRegion& region, const ActionFacts& facts) {
    return fit_of(facts.points, [&](Point point) { return region.area.contains(point) != region.is_outside; });
}

std::optional<std::string> opened_app(const Action& action) {
    const auto* app = std::get_if<OpenApp>(&action);
    return app == nullptr ? std::nullopt : std::optional(app->name.substr(app->name.rfind('/') + 1));
}

std::optional<std::string> opened_host(const Action& action) {
    const auto* page = std::get_if<OpenUrl>(&action);
    return page == nullptr ? std::nullopt : std::optional(host_of(page->url));
}

Fit find_in(const std::vector<TextPattern>& patterns, const std::string& text) {
    Fit fit = Fit::None;
    const std::string plain = plain_text(text);
    for (const TextPattern& pattern : patterns) {
        switch (pattern.find_in(plain)) {
        case TextPattern::Found::Yes: return Fit::All;
        case TextPattern::Found::Unknown: fit = Fit::Unknown; break;
        case TextPattern::Found::No: break;
        }
    }
    return fit;
}

Fit fit_text(const std::vector<TextPattern>& patterns, const ActionFacts& facts) {
    const Action& action = facts.action;
    std::string text;
    if (const auto* typed = std::get_if<TypeText>(&action)) {
        text = typed->text_utf8;
    } else if (const auto* app = std::get_if<OpenApp>(&action)) {
        text = fmt::format("{}{}{}", app->name, app->args.empty() ? "" : " ", fmt::join(app->args, " "));
    } else if (const auto* page = std::get_if<OpenUrl>(&action)) {
        text = page->url;
    } else if (const auto* chord = std::get_if<KeyChord>(&action)) {
        text = typed_text(*chord);
    }
    const Fit of_text = text.empty() ? Fit::None : find_in(patterns, text);
    if (of_text != Fit::None || (!text.empty() && facts.labels.empty() && facts.called.empty())) {
        return of_text;
    }
    const auto is_unclear = [&](const std::string& label) { return find_in(patterns, label) == Fit::Unknown; };
    if (std::any_of(facts.labels.begin(), facts.labels.end(), is_unclear)) {
        return Fit::Unknown;
    }
    const Fit fit = fit_of(facts.labels, [&](const std::string& label) { return !label.empty() && find_in(patterns, label) == Fit::All; });
    const bool is_called_so = !facts.called.empty() && find_in(patterns, facts.called) != Fit::None;
    return (fit == Fit::None && is_called_so) || (fit == Fit::All && !text.empty()) ? Fit::Some : fit; // where it goes allows no text
}

Fit fit_keys(const std::vector<ChordPattern>& patterns, const Action& action) {
    return fit_of(chords_of(action), [&](const Chord& chord) {
        return std::any_of(patterns.begin(), patterns.end(), [&](const ChordPattern& pattern) { return pattern.matches(chord); });
    });
}

bool is_in_time(const TimeOfDay& time, int minute) {
    return time.from_minute < time.to_minute ? minute >= time.from_minute && minute < time.to_minute
                                             : minute >= time.from_minute || minute < time.to_minute;
}

bool applies(const ReadyRule& ready, const ActionFacts& facts) {
    const PolicyRule& rule = ready.rule;
    if (!rule.verbs.empty() ? !is_meant(rule.verbs, facts.action, rule.effect) : !touches_target(facts.action)) {
        return false; // words and pauses are only meant where they are named
    }
    if (rule.max_count > 0 && ready.matches >= rule.max_count) {
        return false;
    }
    if (rule.time && !is_in_time(*rule.time, facts.minute_of_day)) {
        return false;
    }
    if (rule.confidence_below > 0 && (facts.points.empty() || (facts.confidence && *facts.confidence >= rule.confidence_below))) {
        return false;
    }
    const auto app = opened_app(facts.action);
    const auto fits = [&](bool is_asked, auto&& fit) { return !is_asked || satisfies(fit(), rule.effect); };
    return fits(rule.region.has_value(), [&] { return fit_region(*rule.region, facts); }) &&
           fits(!rule.text.empty(), [&] { return fit_text(ready.text, facts); }) &&
           fits(!rule.keys.empty(), [&] { return fit_keys(ready.keys, facts.action); }) &&
           fits(!rule.apps.empty(), [&] { return fit_windows(rule.apps, facts, app, [](const WindowInfo& w) { return w.app; }, true); }) &&
           fits(!rule.window_classes.empty(), [&] {
               return fit_windows(rule.window_classes, facts, {}, [](const WindowInfo& w) { return w.window_class; }, false);
           }) &&
           fits(!rule.titles.empty(), [&] { return fit_windows(rule.titles, facts, {}, [](const WindowInfo& w) { return plain_text(w.title_utf8); }, false); }) &&
           fits(!rule.domains.empty(), [&] { return fit_windows(rule.domains, facts, opened_host(facts.action), [](const WindowInfo& w) { return host_of(w.url); }, true); });
}

// Whoever is told also learns where to look for the rule.
GateDecision decision_of(Effect effect, const std::string& rule, const Policy& policy, std::string_view verb) {
    const std::string place = policy.origin.empty() ? rule : fmt::format("{}, {}", rule, policy.origin);
    switch (effect) {
    case Effect::Allow: return {Gate::Allow, rule, ""};
    case Effect::Ask: return {Gate::Ask, rule, fmt::format("\"{}\" needs a person's approval ({})", verb, place)};
    case Effect::Deny: break;
    }
    return {Gate::Deny, rule, fmt::format("\"{}\" is not allowed here ({})", verb, place)};
}

GateDecision decide_one(ReadyPolicy& ready, const ActionFacts& facts, bool counts) {
    const std::string_view verb = verb_name(facts.action);
    const Policy& policy = ready.policy;
    if (std::holds_alternative<Finish>(facts.action)) {
        return {Gate::Allow, "finish is always allowed", ""}; // a model that gives up is never held
    }
    if (is_meant(policy.deny_verbs, facts.action, Effect::Deny)) {
        return decision_of(Effect::Deny, fmt::format("deny_verbs: {}", holds(policy.deny_verbs, verb) ? verb : "drag"), policy, verb);
    }
    if (!policy.allow_verbs.empty() && touches_target(facts.action) && !holds(policy.allow_verbs, verb)) {
        return decision_of(Effect::Deny, fmt::format("allow_verbs: no {}", verb), policy, verb);
    }
    for (std::size_t i = 0; i < ready.rules.size(); ++i) {
        ReadyRule& rule = ready.rules[i];
        if (applies(rule, facts)) {
            rule.matches += counts ? 1 : 0;
            return decision_of(rule.rule.effect, fmt::format("rule {}: {}", i + 1, rule.rule.name), policy, verb);
        }
    }
    if (!touches_target(facts.action)) {
        return {Gate::Allow, "words and pauses touch nothing", ""};
    }
    if (policy.otherwise != Effect::Allow) {
        return decision_of(policy.otherwise, "otherwise", policy, verb);
    }
    return {Gate::Allow, policy.allow_verbs.empty() ? "no rule denies it" : fmt::format("allow_verbs: {}", verb), ""};
}

Result<ReadyPolicy> make_ready(const Policy& policy) {
    ReadyPolicy ready;
    ready.policy = policy;
    for (const PolicyRule& rule : policy.rules) {
        ReadyRule compiled;
        compiled.rule = rule;
        std::transform(rule.titles.begin(), rule.titles.end(), compiled.rule.titles.begin(), plain_text);
        for (const std::string& pattern : rule.text) {
            compiled.text.push_back(TRY(TextPattern::compile(plain_pattern(pattern))));
        }
        for (const std::string& keys : rule.keys) {
            compiled.keys.push_back(TRY(ChordPattern::parse(keys)));
        }
        ready.rules.push_back(std::move(compiled));
    }
    return ready;
}

} // namespace

struct PolicyGate::Impl {
    std::vector<ReadyPolicy> layers; // the task's own first
    bool needs_windows = false;

    GateDecision decide(const ActionFacts& facts, bool counts) {
        GateDecision strictest;
        for (std::size_t i = 0; i < layers.size(); ++i) {
            GateDecision decision = decide_one(layers[i], facts, counts);
            if (i == 0 || decision.gate > strictest.gate) {
                strictest = std::move(decision);
            }
        }
        const auto* const click = std::get_if<Click>(&facts.action);
        if (click != nullptr && !click->ask_first.empty() && strictest.gate == Gate::Allow) { // the model's word makes it stricter, never the other way
            return {Gate::Ask, "ask_first", fmt::format("the model asks for a person's word first: {}", clip_utf8(click->ask_first, kAskedBytesMax))};
        }
        return strictest;
    }
};

PolicyGate::PolicyGate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PolicyGate::~PolicyGate() = default;
PolicyGate::PolicyGate(PolicyGate&&) noexcept = default;
PolicyGate& PolicyGate::operator=(PolicyGate&&) noexcept = default;

Result<PolicyGate> PolicyGate::create(const Policy& policy) {
    TRY(check_policy(policy));
    auto impl = std::make_unique<Impl>();
    impl->layers.push_back(TRY(make_ready(policy)));
    for (const Policy& outer : policy.outer) {
        impl->layers.push_back(TRY(make_ready(outer)));
    }
    for (const ReadyPolicy& layer : impl->layers) {
        impl->needs_windows = impl->needs_windows || std::any_of(layer.policy.rules.begin(), layer.policy.rules.end(), looks_at_windows);
    }
    return PolicyGate(std::move(impl));
}

bool PolicyGate::needs_windows() const { return impl_->needs_windows; }
GateDecision PolicyGate::decide(const ActionFacts& facts) { return impl_->decide(facts, true); }
GateDecision PolicyGate::explain(const ActionFacts& facts) const { return impl_->decide(facts, false); }

std::string_view gate_name(Gate gate) {
    switch (gate) {
    case Gate::Allow: return "allow";
    case Gate::Ask: return "ask";
    case Gate::Deny: return "deny";
    }
    return "deny";
}

bool uses_keyboard(const Action& action) {
    return std::holds_alternative<TypeText>(action) || std::holds_alternative<KeyChord>(action) || std::holds_alternative<Navigate>(action);
}

std::string_view risk_of(const Action& action) {
    const auto* typed = std::get_if<TypeText>(&action);
    const auto* chord = std::get_if<KeyChord>(&action);
    if (std::holds_alternative<OpenApp>(action) || (chord != nullptr && !chord->modifiers.empty()) ||
        (typed != nullptr && (typed->press_enter || typed->text_utf8.find_first_of("\r\n") != std::string::npos))) {
        return "high"; // a command line, a new program, a shortcut of the desktop
    }
    if (const auto* click = std::get_if<Click>(&action); click != nullptr && !click->ask_first.empty()) {
        return "high"; // the model itself thinks so
    }
    const bool is_medium = typed != nullptr || chord != nullptr || std::holds_alternative<Drag>(action) || is_finger_path(action) || std::holds_alternative<Navigate>(action) ||
                           std::holds_alternative<OpenUrl>(action);
    return is_medium ? "medium" : "low";
}

Result<Action> action_from_json(std::string_view text_utf8) { return parse_action(text_utf8); }

ActionFacts facts_of(const Action& action, const Plan& plan, const std::vector<Element>& elements, WallTime now) {
    ActionFacts facts;
    facts.action = action;
    const auto* const click = std::get_if<Click>(&action);
    const auto* const drag = std::get_if<Drag>(&action);
    const auto* const typed = std::get_if<TypeText>(&action); // into a field that is clicked first
    for (const CoordinateChain& chain : click != nullptr || drag != nullptr || typed != nullptr || is_finger_path(action) ? plan.points : std::vector<CoordinateChain>()) {
        const Element* const element = innermost_at(elements, chain.target.point);
        facts.labels.push_back(element == nullptr ? "" : element->label_utf8);
    }
    facts.called = click != nullptr ? click->element_info : drag != nullptr ? drag->element_info : typed != nullptr ? typed->element_info : "";
    for (const Op& op : plan.ops) {
        const auto* event = std::get_if<InputEvent>(&op);
        const auto* move = event == nullptr ? nullptr : std::get_if<PointerMove>(event);
        if (move != nullptr && std::find(facts.points.begin(), facts.points.end(), move->to) == facts.points.end()) {
            facts.points.push_back(move->to);
        }
    }
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
    std::tm local{};
    localtime_r(&seconds, &local);
    facts.minute_of_day = local.tm_hour * 60 + local.tm_min;
    return facts;
}

} // namespace handeye
