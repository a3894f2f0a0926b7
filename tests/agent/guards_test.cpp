// SPDX-License-Identifier: Apache-2.0
// The looks during an action: keys go to the window that was looked at, a drag ends in the one where it was to end.
#include "actions/parse.h"
#include "agent/manual_action.h"
#include "agent/window_facts.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/memory_sink.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Size kScreen{400, 300};

fakes::Scene scene(std::vector<WindowInfo> windows) { return {fakes::solid_frame(kScreen, 255, 255, 255), {}, std::move(windows)}; }

/// Mail has the focus in scene 0, a terminal in scene 1; they look the same.
class KeysGuard : public testing::Test {
protected:
    /// The text is typed after the focus has gone to the terminal; `policy` is the gate's.
    ActionResult type_elsewhere(const std::string& policy, FocusGuard::Others others) {
        const PolicyGate gate = *PolicyGate::create(*policy_from_json(policy));
        const Action action = *parse_action(R"({"verb":"type","text":"hello"})");
        const Plan plan = *resolve(action, {kScreen, kScreen, {}});
        ActionFacts facts = facts_of(action, plan, {}, clock_.wall_now());
        add_windows(facts, platform_);
        FocusGuard guard(std::move(facts), gate, others);
        platform_.show(1);
        const ExecuteOptions options{.before = [&](const Op& op) { return guard.before(op, platform_, {}); }};
        const auto done = execute(plan, platform_, clock_, options, {});
        EXPECT_TRUE(done) << done.error().message;
        return done.value_or(ActionResult{});
    }
    fakes::SimClock clock_;
    fakes::FakePlatform platform_{clock_,
                                  {scene({{.id = 1, .title_utf8 = "Mail", .window_class = "Mail", .is_focused = true}, {.id = 2, .title_utf8 = "Terminal", .window_class = "Term"}}),
                                   scene({{.id = 1, .title_utf8 = "Mail", .window_class = "Mail"}, {.id = 2, .title_utf8 = "Terminal", .window_class = "Term", .is_focused = true}})}};
};

TEST_F(KeysGuard, ApprovedWordsAreForOneWindowAlone) {
    const ActionResult done = type_elsewhere("{}", FocusGuard::Others::Never);
    EXPECT_TRUE(platform_.texts().empty());
    EXPECT_EQ(done.certainty, Certainty::Refused);
    EXPECT_NE(done.reason.find("\"Terminal\""), std::string::npos) << done.reason;
    EXPECT_NE(done.reason.find("\"Mail\""), std::string::npos) << done.reason;
}

TEST_F(KeysGuard, WhereTheRulesDenyItNothingIsTyped) {
    const ActionResult done = type_elsewhere(R"({"rules":[{"name":"no terminals","effect":"deny","window_classes":["Term"]}]})", FocusGuard::Others::WhereTheRulesAllowIt);
    EXPECT_TRUE(platform_.texts().empty());
    EXPECT_EQ(done.certainty, Certainty::Refused);
}

TEST_F(KeysGuard, WhereTheRulesAllowItTheyAreTyped) {
    const ActionResult done = type_elsewhere(R"({"rules":[{"name":"no vault","effect":"deny","window_classes":["Vault"]}]})", FocusGuard::Others::WhereTheRulesAllowIt);
    EXPECT_EQ(platform_.texts(), std::vector<std::string>{"hello"});
    EXPECT_NE(done.certainty, Certainty::Refused);
}

/// From Files, on the left, to Mail, on the right, by hand. What `later` says of the windows becomes true on the way.
class DragGuard : public testing::Test {
protected:
    ActionResult drag(std::vector<fakes::Scene> later) {
        std::vector<fakes::Scene> scenes{scene({kFiles, kMail})};
        std::move(later.begin(), later.end(), std::back_inserter(scenes));
        const std::size_t count = scenes.size();
        fakes::FakePlatform platform{clock_, std::move(scenes)};
        platform.set_before_inject([&](std::size_t sent) { platform.show(std::min(sent / 3, count - 1)); });
        PolicyGate gate = *PolicyGate::create({});
        const ManualContext with{.platform = platform, .clock = clock_, .sink = sink_, .gate = gate};
        const auto done = perform_manually({R"({"verb":"drag","x":50,"y":150,"to_x":300,"to_y":150,"units":"pixels"})", "a person"}, with, {});
        EXPECT_TRUE(done) << done.error().message;
        EXPECT_TRUE(platform.held().empty());
        events_ = platform.events();
        return done ? done->result : ActionResult{};
    }
    [[nodiscard]] bool has_dropped() const {
        const auto* button = std::get_if<PointerButton>(&events_.back());
        return button != nullptr && button->edge == Edge::Release;
    }
    const WindowInfo kFiles{.id = 1, .title_utf8 = "Files", .area = {0, 0, 200, 300}};
    const WindowInfo kMail{.id = 2, .title_utf8 = "Mail", .area = {200, 0, 200, 300}};
    fakes::SimClock clock_;
    fakes::MemorySink sink_;
    std::vector<InputEvent> events_;
};

TEST_F(DragGuard, EndsWhereItWasToEnd) {
    drag({});
    EXPECT_TRUE(has_dropped());
}

TEST_F(DragGuard, GoesBackWhereAnotherWindowLiesThereNow) {
    const ActionResult done = drag({scene({kFiles, kMail, {.id = 3, .title_utf8 = "Terminal", .area = {250, 100, 100, 100}}})});
    EXPECT_FALSE(has_dropped());
    EXPECT_EQ(done.certainty, Certainty::Partial);
    EXPECT_NE(done.reason.find("(\"Terminal\") lies where the drag was to end; it was taken back"), std::string::npos) << done.reason;
    ASSERT_TRUE(std::holds_alternative<PointerMove>(events_.back()));
    EXPECT_EQ(std::get<PointerMove>(events_.back()).to, (Point{50, 150}));
}

TEST_F(DragGuard, GoesBackWhereTheWindowIsGone) {
    drag({scene({kFiles})});
    EXPECT_FALSE(has_dropped());
}

TEST_F(DragGuard, MovesTheWindowItBeganIn) {
    WindowInfo moved = kFiles;
    moved.area.x = 150;
    drag({scene({kMail, moved})});
    EXPECT_TRUE(has_dropped());
}

TEST_F(DragGuard, LooksThroughThePictureThatIsCarriedAlong) {
    const auto carried_at = [&](int x) { return WindowInfo{.id = 3, .title_utf8 = "a file's icon", .area = {x, 50, 200, 200}}; };
    drag({scene({kFiles, kMail, carried_at(0)}), scene({kFiles, kMail, carried_at(150)})});
    EXPECT_TRUE(has_dropped());
}

TEST_F(DragGuard, SeesWhatCameUpBelowThePictureThatIsCarriedAlong) {
    const auto carried_at = [&](int x) { return WindowInfo{.id = 3, .title_utf8 = "a file's icon", .area = {x, 50, 200, 200}}; };
    const WindowInfo terminal{.id = 4, .title_utf8 = "Terminal", .area = {250, 100, 100, 100}};
    const ActionResult done = drag({scene({kFiles, kMail, carried_at(0)}), scene({kFiles, kMail, terminal, carried_at(150)})});
    EXPECT_FALSE(has_dropped());
    EXPECT_NE(done.reason.find("Terminal"), std::string::npos) << done.reason;
}

} // namespace
} // namespace handeye
