// SPDX-License-Identifier: Apache-2.0
// What a reply is split into besides its action, and how much work hostile text can cause.
#include "actions/parse.h"

#include "actions/literal.h"
#include "actions/scan.h"

#include <random>

#include <gtest/gtest.h>

namespace handeye {
namespace {

TEST(TruncatedReply, HoldsNoActionThatHadToBeRepaired) {
    for (const auto& [reply, dialect] : {std::pair{"Action: left_click(start_box='[858,107]', element_info='Save", Dialect::GlmDesktop},
                                         {"Action: type(content='rm -rf /tmp/ol", Dialect::GlmDesktop},
                                         {"{\"action_type\": \"input_text\", \"text\": \"half", Dialect::GlmMobile},
                                         {"Type [3] [half", Dialect::GlmWebMarks}}) {
        EXPECT_FALSE(parse_reply(reply, dialect, Sequence::LastOnly, ReplyEnd::Truncated)) << reply;
    }
    const auto whole = parse_reply("Action: left_click(start_box='[858,107]', element_info='Save')\nMemory: [{\"a", Dialect::GlmDesktop,
                                   Sequence::LastOnly, ReplyEnd::Truncated);
    EXPECT_TRUE(whole) << whole.error().message; // what was cut came after the action
    EXPECT_TRUE(parse_reply("Action: left_click(start_box='[858,107]', element_info='Save", Dialect::GlmDesktop)); // merely sloppy
}

TEST(ParseReply, SplitsADesktopAnswer) {
    const auto parsed = parse_reply("<think>Hm.</think>I click Save. <|begin_of_box|>left_click(start_box='[5,6]')<|end_of_box|>\n"
                                    "Memory:\n[{\"a\": 1},\n {\"b\": 2}]",
                                    Dialect::GlmDesktop);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->thinking, "Hm.");
    EXPECT_EQ(parsed->thought, "I click Save.");
    EXPECT_EQ(parsed->call, "left_click(start_box='[5,6]')");
    EXPECT_EQ(parsed->memory, "[{\"a\": 1},\n {\"b\": 2}]");
    EXPECT_EQ(parsed->history_text, "I click Save. left_click(start_box='[5,6]')");
    EXPECT_EQ(parsed->dialect, Dialect::GlmDesktop);
    EXPECT_TRUE(parsed->warnings.empty());
}

TEST(ParseReply, SplitsAMobileAnswer) {
    const auto parsed = parse_reply("Memory: None\nReason: It is open.\nAction: <|begin_of_box|>{\"action_type\":\"wait\"}<|end_of_box|>",
                                    Dialect::GlmMobile);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->memory, "None");
    EXPECT_EQ(parsed->thought, "It is open.");
    EXPECT_EQ(parsed->call, "{\"action_type\":\"wait\"}");
    EXPECT_EQ(parsed->history_text, "Memory: None\nReason: It is open.\nAction: {\"action_type\":\"wait\"}");
}

TEST(ParseReply, SplitsAWebAnswer) {
    const auto parsed = parse_reply("Thought: The box is empty.\nAction: Type [2]; [shoes]\nMemory_Updated: {\"a\": 1}", Dialect::GlmWebMarks);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->thought, "The box is empty.");
    EXPECT_EQ(parsed->call, "Type [2]; [shoes]");
    EXPECT_EQ(parsed->memory, "{\"a\": 1}");
    EXPECT_EQ(parsed->dialect, Dialect::GlmWebMarks);
}

TEST(ParseReply, KeepsMemoryThatIsNotJson) {
    for (const std::string memory : {"None", "<memory></memory>", "{}", "[]", "just words"}) {
        const auto parsed = parse_reply("DONE()\nMemory: " + memory, Dialect::GlmDesktop);
        ASSERT_TRUE(parsed.has_value());
        EXPECT_EQ(parsed->memory, memory);
    }
}

TEST(ParseReply, KeepsMemoryBeforeABoxWithoutALabel) {
    const auto parsed = parse_reply("Memory: a\n<|begin_of_box|>DONE()<|end_of_box|>", Dialect::GlmDesktop);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->memory, "a");
}

TEST(ParseReply, DropsMemoryBeyondItsLimit) {
    const auto parsed = parse_reply("DONE()\nMemory: " + std::string(5000, 'a'), Dialect::GlmDesktop);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_TRUE(parsed->memory.empty());
    ASSERT_FALSE(parsed->warnings.empty());
    EXPECT_NE(parsed->warnings.back().find("5000 bytes"), std::string::npos);
}

TEST(ParseReply, RefusesMoreThanAMebibyte) {
    const auto parsed = parse_reply(std::string((1U << 20U) + 1, 'a'), Dialect::GlmDesktop);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().code, ErrorCode::LimitExceeded);
}

TEST(ParseReply, ListsWhatCanBeWrittenWhenNothingWas) {
    const auto parsed = parse_reply("Hello.", Dialect::GlmMobile);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_NE(parsed.error().message.find(R"({"action_type":"navigate_home"})"), std::string::npos);
}

