// SPDX-License-Identifier: Apache-2.0
// How certain a click is, what a closer look shows, and what a session makes of both.
#include "agent/click_confidence.h"

#include "actions/parse.h"
#include "agent/session.h"
#include "agent/zoom.h"
#include "base/json.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/memory_sink.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using namespace fakes;
using nlohmann::json;

/// Each word is a token; a number has the chances that are given for it, in order.
Completion told(const std::vector<std::string>& tokens, const std::vector<std::vector<NumberSpread::Chance>>& chances, double word = 1.0) {
    Completion out;
    for (const std::string& token : tokens) {
        const bool is_number = token[0] >= '0' && token[0] <= '9';
        if (is_number) {
            out.numbers.push_back({.text_offset = out.text_utf8.size(), .chances = chances.at(out.numbers.size())});
        }
        out.logprobs.push_back({.token = {.id = 0, .logprob = is_number ? -9.0 : std::log(word), .bytes = token}, .top = {}});
        out.text_utf8 += token;
    }
    return out;
}

Action action_of(const Completion& reply) { return parse_reply(reply.text_utf8, Dialect::GlmDesktop)->action; }

TEST(ClickConfidence, IsTheShareOfTheSamePlaceOnBothAxes) {
    const Completion reply = told({"left_click(start_box='[", "500", ",", "100", "]')"}, {{{470, 0.2}, {500, 0.5}, {531, 0.3}}, {{100, 0.9}, {900, 0.1}}});
    EXPECT_NEAR(*click_confidence(reply, action_of(reply)), 0.7 * 0.9, 1e-9);
}

TEST(ClickConfidence, CountsTheLeastCertainWordBeforeThePlace) {
    const Completion reply = told({"left_click(start_box='[", "500", ",", "100", "]')"}, {{{500, 1.0}}, {{100, 1.0}}}, 0.25);
    EXPECT_NEAR(*click_confidence(reply, action_of(reply)), 0.25, 1e-9);
}

TEST(ClickConfidence, LooksAtTheActionsNumbersAndNoOthers) {
    const Completion reply = told({"<think>", "500", " and ", "100", "</think>", "left_click(start_box='[", "500", ",", "100", "]')"},
                                  {{{500, 0.1}, {900, 0.9}}, {{100, 1.0}}, {{500, 1.0}}, {{100, 1.0}}});
    EXPECT_NEAR(*click_confidence(reply, action_of(reply)), 1.0, 1e-9); // a number that led to it is one of many
    Completion silent = reply;
    silent.numbers.clear();
    EXPECT_FALSE(click_confidence(silent, action_of(reply)));
    EXPECT_FALSE(click_confidence(reply, Action(KeyChord{})));
}

TEST(ClickConfidence, IsNotRaisedByACopyOfTheNumbers) {
    const Completion reply = told({"left_click(start_box='[", "500", ",", "100", "]', element_info='", "500", ",", "100", "')"},
                                  {{{500, 0.1}, {900, 0.9}}, {{100, 1.0}}, {{500, 1.0}}, {{100, 1.0}}});
    EXPECT_NEAR(*click_confidence(reply, action_of(reply)), 0.1, 1e-9);
}

TEST(ClickConfidence, IsNotKnownWhereAServerTellsOfTheDigitsAlone) {
    Completion reply = told({"left_click(start_box='[", "500", ",", "100", "]')"}, {{{500, 1.0}}, {{100, 1.0}}});
    reply.logprobs[0].token.logprob = 1; // no logarithm of a probability
    EXPECT_FALSE(click_confidence(reply, action_of(reply)));
}

TEST(ClickConfidence, OfABoxIsOfItsEdges) {
    const Completion reply = told({R"({"action_type":"click","box_2d":[[)", "100", ",", "200", ",", "300", ",", "400", "]]}"}, {{{100, 0.5}, {900, 0.5}}, {{200, 1.0}}, {{300, 0.5}, {900, 0.5}}, {{400, 1.0}}});
    const auto parsed = parse_reply(reply.text_utf8, Dialect::GlmMobile);
    ASSERT_TRUE(parsed);
    EXPECT_NEAR(*click_confidence(reply, parsed->action), 0.5, 1e-9);
}

