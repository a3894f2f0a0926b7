// SPDX-License-Identifier: Apache-2.0
// Answers under the grammar of their dialect: random sentences of it all parse into the action they write, and what actions look like
// in writing is in it. HANDEYE_FULL=1: 10,000 sentences of each dialect instead of 400.
#include "actions/grammar.h"

#include "actions/keys.h"
#include "actions/parse.h"
#include "actions/resolve.h"
#include "tests/engine/grammar_speed.h"

#include <fmt/format.h>

namespace handeye {
namespace {

const std::vector<std::string> kTags{"<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>", "<think>", "</think>"};
const std::vector<std::string> kWords{"click", "left", "_click(", "Action:", "Memory:", "Observation:", " the", "'[", "]'", "</", "think", "<|", "(", "\n\n", "ANSWER", "Type [", "```",
                                      "\\n", "\\'", "。", "你好", "（", "answer", "type 3, ", ". ", ".\nDONE()",
                                      ". left_click(start_box='[", ".\n\n", "</content>", "]; ["};

GrammarMatcher matcher_for(Dialect dialect, const AnswerGrammarOptions& options = {}, bool has_tags = true) {
    const auto gbnf = answer_grammar(dialect, options);
    EXPECT_TRUE(gbnf.has_value()) << gbnf.error().message;
    return matcher_of(*gbnf, byte_vocabulary(kWords, has_tags ? kTags : std::vector<std::string>{}));
}

int sentences() {
    const char* const full = std::getenv("HANDEYE_FULL");
    return full != nullptr && std::string_view(full) == "1" ? 10'000 : 400;
}

const AnswerGrammarOptions kOptions{.marks = {1, 2, 12, 40, 141}, .apps = {"Files", "Clock", "K\"9\" Mail"}};

class AnswerGrammar : public testing::TestWithParam<Dialect> {};
INSTANTIATE_TEST_SUITE_P(All, AnswerGrammar,
                         testing::Values(Dialect::Canonical, Dialect::GlmMobile, Dialect::GlmDesktop, Dialect::GlmWebMarks, Dialect::GlmWebPoints, Dialect::AutoGlm),
                         [](const auto& i) {
                             std::string name(dialect_name(i.param));
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(AnswerGrammar, HoldsNoSentenceThatDoesNotParse) {
    std::mt19937_64 random(static_cast<unsigned>(GetParam()) + 1);
    int ended = 0;
    int failed = 0;
    for (const bool has_tags : {true, false}) {
        const GrammarMatcher start = matcher_for(GetParam(), kOptions, has_tags);
        for (int tries = 0; tries < 2 * sentences() && ended < (has_tags ? sentences() / 2 : sentences()) && failed < 5; ++tries) {
            const auto sentence = random_sentence(start, random, 150, 4);
            if (!sentence) {
                continue; // it went on for 600 bytes
            }
            ++ended;
            const auto parsed = parse_reply("<think>It may be here: click(1,2).</think>" + *sentence, GetParam());
            if (!parsed || !parsed->warnings.empty() || (GetParam() != Dialect::Canonical && parsed->dialect != GetParam())) {
                ++failed;
                ADD_FAILURE() << *sentence << "\n-> " << (parsed ? parsed->warnings.empty() ? dialect_name(parsed->dialect) : parsed->warnings.front() : parsed.error().message);
                continue;
            }
            if (GetParam() == Dialect::Canonical || GetParam() == Dialect::GlmWebMarks) {
                continue;
            }
            const auto place = std::get_if<Click>(&parsed->action);
            const auto spot = place != nullptr ? std::get_if<Spot>(&place->at) : nullptr;
            EXPECT_TRUE(spot == nullptr || (spot->x <= 999 && spot->y <= 999)) << *sentence;
        }
    }
    EXPECT_EQ(ended, sentences());
    fmt::print("{}: {} sentences parsed\n", dialect_name(GetParam()), ended - failed);
}

TEST_P(AnswerGrammar, CompilesWithoutTagsAndWithEveryVerbAlone) {
    for (const VerbRow& row : verb_table()) {
        const auto gbnf = answer_grammar(GetParam(), {.verbs = {std::string(row.verb)}, .marks = {1}});
        const bool has_form = GetParam() == Dialect::Canonical || form_of(row, GetParam()) != nullptr;
        EXPECT_EQ(gbnf.has_value(), has_form) << row.verb;
        if (gbnf) {
            const auto grammar = parse_grammar(*gbnf);
            EXPECT_TRUE(grammar.has_value()) << row.verb << ": " << grammar.error().message;
        }
    }
}

TEST(AnswerGrammarSpeed, IsPrinted) {
    const FullVocabulary source = vocabulary_of_full_size();
    for (const Dialect dialect : model_dialects()) {
        measure(source, std::string(dialect_name(dialect)).c_str(), *answer_grammar(dialect, kOptions));
    }
}

struct WrittenCase {
    Dialect dialect;
    const char* text;
};
class WrittenAnswer : public testing::TestWithParam<WrittenCase> {};
INSTANTIATE_TEST_SUITE_P(
    Trained, WrittenAnswer,
    testing::Values(
        WrittenCase{Dialect::GlmDesktop, "left_click(start_box='[5,999]')"},
        WrittenCase{Dialect::GlmDesktop, "<answer><|begin_of_box|>type(content='Ada')<|end_of_box|></answer>"},
        WrittenCase{Dialect::GlmDesktop, "\n<answer>I click Save now. <|begin_of_box|>left_click(start_box='[5,6]', element_info='Save')<|end_of_box|>\nMemory:\n[{\"a\": 1}, {\"b\": \"c\"}]\n</answer>"},
        WrittenCase{Dialect::GlmDesktop, "The menu is open, so I look further down.\nscroll(start_box='[500,500]', direction='down', step=5, element_info='')\nMemory:\n[]"},
        WrittenCase{Dialect::GlmDesktop, "key(keys='ctrl+shift+t')"}, WrittenCase{Dialect::GlmDesktop, "type(content='it\\'s <b>bold</b>\\n')"},
        WrittenCase{Dialect::GlmDesktop, "type(content=\"it's\")"}, WrittenCase{Dialect::GlmDesktop, "left_drag(start_box='[1,2]', end_box='[3,4]', element_info='a')"},
        WrittenCase{Dialect::GlmDesktop, "DONE()"}, WrittenCase{Dialect::GlmDesktop, "点击保存。 left_click(start_box='[5, 6]')"},
        WrittenCase{Dialect::GlmMobile, "Memory: None\nReason: It is open.\nAction: <|begin_of_box|>{\"action_type\":\"wait\"}<|end_of_box|>"},
        WrittenCase{Dialect::GlmMobile, "{\"action_type\": \"click\", \"box_2d\": [[480, 300, 520, 330]]}"},
        WrittenCase{Dialect::GlmMobile, "{\"action_type\":\"input_text\",\"text\":\"\\u00e9 \\\"x\\\"\",\"box_2d\":[[1,2,3,4]],\"override\":false}"},
        WrittenCase{Dialect::GlmMobile, "{\"action_type\":\"swipe\",\"direction\":\"up\"}"}, WrittenCase{Dialect::GlmMobile, "{\"action_type\":\"status\",\"goal_status\":\"infeasible\"}"},
        WrittenCase{Dialect::GlmMobile, "{\"action_type\":\"open_app\",\"app_name\":\"Files\"}"},
        WrittenCase{Dialect::GlmWebMarks, "Thought: The box is empty: type first.\nAction: Type [2]; [red [shoes]]\nMemory_Updated: {\"a\": 1}"},
        WrittenCase{Dialect::GlmWebMarks, "Action: Click [12]"}, WrittenCase{Dialect::GlmWebMarks, "Action: Scroll WINDOW; [down]"},
        WrittenCase{Dialect::GlmWebMarks, "Action: Key; [Return]"}, WrittenCase{Dialect::GlmWebMarks, "Action: ANSWER; <content>Guatemala</content>"},
        WrittenCase{Dialect::GlmWebPoints, "Thought: There.\nAction: CLICK(point=(214,100), element_info='Search button')"},
        WrittenCase{Dialect::GlmWebPoints, "Action: SCROLL_UP(point=(500,500), distance=0.75, element_info='result list')"},
        WrittenCase{Dialect::GlmWebPoints, "Action: KEY_PRESS(key='alt+Left')"}, WrittenCase{Dialect::GlmWebPoints, "Action: ANSWER(content='Guatemala')"},
        WrittenCase{Dialect::AutoGlm, "<answer>do(action=\"Tap\", element=[499,500])</answer>"},
        WrittenCase{Dialect::AutoGlm, "do(action=\"Tap\", element=[499,500], message=\"pay 20 euros\")"}, WrittenCase{Dialect::AutoGlm, "do(action=\"Interact\")"},
        WrittenCase{Dialect::AutoGlm, "do(action=\"Type_Name\", text=\"Ada\")"}, WrittenCase{Dialect::AutoGlm, "do(action=\"Swipe\", start=[1,2], end=[3,4])"},
        WrittenCase{Dialect::AutoGlm, "do(action=\"Wait\", duration=\"3 seconds\")"}, WrittenCase{Dialect::AutoGlm, "finish(message=\"Done.\")"}));

TEST_P(WrittenAnswer, IsInItsGrammar) {
    EXPECT_TRUE(accepts(matcher_for(GetParam().dialect, kOptions, false), GetParam().text)) << GetParam().text;
    EXPECT_TRUE(parse_reply(GetParam().text, GetParam().dialect)) << GetParam().text;
}

class NotWritten : public testing::TestWithParam<WrittenCase> {};
INSTANTIATE_TEST_SUITE_P(
    Never, NotWritten,
    testing::Values(WrittenCase{Dialect::GlmDesktop, "left_click(start_box='[1000,5]')"}, WrittenCase{Dialect::GlmDesktop, "left_click(start_box='[05,5]')"},
                    WrittenCase{Dialect::GlmDesktop, "left_click()"}, WrittenCase{Dialect::GlmDesktop, "type(content='')"},
                    WrittenCase{Dialect::GlmDesktop, "type(content='a</think>b')"}, WrittenCase{Dialect::GlmDesktop, "type(content='<|user|>')"},
                    WrittenCase{Dialect::GlmDesktop, "DONE() DONE()"}, WrittenCase{Dialect::GlmDesktop, "I do not know."},
                    WrittenCase{Dialect::GlmDesktop, "Answer, click(x). DONE()"}, WrittenCase{Dialect::GlmDesktop, "key(keys='ctrl+nothing')"},
                    WrittenCase{Dialect::GlmMobile, "{\"action_type\":\"open_app\",\"app_name\":\"Mines\"}"},
                    WrittenCase{Dialect::GlmMobile, "{\"action_type\":\"swipe\",\"direction\":\"around\"}"}, WrittenCase{Dialect::GlmWebMarks, "Action: Click [13]"},
                    WrittenCase{Dialect::GlmWebMarks, "Thought: a Observation: b\nAction: Click [12]"}, WrittenCase{Dialect::GlmWebPoints, "Action: CLICK(point=(1,2000))"},
                    WrittenCase{Dialect::AutoGlm, "do(action=\"Note\", message=\"True\")"}));

TEST_P(NotWritten, IsOutsideItsGrammar) {
    EXPECT_FALSE(accepts(matcher_for(GetParam().dialect, kOptions, false), GetParam().text)) << GetParam().text;
}

TEST(AnswerGrammarVerbs, AreOnlyThoseThatMayBeUsed) {
    const GrammarMatcher start = matcher_for(Dialect::GlmDesktop, {.verbs = {"click", "finish"}});
    EXPECT_TRUE(accepts(start, "left_click(start_box='[1,2]')"));
    EXPECT_TRUE(accepts(start, "DONE()"));
    EXPECT_FALSE(accepts(start, "FAIL()"));
    EXPECT_FALSE(accepts(start, "type(content='a')"));
    EXPECT_EQ(answer_grammar(Dialect::GlmDesktop, {.verbs = {"fly"}}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(answer_grammar(Dialect::GlmDesktop, {.verbs = {"home"}}).error().code, ErrorCode::InvalidArgument);
}

TEST(AnswerGrammarMarks, FallAwayWhereNoneAreShown) {
    const GrammarMatcher start = matcher_for(Dialect::GlmWebMarks);
    EXPECT_FALSE(accepts(start, "Action: Click [1]"));
    EXPECT_FALSE(accepts(start, "Action: Scroll [1]; [up]"));
    EXPECT_TRUE(accepts(start, "Action: Scroll WINDOW; [up]"));
    EXPECT_EQ(answer_grammar(Dialect::GlmWebMarks, {.verbs = {"click"}}).error().code, ErrorCode::InvalidArgument);
}

TEST(AnswerGrammarTags, AreTokensWhereTheVocabularyHasThem) {
    GrammarMatcher matcher = matcher_for(Dialect::GlmDesktop);
    const auto box = static_cast<TokenId>(256 + kWords.size() + 2);
    EXPECT_TRUE((*matcher.mask())->allows(box));
    EXPECT_FALSE((*matcher.mask())->allows(box + 1)); // none is open
    ASSERT_TRUE(matcher.accept(box));
    ASSERT_TRUE(matcher.accept_bytes("WAIT()"));
    EXPECT_EQ((*matcher.mask())->count(), 1);
    EXPECT_EQ(matcher.forced().token, box + 1);
    ASSERT_TRUE(matcher.accept(box + 1));
    EXPECT_TRUE(matcher.may_end());
}

/// Actions of every kind, in canonical JSON.
TEST(CanonicalGrammar, HoldsWhatActionsAreWrittenAs) {
    const GrammarMatcher start = matcher_for(Dialect::Canonical, {}, false);
    for (const VerbRow& row : verb_table()) {
        EXPECT_TRUE(accepts(start, row.example)) << row.example;
    }
    std::mt19937_64 random(9);
    const auto text = [&] { return std::string(random() % 2 == 0 ? "Ada \"L\" \\ \n é" : "x"); };
    const auto spot = [&]() -> Target {
        const bool is_mille = random() % 2 == 0;
        const auto number = [&] { return random() % 3 == 0 ? static_cast<double>(random() % 9990) / 10 : static_cast<double>(random() % 1000); };
        Spot at{is_mille ? Units::Thousandths : Units::Pixels, number(), number(), std::nullopt};
        if (random() % 2 == 0) {
            at.box = Spot::Box{number(), number(), number(), number()};
        }
        return random() % 4 == 0 ? Target(Mark{static_cast<int>(random() % 500) + 1}) : Target(at);
    };
    for (int i = 0; i < 300; ++i) {
        const std::vector<std::string> held = random() % 2 == 0 ? std::vector<std::string>{"ctrl", "shift"} : std::vector<std::string>{};
        const Target from = spot();
        const Target to = std::holds_alternative<Mark>(from) ? Target(Mark{7}) : from;
        const Action actions[] = {Click{from, MouseButton::Left, static_cast<int>(random() % 3) + 1, {}, held, text(), random() % 2 == 0 ? text() : ""},
                                  Click{from, MouseButton::Left, 1, std::chrono::milliseconds(1500), {}, ""}, Hover{from, text()}, Drag{from, to, held, text()},
                                  Scroll{from, Direction::Left, 7, 0.5}, Scroll{}, Swipe{from, Direction::Up}, Swipe{from, direction_between(from, to), to},
                                  TypeText{text(), from, true, true, text()}, TypeText{text()}, *parse_chord("ctrl+shift+t"), Wait{std::chrono::milliseconds(1250)},
                                  OpenApp{text(), {"a", "b"}}, OpenUrl{"https://example.org/?a=b"}, FocusWindow{text()}, Navigate{Place::SearchPage}, Answer{text(), true},
                                  AskUser{text()}, Finish{Verdict::Infeasible, text()}};
        for (const Action& action : actions) {
            const std::string json = to_canonical_json(action);
            ASSERT_TRUE(accepts(start, json)) << json;
        }
    }
}

} // namespace
} // namespace handeye
