// SPDX-License-Identifier: Apache-2.0
// Masks against trying every token, steps back, text that is forced, tags, and many threads at one grammar.
#include "tests/engine/grammar_words.h"

#include <thread>

namespace handeye {
namespace {

const std::vector<std::string> kWords{"tr", "true", "rue", "ue", "false", "fal", "\": ", "\":", "\",", "\"}", "{\"", "[1", "12", "123", "0.", "e+", "null,", "]]", "}}",
                                      "\xC3\xA9", "\xC3", "\xA9t", "ab", "abc", "aaaa", "aaaaaaaa", "\\\"", "\\u00", "  ", "\n  ", "word", " word", "\"word\"", "click", "(", "()", "],[",
                                      std::string(17, 'a'), std::string(30, 'a') + ";", "bcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbc", "],[],[],[],[],[],[],[]"};

constexpr std::string_view kJson = R"GBNF(
root   ::= value
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
array  ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
ws     ::= [ \n]*
)GBNF";
constexpr std::string_view kCounted = R"GBNF(root ::= "[" ([a-c]{0,6} ("," [^,\]]{2,40})? ";"){1,5} "]" ("aa"{3})? [0-9]{2,})GBNF";
constexpr std::string_view kAmbiguous = R"GBNF(root ::= (word " "?)+ call
word ::= [a-z]+ | "click" | "word"
call ::= "(" [a-z]* ")" | "()" tail
tail ::= "!" tail | "")GBNF";

/// What a mask must be, found by trying.
void expect_true_mask(const GrammarMatcher& matcher) {
    const auto mask = matcher.mask();
    ASSERT_TRUE(mask.has_value()) << mask.error().message;
    const VocabularyTrie& vocabulary = matcher.grammar().vocabulary();
    for (TokenId id = 0; id < vocabulary.vocabulary_size(); ++id) {
        GrammarMatcher copy = matcher;
        ASSERT_EQ((*mask)->allows(id), copy.accept(id).has_value()) << "token " << id << " '" << vocabulary.bytes(id) << "'";
    }
    EXPECT_EQ((*mask)->allows(vocabulary.stop_ids().front()), matcher.may_end());
}

TEST(GrammarMask, HoldsExactlyTheTokensThatCanFollow) {
    std::mt19937_64 random(1);
    for (const std::string_view gbnf : {kJson, kCounted, kAmbiguous}) {
        const GrammarMatcher start = matcher_of(gbnf, byte_vocabulary(kWords, {"<tag>"}));
        for (int i = 0; i < 12; ++i) {
            GrammarMatcher matcher = start;
            for (int steps = 0; steps < 25 && !matcher.is_complete(); ++steps) {
                expect_true_mask(matcher);
                const auto mask = *matcher.mask();
                std::vector<TokenId> ids;
                for (TokenId id = 0; id < 256 + static_cast<TokenId>(kWords.size()); ++id) {
                    if (mask->allows(id)) {
                        ids.insert(ids.end(), id < 256 ? 1 : 8, id); // words more often than bytes
                    }
                }
                const TokenId id = ids[random() % ids.size()];
                ASSERT_TRUE(matcher.accept(id));
            }
        }
    }
}

TEST(GrammarMask, OfARandomSentenceHoldsEachNextByte) {
    std::mt19937_64 random(2);
    int ended = 0;
    for (const std::string_view gbnf : {kJson, kCounted, kAmbiguous}) {
        const GrammarMatcher start = matcher_of(gbnf);
        for (int i = 0; i < 60; ++i) {
            const auto sentence = random_sentence(start, random, 60);
            if (sentence) {
                ++ended;
                EXPECT_TRUE(accepts(start, *sentence)) << *sentence;
            }
        }
    }
    EXPECT_GT(ended, 100);
}

TEST(GrammarMatcher, GoesBackToWhatItWas) {
    const GrammarMatcher start = matcher_of(kJson, byte_vocabulary(kWords));
    GrammarMatcher matcher = start;
    std::vector<std::shared_ptr<const TokenMask>> masks;
    const std::string text = R"({"a": [1, {"b": "cd"}], "e": -1.5e+3})";
    for (const char c : text) {
        masks.push_back(*matcher.mask());
        ASSERT_TRUE(matcher.accept(static_cast<unsigned char>(c)));
    }
    EXPECT_TRUE(matcher.may_end());
    for (std::size_t back : {1U, 5U, 11U}) {
        GrammarMatcher copy = matcher;
        ASSERT_TRUE(copy.rollback(back));
        EXPECT_EQ(*copy.mask(), masks[text.size() - back]); // one state, one mask
        for (std::size_t i = text.size() - back; i < text.size(); ++i) {
            ASSERT_TRUE(copy.accept(static_cast<unsigned char>(text[i])));
        }
        EXPECT_TRUE(copy.may_end());
    }
    EXPECT_FALSE(matcher.rollback(text.size() + 1));
    ASSERT_TRUE(matcher.rollback(text.size()));
    EXPECT_EQ(*matcher.mask(), *start.mask());
}