TEST(ParseReply, TakesTypingAndReturnTogetherWhenAsked) {
    const auto parsed = parse_reply("type(content='a')\nkey(keys='Return')", Dialect::GlmDesktop, Sequence::TypeThenEnter);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(to_canonical_json(parsed->action), R"({"enter":true,"text":"a","verb":"type"})");
    const auto other = parse_reply("type(content='a')\nkey(keys='Tab')", Dialect::GlmDesktop, Sequence::TypeThenEnter);
    ASSERT_TRUE(other.has_value());
    EXPECT_EQ(to_canonical_json(other->action), R"({"keys":"tab","verb":"key"})");
}

TEST(ParseReply, PrefersTheExpectedDialect) {
    const std::string both = "left_click(start_box='[5,6]')\n{\"action_type\":\"navigate_home\"}";
    EXPECT_EQ(verb_name(parse_reply(both, Dialect::GlmDesktop)->action), "click");
    EXPECT_EQ(verb_name(parse_reply(both, Dialect::GlmMobile)->action), "home");
}

TEST(JoinReasoning, PutsReasoningBeforeTheContent) {
    EXPECT_EQ(join_reasoning("a", "b", ReplyEnd::Complete), "<think>a</think>b");
    EXPECT_EQ(join_reasoning("", "b", ReplyEnd::Complete), "b");
}

TEST(JoinReasoning, TakesCompleteReasoningWithoutContentForTheAnswer) {
    EXPECT_EQ(join_reasoning("DONE()", " ", ReplyEnd::Complete), "DONE()");
    EXPECT_FALSE(parse_reply(join_reasoning("DONE()", "", ReplyEnd::Truncated), Dialect::GlmDesktop).has_value());
}

TEST(ParseAction, TakesOneActionInAnyDialect) {
    for (const char* text : {"left_click(start_box='[500,312]')", R"({"action_type":"click","box_2d":[[500,312]]})",
                             "do(action=\"Tap\", element=[500,312])", R"({"verb":"click","x":500,"y":312,"units":"thousandths"})"}) {
        const auto action = parse_action(text);
        ASSERT_TRUE(action.has_value()) << text << ": " << action.error().message;
        EXPECT_EQ(to_canonical_json(*action), R"({"units":"thousandths","verb":"click","x":500,"y":312})");
    }
}

TEST(ParseAction, RefusesWhatIsNotExactlyOneAction) {
    for (const char* text : {"", "hello", "left_click(start_box='[1,2]') DONE()", "please left_click(start_box='[1,2]')",
                             "left_click(start_box='[1,2]') now", "left_click()", "DONE"}) {
        EXPECT_FALSE(parse_action(text).has_value()) << text;
    }
}

/// Text made of pieces that begin things and do not end them.
std::string hostile_text(std::size_t bytes, std::uint32_t seed) {
    const std::vector<std::string> pieces{"{",   "[",  "(",      "'",          "\"",         "click(",     "type(content='", "{\"action_type\":\"",
                                          "\\",  " ",  "\n",     "<arg_key>",  "</arg_key>", "ANSWER; ",   "Memory:",        "Action:",
                                          "<|begin_of_box|>", "<|end_of_box|>", "```",       "</think>x",  "“",              ",", ":", "a=", "Click [1]"};
    std::mt19937 random(seed);
    std::string text;
    const std::size_t only = random() % 3 == 0 ? random() % pieces.size() : pieces.size();
    while (text.size() < bytes) {
        text += pieces[only < pieces.size() && random() % 8 != 0 ? only : random() % pieces.size()];
    }
    return text;
}

TEST(Scan, WorkOnHostileTextIsLinear) {
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        const std::string text = hostile_text(64U << 10U, seed);
        Work work = work_for(text);
        const std::size_t granted = work.left;
        std::vector<Candidate> candidates;
        const auto labels = find_labels(text);
        const ScanGuide guide = find_guide(text, labels);
        scan_actions(text, {0, text.size()}, guide, work, candidates);
        EXPECT_LE(granted, 10 * text.size());
        EXPECT_LE(guide.stops.size(), text.size());
        EXPECT_LE(candidates.size(), 1000U) << "seed " << seed;
        static_cast<void>(parse_reply(text, Dialect::GlmDesktop)); // must return
    }
}

TEST(Scan, StopsWhenTheWorkIsSpent) {
    std::string text;
    for (int i = 0; i < 20000; ++i) {
        text += "{\"a "; // each begins a key that only ends with the text
    }
    const auto parsed = parse_reply(text, Dialect::GlmDesktop);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_NE(parsed.error().message.find("too tangled"), std::string::npos) << parsed.error().message;
}

TEST(LiteralReader, BoundsDepth) {
    Work work{1U << 20U};
    const std::string deep = std::string(200, '[') + "1" + std::string(200, ']');
    LiteralReader reader(deep, 0, deep.size(), {}, work);
    EXPECT_FALSE(reader.read_value().has_value());
}

TEST(Unescaped, LeavesUnknownEscapesAsWritten) {
    EXPECT_EQ(unescaped(R"(C:\path \q)"), R"(C:\path \q)");
    EXPECT_EQ(unescaped(R"(\ud83d x)"), R"(\ud83d x)");
    EXPECT_EQ(unescaped("a\\"), "a\\");
}

} // namespace
} // namespace handeye
