// SPDX-License-Identifier: Apache-2.0
// GBNF: what each part of the notation means, and what is refused with a place and a reason.
#include "tests/engine/grammar_words.h"

#include <fmt/format.h>

namespace handeye {
namespace {

struct MeaningCase {
    const char* name;
    const char* gbnf;
    std::vector<std::string> in;
    std::vector<std::string> out;
};
class GbnfMeaning : public testing::TestWithParam<MeaningCase> {};

TEST_P(GbnfMeaning, IsTheLanguage) {
    const GrammarMatcher start = matcher_of(GetParam().gbnf);
    for (const std::string& text : GetParam().in) {
        EXPECT_TRUE(accepts(start, text)) << "'" << text << "'";
    }
    for (const std::string& text : GetParam().out) {
        EXPECT_FALSE(accepts(start, text)) << "'" << text << "'";
    }
}

INSTANTIATE_TEST_SUITE_P(
    Parts, GbnfMeaning,
    testing::Values(
        MeaningCase{"Literal", R"(root ::= "abc")", {"abc"}, {"", "ab", "abcd", "abd"}},
        MeaningCase{"EmptyLiteral", R"(root ::= "" | "x")", {"", "x"}, {"xx"}},
        MeaningCase{"Escapes", R"(root ::= "\n\t\r\"\\\x41\u00e9\U0001F600")", {"\n\t\r\"\\A\u00e9\U0001F600"}, {"nt"}},
        MeaningCase{"Choice", R"(root ::= "a" | "ab" | "abc" | "b")", {"a", "ab", "abc", "b"}, {"", "bb", "abcd", "c"}},
        MeaningCase{"Class", R"(root ::= [a-cx_])", {"a", "b", "c", "x", "_"}, {"d", "-", "", "aa"}},
        MeaningCase{"ClassEscapes", R"(root ::= [\]\\\-\^"]+)", {"]\\-^\""}, {"a", "["}},
        MeaningCase{"ClassDashAtItsEnd", R"(root ::= [a-])", {"a", "-"}, {"b"}},
        MeaningCase{"Negated", R"(root ::= [^a-y\n])", {"z", "\u00e9", "\u4f60", "\U0001F600", "A"}, {"a", "y", "\n", "", "\x80", "\xC3"}},
        MeaningCase{"AnyCharacter", R"(root ::= .)", {"a", "\n", "\u00e9", "\uFFFF", "\U0010FFFF"}, {"", "ab", "\xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"}},
        MeaningCase{"CodeRange", R"(root ::= [\u0400-\u04FF\u4e00-\u9fff])", {"\u0400", "\u04ff", "\u4e00", "\u9fff", "\u5b57"}, {"\u03ff", "\u0500", "\u4dff", "\ua000"}},
        MeaningCase{"RangeOverLengths", R"(root ::= [\x7e-\U00010001])", {"~", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U00010001"}, {"}", "\U00010002", "\xED\xA0\x80"}},
        MeaningCase{"Star", R"(root ::= "a"*)", {"", "a", "aaaaaaa"}, {"b", "aab"}},
        MeaningCase{"Plus", R"(root ::= ("a" "b")+)", {"ab", "abab"}, {"", "aba"}},
        MeaningCase{"Option", R"(root ::= "a"? "b")", {"b", "ab"}, {"", "a", "aab"}},
        MeaningCase{"Exactly", R"(root ::= [0-9]{3})", {"123"}, {"", "12", "1234"}},
        MeaningCase{"AtLeast", R"(root ::= [0-9]{2,})", {"12", "1234567"}, {"", "1"}},
        MeaningCase{"Between", R"(root ::= ("ab"){2,3} "c")", {"ababc", "abababc"}, {"abc", "ababababc"}},
        MeaningCase{"None", R"(root ::= "a" "b"{0} "c")", {"ac"}, {"abc"}},
        MeaningCase{"NestedCounts", R"(root ::= ("a"{2} | "b"){2,2})", {"aaaa", "aab", "baa", "bb"}, {"aa", "b", "aaaaaa", "ab"}},
        MeaningCase{"RepeatOfSomethingEmpty", R"(root ::= ("a"?){3} "b")", {"b", "ab", "aaab"}, {"aaaab"}},
        MeaningCase{"StarOfSomethingEmpty", R"(root ::= ("a"* | "c"?)* "b")", {"b", "aab", "cab"}, {"", "ba"}},
        MeaningCase{"Recursion", "root ::= \"(\" root \")\" | \"x\"", {"x", "(x)", "(((x)))"}, {"((x)", "(x))", "()"}},
        MeaningCase{"TwoRulesInTurn", "root ::= a\na ::= \"[\" b* \"]\"\nb ::= a | [0-9]", {"[]", "[1[2]]", "[[][]]"}, {"[", "[[]", "1"}},
        MeaningCase{"BracketsAndLines", "# a comment\nroot ::= (\n  \"a\"   # one\n  | \"b\"\n)\n  | c\nc ::= \"c\"\n", {"a", "b", "c"}, {"ab"}},
        MeaningCase{"NamesWithDashes", "root ::= my-rule_2\nmy-rule_2 ::= \"x\"", {"x"}, {"y"}},
        MeaningCase{"TagsWithoutTokens", R"(root ::= <answer> "x" </answer>)", {"<answer>x</answer>"}, {"x"}},
        MeaningCase{"ManyTurns", R"(root ::= "a"{1,1000000} "b")", {"ab", std::string(3000, 'a') + "b"}, {"b", "a"}}),
    [](const auto& i) { return i.param.name; });

