// SPDX-License-Identifier: Apache-2.0
// Regular expressions against PCRE2 on random patterns and texts, and what is refused.
#include "engine/grammar/regex.h"
#include "tests/engine/grammar_words.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <fmt/format.h>

namespace handeye {
namespace {

/// Whether PCRE2 matches the whole text.
class Pcre {
public:
    explicit Pcre(const std::string& pattern) {
        const std::string whole = "\\A(?:" + pattern + ")\\z";
        int error = 0;
        std::size_t offset = 0;
        code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(), PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &offset, nullptr);
    }
    ~Pcre() { pcre2_code_free(code_); }
    Pcre(const Pcre&) = delete;
    Pcre& operator=(const Pcre&) = delete;
    [[nodiscard]] bool is_valid() const { return code_ != nullptr; }
    [[nodiscard]] bool matches(const std::string& text) const {
        pcre2_match_data* const data = pcre2_match_data_create_from_pattern(code_, nullptr);
        std::vector<int> workspace(20'000); // the matcher that does not go back: its time has no steps to run out of
        const int found = pcre2_dfa_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data, nullptr, workspace.data(), workspace.size());
        pcre2_match_data_free(data);
        EXPECT_TRUE(found >= 0 || found == PCRE2_ERROR_NOMATCH) << found;
        return found >= 0;
    }

private:
    pcre2_code* code_ = nullptr;
};

std::string random_pattern(std::mt19937_64& random, int depth) {
    const std::vector<std::string> atoms{"a", "b", "c", "1", "é", ".", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "[ab]", "[^a]", "[a-c1é]", "[\\d_-]", "[^\\w]", "\\.", "\\x61", "\\n", "-", "{", "x{", "你"};
    const std::vector<std::string> quantifiers{"", "", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "*?", "+?", "{1,3}?"};
    std::string out;
    for (auto n = 1 + random() % 3; n > 0; --n) {
        const auto kind = random() % 6;
        if (depth > 0 && kind == 0) {
            out += "(" + random_pattern(random, depth - 1) + ")";
        } else if (depth > 0 && kind == 1) {
            out += "(?:" + random_pattern(random, depth - 1) + "|" + random_pattern(random, depth - 1) + ")";
        } else {
            out += atoms[random() % atoms.size()];
        }
        if (!out.ends_with('{')) {
            out += quantifiers[random() % quantifiers.size()];
        }
    }
    return out;
}

TEST(Regex, AgreesWithPcre2) {
    std::mt19937_64 random(7);
    const std::vector<std::string> letters{"a", "b", "c", "1", "2", "é", " ", "\n", "_", "-", ".", "{", "x", "你", "Z"};
    int compared = 0;
    int matched = 0;
    for (int i = 0; i < 400; ++i) {
        const std::string pattern = random_pattern(random, 2);
        const Pcre pcre(pattern);
        if (!pcre.is_valid()) {
            continue;
        }
        const auto gbnf = regex_grammar(pattern);
        ASSERT_TRUE(gbnf.has_value()) << pattern << ": " << gbnf.error().message;
        const GrammarMatcher start = matcher_of(*gbnf);
        for (int k = 0; k < 20; ++k) {
            std::string text;
            if (k % 2 == 0) {
                text = random_sentence(start, random, 12).value_or("");
            }
            if (k % 4 != 0) { // and something changed
                const std::string& letter = letters[random() % letters.size()];
                text += random() % 2 == 0 ? letter : letters[random() % letters.size()] + letter;
            }
            const bool wanted = pcre.matches(text);
            EXPECT_EQ(accepts(start, text), wanted) << "pattern " << pattern << " text '" << text << "'";
            ++compared;
            matched += wanted ? 1 : 0;
        }
    }
    EXPECT_GT(compared, 4000);
    EXPECT_GT(matched, 1000);
    EXPECT_GT(compared - matched, 1000);
}

TEST(Regex, IsForTheWholeTextOrAnywhere) {
    const auto accepts_in = [](std::string_view pattern, RegexScope scope, RegexText text, std::string_view value) {
        return accepts(matcher_of("root ::= " + *regex_expression(pattern, scope, text)), value);
    };
    EXPECT_TRUE(accepts_in("^ab$", RegexScope::WholeText, RegexText::Plain, "ab"));
    EXPECT_FALSE(accepts_in("ab", RegexScope::WholeText, RegexText::Plain, "xab"));
    EXPECT_TRUE(accepts_in("ab", RegexScope::Anywhere, RegexText::Plain, "xaby"));
    EXPECT_TRUE(accepts_in("^ab|cd$", RegexScope::Anywhere, RegexText::Plain, "abx"));
    EXPECT_TRUE(accepts_in("^ab|cd$", RegexScope::Anywhere, RegexText::Plain, "xcd"));
    EXPECT_FALSE(accepts_in("^ab|cd$", RegexScope::Anywhere, RegexText::Plain, "xabcdx"));
    EXPECT_TRUE(accepts_in("^.$", RegexScope::Anywhere, RegexText::JsonString, "\\\""));
    EXPECT_FALSE(accepts_in("^.$", RegexScope::Anywhere, RegexText::JsonString, "\""));
    EXPECT_FALSE(accepts_in("^.$", RegexScope::Anywhere, RegexText::JsonString, "\\n"));
    EXPECT_TRUE(accepts_in("^\\s\\\\$", RegexScope::Anywhere, RegexText::JsonString, "\\n\\\\"));
}

TEST(Regex, RefusesByName) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"a(?=b)", "look-around"}, {"(?<!a)b", "look-around"}, {"(a)\\1", "back-references"}, {"\\bword", "'\\b' is not supported"}, {"\\p{L}", "'\\p'"},
        {"a++", "possessive"}, {"a{2}{3}", "quantifier of a quantifier"}, {"(a", "')' is missing"}, {"a)", "closes nothing"}, {"[a", "']' is missing"}, {"[a-", "ends inside a class"},
        {"[z-a]", "backwards"}, {"[[:alpha:]]", "POSIX"}, {"a{1,1000000}", "more than 100000"}, {"*a", "nothing to repeat"}, {"a\\", "at the end"},
        {"a^b", "anchor inside"}, {"a$b", "'$' before the end"}, {"(?i)a", "this kind of group"}, {"\\xZZ", "hexadecimal"}, {std::string(1000, '('), "nest deeper"},
        {std::string(70'000, 'a'), "more than 65536"}, {"\xFF", "not UTF-8"}};
    for (const auto& [pattern, says] : cases) {
        const auto gbnf = regex_grammar(pattern);
        ASSERT_FALSE(gbnf.has_value()) << pattern.substr(0, 40);
        EXPECT_NE(gbnf.error().message.find(says), std::string::npos) << gbnf.error().message;
    }
}

} // namespace
} // namespace handeye