TEST(Zoom, ShowsAPartThatLiesInThePictureAndFindsBack) {
    const Size screen{400, 300};
    for (const Spot& spot : {Spot{.x = 500, .y = 500}, Spot{.x = 0, .y = 999}, Spot{.x = 1000, .y = 0}, Spot{.x = 910, .y = 130}}) {
        const Rect area = zoom_area(screen, spot);
        EXPECT_EQ(area.intersected({0, 0, screen.width_px, screen.height_px}), area);
        EXPECT_NEAR(area.width_px, screen.width_px * kZoomShare, 1);
        const double x = (spot.x / 1000 * screen.width_px - area.x) / area.width_px * 1000; // the same place, seen in the part
        const double y = (spot.y / 1000 * screen.height_px - area.y) / area.height_px * 1000;
        const Action far = seen_from_afar(Click{.at = Spot{.x = x, .y = y, .box = Spot::Box{x, y, x, y}}}, area, screen);
        const Spot& back = std::get<Spot>(std::get<Click>(far).at);
        EXPECT_NEAR(back.x, spot.x, 1e-6);
        EXPECT_NEAR(back.y, spot.y, 1e-6);
        EXPECT_NEAR(back.box->x1, spot.x, 1e-6);
    }
    const auto shown = zoomed(solid_frame(screen, 10, 20, 30), zoom_area(screen, Spot{.x = 5, .y = 5}));
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->size(), screen);
}

constexpr Size kScreen{400, 300};

std::string click_at(int x, int y) { return "<think>Save.</think><answer>left_click(start_box='[" + std::to_string(x) + "," + std::to_string(y) + "]')</answer>"; }

class UnsureSession : public testing::Test {
protected:
    UnsureSession() { platform_.on_click(0, {180, 130, 40, 40}, 1); }
    TaskReport run() {
        auto session = Session::create(options_, platform_, model_, clock_, sink_);
        EXPECT_TRUE(session) << session.error().message;
        return (*session)->run_task("Click Save.", {}).value_or(TaskReport{});
    }
    json proposed(std::size_t i) { return parse_json(sink_.of_type("action.proposed").at(i).data_json).value_or(json()); }

    SimClock clock_;
    FakePlatform platform_{clock_, {{solid_frame(kScreen, 255, 255, 255)}, {solid_frame(kScreen, 0, 0, 0)}}};
    ScriptedModel model_;
    MemorySink sink_;
    SessionOptions options_{.session_id = "01TEST", .zoom_below = 0.5};
};

TEST_F(UnsureSession, LooksCloserAndTakesTheSurerAnswer) {
    model_.set_certainty({0.3, 0.9, 0.99});
    model_.add(click_at(100, 100));       // a guess
    model_.add(click_at(559, 559));       // of the part that begins in the corner: 47.5 % of the whole
    model_.add("<answer>DONE()</answer>");
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_EQ(platform_.scene(), 1U); // the second place was clicked
    EXPECT_NEAR(proposed(0)["confidence"].get<double>(), 0.09, 1e-9);
    EXPECT_NEAR(proposed(1)["confidence"].get<double>(), 0.81, 1e-9);
    EXPECT_EQ(model_.requests().size(), 3U);
    EXPECT_EQ(sink_.of_type("model.asked").size(), 1U);
}

TEST_F(UnsureSession, KeepsItsAnswerWhereTheCloserLookIsNoSurer) {
    model_.set_certainty({0.3, 0.2, 0.99});
    model_.add(click_at(500, 500));
    model_.add(click_at(1, 1));
    model_.add("<answer>DONE()</answer>");
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_EQ(platform_.scene(), 1U);
}

TEST_F(UnsureSession, LooksOnceWhereTheModelIsSure) {
    model_.set_certainty({0.95});
    model_.add(click_at(500, 500));
    model_.add("<answer>DONE()</answer>");
    EXPECT_EQ(run().outcome, TaskOutcome::Done);
    EXPECT_EQ(model_.requests().size(), 2U);
}

TEST_F(UnsureSession, IsHeldByAPolicyThatWantsCertainty) {
    options_.zoom_below = 0;
    options_.policy = *policy_from_json(R"({"rules":[{"name":"doubt","effect":"deny","confidence_below":0.5}]})");
    model_.set_certainty({0.3});
    model_.add(click_at(500, 500));
    model_.add("<answer>FAIL()</answer>");
    run();
    EXPECT_EQ(platform_.scene(), 0U);
    EXPECT_EQ(parse_json(sink_.of_type("action.gated").front().data_json)->at("gate"), "deny");
}

// A model that may not write what it wants to do would do something else.
TEST_F(UnsureSession, LetsTheModelSayWhatThePolicyDenies) {
    options_.policy = *policy_from_json(R"({"deny_verbs":["drag"]})");
    model_.add("<answer>DONE()</answer>");
    run();
    ASSERT_TRUE(model_.requests().front().grammar);
    const std::string& gbnf = model_.requests().front().grammar->gbnf;
    EXPECT_NE(gbnf.find("left_click("), std::string::npos);
    EXPECT_NE(gbnf.find("left_drag("), std::string::npos);
}

TEST_F(UnsureSession, MayWriteFreelyWhereThatIsWanted) {
    options_.constrains_answers = false;
    model_.add("<answer>DONE()</answer>");
    run();
    EXPECT_FALSE(model_.requests().front().grammar);
}

} // namespace
} // namespace handeye