TEST(GrammarMatcher, GoesBackOverTheEnd) {
    GrammarMatcher matcher = matcher_of("root ::= \"a\"+");
    const TokenId stop = matcher.grammar().vocabulary().stop_ids().front();
    EXPECT_FALSE(matcher.accept(stop)); // nothing stands yet
    ASSERT_TRUE(matcher.accept('a'));
    ASSERT_TRUE(matcher.accept(stop));
    EXPECT_TRUE(matcher.has_ended());
    EXPECT_EQ((*matcher.mask())->count(), 0);
    EXPECT_FALSE(matcher.accept('a'));
    ASSERT_TRUE(matcher.rollback(1));
    EXPECT_FALSE(matcher.has_ended());
    EXPECT_TRUE(matcher.accept('a'));
}

TEST(GrammarMatcher, RefusesATokenAndStaysWhereItWas) {
    GrammarMatcher matcher = matcher_of("root ::= \"abc\"", byte_vocabulary({"abd", "ab"}));
    const auto refused = matcher.accept(256);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("abd"), std::string::npos);
    ASSERT_TRUE(matcher.accept(257));
    ASSERT_TRUE(matcher.accept('c'));
    EXPECT_TRUE(matcher.is_complete());
    EXPECT_FALSE(matcher.accept(-1));
    EXPECT_FALSE(matcher.accept(1'000'000));
}

TEST(GrammarMatcher, LongTextsKeepFewStacks) {
    GrammarMatcher matcher = matcher_of("root ::= ([a-z] [0-9]?){1,1000000} \".\"");
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_TRUE(matcher.accept(i % 2 == 0 ? 'a' + i % 26 : '0' + i % 10));
    }
    ASSERT_TRUE((*matcher.mask())->allows('.'));
    ASSERT_TRUE(matcher.rollback(200));
    ASSERT_TRUE(matcher.accept('.'));
    EXPECT_TRUE(matcher.is_complete());
}