TEST(GbnfCounts, AreExactWhereTheyAreLarge) {
    const GrammarMatcher start = matcher_of(R"(root ::= ("x" [0-9]?){999,1000} ".")");
    const auto times = [](int n) {
        std::string text;
        for (int i = 0; i < n; ++i) {
            text += i % 3 == 0 ? "x7" : "x";
        }
        return text + ".";
    };
    EXPECT_FALSE(accepts(start, times(998)));
    EXPECT_TRUE(accepts(start, times(999)));
    EXPECT_TRUE(accepts(start, times(1000)));
    EXPECT_FALSE(accepts(start, times(1001)));
}

struct RefusalCase {
    const char* name;
    std::string gbnf;
    const char* says;
    ErrorCode code = ErrorCode::ParseFailed;
};
class GbnfRefusal : public testing::TestWithParam<RefusalCase> {};

TEST_P(GbnfRefusal, SaysWhereAndWhy) {
    const auto grammar = parse_grammar(GetParam().gbnf);
    ASSERT_FALSE(grammar.has_value());
    EXPECT_NE(grammar.error().message.find(GetParam().says), std::string::npos) << grammar.error().message;
    EXPECT_EQ(grammar.error().code, GetParam().code) << grammar.error().message;
}

std::string nested(std::size_t depth) {
    return "root ::= " + std::string(depth, '(') + "\"a\"" + std::string(depth, ')');
}

INSTANTIATE_TEST_SUITE_P(
    Of, GbnfRefusal,
    testing::Values(
        RefusalCase{"NoRoot", "a ::= \"x\"", "no rule 'root'"}, RefusalCase{"Nothing", "", "no rule 'root'"},
        RefusalCase{"UndefinedRule", "root ::= \"a\"\n  | missing", "line 2, column 5: there is no rule 'missing'"},
        RefusalCase{"TwoDefinitions", "root ::= \"a\"\nroot ::= \"b\"", "defined twice"},
        RefusalCase{"OpenLiteral", "root ::= \"abc", "ends inside a literal"}, RefusalCase{"OpenClass", "root ::= [a-z", "ends inside a class"},
        RefusalCase{"OpenBracket", "root ::= (\"a\"", "')' is missing"}, RefusalCase{"StrayBracket", "root ::= \"a\")", "closes nothing"},
        RefusalCase{"EmptyClass", "root ::= []", "matches no character"}, RefusalCase{"ClassOfNothing", "root ::= [^\\x00-\\U0010FFFF]", "matches no character"},
        RefusalCase{"BackwardRange", "root ::= [z-a]", "runs backwards"}, RefusalCase{"UnknownEscape", "root ::= \"\\q\"", "escape is unknown"},
        RefusalCase{"ShortHex", "root ::= \"\\u12\"", "4 hexadecimal digits"}, RefusalCase{"Surrogate", "root ::= \"\\uD800\"", "is no character"},
        RefusalCase{"BeyondUnicode", "root ::= \"\\U00110000\"", "is no character"},
        RefusalCase{"BackwardRepeat", "root ::= \"a\"{3,2}", "is empty"}, RefusalCase{"OpenRepeat", "root ::= \"a\"{3", "'}' is missing"},
        RefusalCase{"WordsInARepeat", "root ::= \"a\"{x}", "a number must stand here"}, RefusalCase{"RepeatOfNothing", "root ::= *", "begins so"},
        RefusalCase{"LeftRecursion", "root ::= root \"a\" | \"b\"", "begins with itself"},
        RefusalCase{"HiddenLeftRecursion", "root ::= \"x\"? a\na ::= (\"y\" | \"z\")* root", "begins with itself"},
        RefusalCase{"NoEnd", "root ::= \"a\" b\nb ::= \"(\" b", "has no end"}, RefusalCase{"NotUtf8", "root ::= \"\xFF\"", "not UTF-8"},
        RefusalCase{"OpenTag", "root ::= <answer", "a token is written <name>"},
        RefusalCase{"DeepBrackets", nested(1000), "nest deeper", ErrorCode::LimitExceeded},
        RefusalCase{"HugeRepeat", "root ::= \"a\"{1,1000001}", "more than 1000000", ErrorCode::LimitExceeded},
        RefusalCase{"RepeatedRepeats", "root ::= \"a\"" + std::string(50, '*'), "repeats of repeats", ErrorCode::LimitExceeded},
        RefusalCase{"ManyEmptyTurns", "root ::= (\"a\"?){1000}", "can be empty", ErrorCode::LimitExceeded},
        RefusalCase{"TooLong", "root ::= \"" + std::string(5'000'000, 'a') + "\"", "more than 4194304", ErrorCode::LimitExceeded},
        RefusalCase{"DoublingRepeats",
                    "root ::= " + std::string(100, '(') + "\"" + std::string(1000, 'a') + "\"" + [] {
                        std::string closers;
                        for (int i = 0; i < 100; ++i) {
                            closers += "){2,}";
                        }
                        return closers;
                    }(),
                    "nodes", ErrorCode::LimitExceeded}),
    [](const auto& i) { return i.param.name; });