TEST(ForcedText, IsTheOnlyWayOn) {
    GrammarMatcher matcher = matcher_of(R"(root ::= "{\"verb\":\"" ("click" | "close") "\",\"x\":" [0-9]{1,3} "}")");
    EXPECT_EQ(matcher.forced().bytes, "{\"verb\":\"cl");
    EXPECT_FALSE(matcher.forced().ends_whole);
    ASSERT_TRUE(matcher.accept_bytes("{\"verb\":\"cl"));
    EXPECT_EQ(matcher.forced().bytes, "");
    ASSERT_TRUE(matcher.accept('i'));
    EXPECT_EQ(matcher.forced().bytes, "ck\",\"x\":");
    EXPECT_EQ(matcher.forced(3).bytes, "ck\"");
    ASSERT_TRUE(matcher.accept_bytes("ck\",\"x\":12"));
    EXPECT_EQ(matcher.forced().bytes, "");
    ASSERT_TRUE(matcher.accept('3'));
    EXPECT_EQ(matcher.forced().bytes, "}");
    EXPECT_TRUE(matcher.forced().ends_whole);
}

TEST(ForcedText, DoesNotForceWhereTheAnswerMayEnd) {
    GrammarMatcher matcher = matcher_of("root ::= \"a\" \"b\"?");
    EXPECT_EQ(matcher.forced().bytes, "a");
    ASSERT_TRUE(matcher.accept('a'));
    EXPECT_EQ(matcher.forced().bytes, "");
}

TEST(ForcedText, EndsAtATag) {
    GrammarMatcher matcher = matcher_of("root ::= \"ok\" <box> [a-z]", byte_vocabulary({}, {"<box>"}));
    const ForcedText forced = matcher.forced();
    EXPECT_EQ(forced.bytes, "ok");
    EXPECT_EQ(forced.token, 256);
    EXPECT_TRUE(forced.ends_whole);
}

TEST(AddedTokens, ComeWhereTheGrammarNamesThem) {
    const auto vocabulary = byte_vocabulary({"<b"}, {"<box>", "</box>"});
    GrammarMatcher matcher = matcher_of("root ::= <box> [^>]+ </box>", vocabulary);
    EXPECT_EQ((*matcher.mask())->count(), 1);
    EXPECT_TRUE((*matcher.mask())->allows(257));
    EXPECT_FALSE(matcher.accept_bytes("<box>")); // the tag is the token, not its text
    ASSERT_TRUE(matcher.accept(257));
    EXPECT_FALSE((*matcher.mask())->allows(257));
    EXPECT_FALSE((*matcher.mask())->allows(258)); // one character must come
    ASSERT_TRUE(matcher.accept('x'));
    EXPECT_TRUE((*matcher.mask())->allows(258));
    EXPECT_TRUE((*matcher.mask())->allows(256)); // "<b": ordinary text
    ASSERT_TRUE(matcher.accept(258));
    EXPECT_TRUE(matcher.is_complete());
}

TEST(AddedTokens, StandForTheirTextWhereTheRequestSaysSo) {
    const auto vocabulary = byte_vocabulary({}, {"</answer>"});
    const GrammarMatcher strict = matcher_of("root ::= [a-z]+ \"</answer>\"", vocabulary);
    const GrammarMatcher loose = matcher_of("root ::= [a-z]+ \"</answer>\"", vocabulary, AddedTokenUse::ForItsText);
    for (const bool is_loose : {false, true}) {
        GrammarMatcher matcher = is_loose ? loose : strict;
        ASSERT_TRUE(matcher.accept('x'));
        EXPECT_EQ((*matcher.mask())->allows(256), is_loose);
        EXPECT_EQ(matcher.accept(256).has_value(), is_loose);
        EXPECT_EQ(matcher.is_complete(), is_loose);
    }
}

TEST(AddedTokens, ThatAreStopIdsStillCountAsNamed) {
    std::vector<TokenEntry> tokens{{"a"}, {"</answer>", true}, {"<|user|>", true}};
    auto vocabulary = std::make_shared<const VocabularyTrie>(*VocabularyTrie::build(tokens, {1, 2}));
    GrammarMatcher matcher = matcher_of("root ::= \"a\"* </answer>?", vocabulary);
    ASSERT_TRUE(matcher.accept(0));
    ASSERT_TRUE(matcher.accept(1));
    EXPECT_FALSE(matcher.has_ended());
    EXPECT_TRUE(matcher.is_complete());
    ASSERT_TRUE(matcher.accept(2));
    EXPECT_TRUE(matcher.has_ended());
}

TEST(VocabularyTrie, AllowsBothOfTwoTokensWithTheSameBytes) {
    const GrammarMatcher matcher = matcher_of("root ::= \"ab\" \"c\"", byte_vocabulary({"ab", "ab", "abc"}));
    for (const TokenId id : {256, 257, 258}) {
        EXPECT_TRUE((*matcher.mask())->allows(id)) << id;
    }
    EXPECT_EQ((*matcher.mask())->count(), 4); // and "a"
}

TEST(VocabularyTrie, RefusesWhatIsNone) {
    EXPECT_FALSE(VocabularyTrie::build(std::vector<TokenEntry>{}, {}));
    EXPECT_FALSE(VocabularyTrie::build(std::vector<TokenEntry>{{"a"}}, {1}));
    const auto long_token = VocabularyTrie::build(std::vector<TokenEntry>{{std::string(5000, 'a')}, {"a"}, {""}}, {});
    ASSERT_TRUE(long_token);
    EXPECT_EQ(long_token->longest_bytes(), 1U);
}

TEST(GrammarCache, GivesOneGrammarForOneText) {
    GrammarCache cache(byte_vocabulary(), {.masks_bytes = 1U << 20U, .grammars = 2});
    const auto first = *cache.get("root ::= \"a\"");
    EXPECT_EQ(*cache.get("root ::= \"a\""), first);
    EXPECT_NE(*cache.get("root ::= \"a\"", AddedTokenUse::ForItsText), first);
    ASSERT_TRUE(cache.get("root ::= \"b\""));
    EXPECT_NE(*cache.get("root ::= \"a\""), first); // two others were asked for since
    EXPECT_FALSE(cache.get("root ::= b"));
}

TEST(GrammarCache, KeepsMasksUpToItsBytes) {
    const auto vocabulary = byte_vocabulary();
    const std::size_t mask_bytes = TokenMask(vocabulary->vocabulary_size()).size_bytes();
    GrammarCache cache(vocabulary, {.masks_bytes = 10 * mask_bytes});
    GrammarMatcher matcher = *GrammarMatcher::start(*cache.get("root ::= \"abcdefghijklmnopqrstuvwxyz\""));
    for (char c = 'a'; c <= 'z'; ++c) {
        ASSERT_TRUE((*matcher.mask())->allows(c));
        ASSERT_TRUE((*matcher.mask())->allows(c));
        ASSERT_TRUE(matcher.accept(c));
    }
    EXPECT_EQ(cache.mask_counts().misses, 26U);
    EXPECT_EQ(cache.mask_counts().hits, 26U);
    EXPECT_LE(cache.mask_counts().bytes, 10 * mask_bytes);
}

TEST(GrammarCache, ServesManyThreads) {
    GrammarCache cache(byte_vocabulary(kWords), {.masks_bytes = 4096});
    std::vector<std::jthread> threads;
    for (unsigned seed = 0; seed < 4; ++seed) {
        threads.emplace_back([&, seed] {
            std::mt19937_64 random(seed);
            for (int i = 0; i < 10; ++i) {
                const auto grammar = cache.get(i % 2 == 0 ? kJson : kCounted);
                ASSERT_TRUE(grammar.has_value());
                GrammarMatcher matcher = *GrammarMatcher::start(*grammar);
                static_cast<void>(random_sentence(matcher, random, 30));
                const auto key = matcher.mask_key();
                ASSERT_TRUE(key.has_value());
                std::shared_ptr<const TokenMask> ahead;
                std::jthread([&] { ahead = *matcher.grammar().mask(*key); }).join();
                EXPECT_EQ(ahead->count(), (*matcher.mask())->count());
            }
        });
    }
}

} // namespace
} // namespace handeye