TEST(GbnfHostility, ManyRulesThatAreOpenAtOnceEndInAnError) {
    // Each rule begins with the next one in two ways: 2^40 stacks are possible before the first byte.
    std::string gbnf = "root ::= r0\n";
    for (int i = 0; i < 40; ++i) {
        gbnf += fmt::format("r{} ::= r{} \"a\" | r{} \"b\"\n", i, i + 1, i + 1);
    }
    gbnf += "r40 ::= \"x\"\n";
    GrammarCache cache(byte_vocabulary());
    const auto grammar = cache.get(gbnf);
    ASSERT_TRUE(grammar.has_value()) << grammar.error().message;
    const auto matcher = GrammarMatcher::start(*grammar);
    ASSERT_FALSE(matcher.has_value());
    EXPECT_EQ(matcher.error().code, ErrorCode::LimitExceeded);
}

TEST(GbnfHostility, AmbiguityThatGrowsWithTheTextEndsInAnError) {
    // After n bytes the brackets can stand in 2^n ways.
    GrammarMatcher matcher = matcher_of("root ::= a \".\"\na ::= \"x\" a \"y\" a | \"x\" a \"z\" a | \"x\" a \"w\" | \"y\"");
    Result<void> last;
    for (int i = 0; i < 100 && last; ++i) {
        last = matcher.accept_bytes("x");
    }
    ASSERT_FALSE(last.has_value());
    EXPECT_EQ(last.error().code, ErrorCode::LimitExceeded);
}

TEST(GbnfHostility, AMaskThatCostsTooMuchIsAnError) {
    // Thousands of ways are open after every byte, and every text has its own.
    std::string gbnf = "root ::= ";
    for (int i = 0; i < 2000; ++i) {
        gbnf += fmt::format("{}[^{}]{{{},{}}} \"{}\"", i > 0 ? " | " : "", static_cast<char>('a' + i % 26), i % 40 + 1, i + 60, i);
    }
    std::vector<std::string> words;
    std::mt19937_64 random(8);
    for (int i = 0; i < 4000; ++i) {
        std::string word;
        for (auto n = 3 + random() % 12; n > 0; --n) {
            word += static_cast<char>('a' + random() % 26);
        }
        words.push_back(word);
    }
    const GrammarMatcher start = matcher_of(gbnf, byte_vocabulary(words));
    const auto mask = start.mask();
    ASSERT_FALSE(mask.has_value());
    EXPECT_EQ(mask.error().code, ErrorCode::LimitExceeded);
}

TEST(GbnfHostility, NestingStopsAtItsLimitAndCanStillClose) {
    GrammarMatcher matcher = matcher_of("root ::= \"(\" root \")\" | \"x\"");
    int depth = 0;
    while (depth < 10'000 && (*matcher.mask())->allows('(')) {
        ASSERT_TRUE(matcher.accept('('));
        ++depth;
    }
    EXPECT_GE(depth, 1000);
    EXPECT_LT(depth, 1100);
    ASSERT_TRUE((*matcher.mask())->allows('x'));
    ASSERT_TRUE(matcher.accept('x'));
    for (; depth > 0; --depth) {
        ASSERT_TRUE(matcher.accept(')'));
    }
    EXPECT_TRUE(matcher.is_complete());
}

TEST(GbnfLiteral, ReadsBackAsTheText) {
    for (const std::string text : {"", "a\"b\\c", "line\nline\ttab\x01\x7f", "\u00e9\u4f60\U0001F600", "[x] {y} <z> #"}) {
        const GrammarMatcher start = matcher_of("root ::= " + gbnf_literal(text));
        EXPECT_TRUE(accepts(start, text)) << text;
        EXPECT_FALSE(accepts(start, text + "x")) << text;
    }
}

} // namespace
} // namespace handeye
