// SPDX-License-Identifier: Apache-2.0
// The expressions of task files: values, precedence, errors, bounds.
#include "agent/taskfile/expression.h"
#include "agent/taskfile/scalars.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::taskfile {
namespace {

using nlohmann::json;

const json kNames = json::parse(R"({"vars": {"month": "2026-11", "n": 3, "rows": ["a", "b"], "no": false},
                                    "outputs": {"total": 12.5, "text": "Grüße"}, "steps": {"open": {"ok": true}}, "row": {"id": 7}})");

std::string value_of(const std::string& text) {
    const auto parsed = parse_expression(text);
    if (!parsed) {
        return "parse: " + parsed.error().message;
    }
    const auto value = evaluate(*parsed, kNames);
    return value ? value->dump() : std::string(error_code_name(value.error().code)) + ": " + value.error().message;
}

struct Case {
    const char* text;
    const char* want;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.text; } // NOLINT(readability-identifier-naming): GoogleTest's name
class Expressions : public ::testing::TestWithParam<Case> {};
TEST_P(Expressions, HaveTheirValue) { EXPECT_EQ(value_of(GetParam().text), GetParam().want) << GetParam().text; }

INSTANTIATE_TEST_SUITE_P(Table, Expressions, ::testing::Values(
    Case{"1", "1.0"}, Case{"1 + 2 * 3", "7.0"}, Case{"(1 + 2) * 3", "9.0"}, Case{"7 - 2 - 1", "4.0"}, Case{"8 / 2 / 2", "2.0"}, Case{"-3 + 1", "-2.0"},
    Case{"'a' + 'b'", "\"ab\""}, Case{"true", "true"}, Case{"null", "null"}, Case{"[1, 'x', true]", "[1.0,\"x\",true]"}, Case{"[]", "[]"},
    Case{"outputs.total > 12", "true"}, Case{"outputs.total >= 12.5", "true"}, Case{"outputs.total < 12.5", "false"}, Case{"vars.n == 3", "true"},
    Case{"vars.n != 3", "false"}, Case{"'b' < 'c'", "true"}, Case{"row.id == 7", "true"}, Case{"steps.open.ok", "true"},
    Case{"'a' in vars.rows", "true"}, Case{"'z' in vars.rows", "false"}, Case{"'11' in vars.month", "true"}, Case{"'n' in vars", "true"},
    Case{"vars.month matches '^\\d{4}-\\d{2}$'", "true"}, Case{"vars.month matches '^x'", "false"},
    Case{"len(vars.rows)", "2.0"}, Case{"len(outputs.text) == 5", "true"}, Case{"len('')", "0.0"},
    Case{"not vars.no and vars.n > 2", "true"}, Case{"not (vars.no or vars.n > 2)", "false"}, Case{"not not true", "true"},
    Case{"false or 'x'", "true"}, Case{"true and ''", "false"}, Case{"false and nothing.here", "false"}, Case{"true or nothing.here", "true"},
    Case{"order", "not_found: there is no order"}, Case{"outputs.missing", "not_found: there is no outputs.missing"},
    Case{"vars.month.x", "not_found: there is no vars.month.x"},
    Case{"1 / 0", "invalid_argument: 1.0 divided by zero"}, Case{"'a' + 1", "invalid_argument: \"a\" and 1.0 are not both numbers"},
    Case{"'a' < 1", "invalid_argument: \"a\" and 1.0 have no order"}, Case{"1 in 2", "invalid_argument: 1.0 cannot be in 2.0"},
    Case{"len(1)", "invalid_argument: 1.0 has no length"}, Case{"1 matches 'x'", "invalid_argument: 1.0 matches \"x\": both must be texts"},
    Case{"", "parse: a value is missing at the end"}, Case{"1 +", "parse: a value is missing at the end"}, Case{"(1", "parse: \")\" is missing"},
    Case{"[1", "parse: \"]\" is missing"}, Case{"'a", "parse: the text that begins with ' has no end"}, Case{"1 = 1", "parse: one \"=\" compares nothing; write \"==\""},
    Case{"1 2", "parse: \"2\" does not belong here"}, Case{"a.", "parse: a name is missing after the dot"}, Case{"3x", "parse: \"3x\" is no number"},
    Case{"len(", "parse: a value is missing at the end"}, Case{"1e999", "parse: this number is too large"}, Case{"$", "parse: \"$\" begins no value"},
    Case{"1 < 2 < 3", "parse: \"< 3\" does not belong here"}));

TEST(Expression, IsBoundedInDepthAndSize) {
    EXPECT_NE(value_of(std::string(200, '(') + "1" + std::string(200, ')')).find("nested more than 64 deep"), std::string::npos);
    EXPECT_NE(value_of(std::string(4000, '-') + "1").find("nested more than 64 deep"), std::string::npos);
    EXPECT_NE(value_of(std::string(200, '[')).find("nested more than 64 deep"), std::string::npos);
    std::string nots;
    for (int i = 0; i < 900; ++i) {
        nots += "not ";
    }
    EXPECT_NE(value_of(nots + "1").find("nested more than 64 deep"), std::string::npos);
    EXPECT_NE(value_of("'" + std::string(5000, 'x') + "'").find("at most 4096"), std::string::npos);
    std::string sum = "1";
    for (int i = 0; i < 200; ++i) {
        sum += "+1";
    }
    EXPECT_EQ(value_of(sum), "201.0");
    EXPECT_EQ(value_of(sum + "+1"), "parse: more than 200 operators");
}

TEST(Expression, APatternThatRunsAwayIsAnErrorAndNoAnswer) {
    const json names{{"vars", {{"x", std::string(5000, 'a') + "!"}}}};
    const auto parsed = parse_expression("vars.x matches '^(a+)+$'");
    ASSERT_TRUE(parsed);
    const auto value = evaluate(*parsed, names);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, ErrorCode::InvalidArgument);
}

TEST(Expression, SaysWhichNamesItLooksAt) {
    const auto parsed = parse_expression("len(vars.rows) > outputs.n and not steps.a.ok");
    ASSERT_TRUE(parsed);
    std::vector<std::string> heads;
    for (const Expression* const name : names_in(*parsed)) {
        heads.push_back(name->path[0]);
    }
    EXPECT_EQ(heads, (std::vector<std::string>{"vars", "outputs", "steps"}));
}

TEST(Durations, AreNumbersWithAUnit) {
    using namespace std::chrono_literals;
    EXPECT_EQ(*parse_duration("250ms"), 250ms);
    EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
    EXPECT_EQ(*parse_duration("10m"), 10min);
    EXPECT_EQ(*parse_duration("2h"), 2h);
    for (const char* const wrong : {"", "5", "-1s", "s", "1d", "1 s", "1e3s", "nan", "inf", "99999999999h", "1s "}) {
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
    }
}

TEST(Counts, AreWholeNumbersWithAUnit) {
    EXPECT_EQ(*parse_count("200"), 200);
    EXPECT_EQ(*parse_count("200k"), 200'000);
    EXPECT_EQ(*parse_count("1.5M"), 1'500'000);
    for (const char* const wrong : {"", "-1", "1.5", "k", "2K", "1e9M", "9999999999999999999"}) {
        EXPECT_FALSE(parse_count(wrong)) << wrong;
    }
}

TEST(Texts, AreCutAtTheirReferences) {
    const auto pieces = parse_text("Report ${vars.month}: $${kept} ${outputs.n + 1}");
    ASSERT_TRUE(pieces);
    ASSERT_EQ(pieces->size(), 4U);
    EXPECT_EQ((*pieces)[0].text, "Report ");
    EXPECT_EQ((*pieces)[1].text, "vars.month");
    EXPECT_TRUE((*pieces)[1].is_reference);
    EXPECT_EQ((*pieces)[1].offset, 9U);
    EXPECT_EQ((*pieces)[2].text, ": ${kept} ");
    EXPECT_EQ((*pieces)[3].text, "outputs.n + 1");
    EXPECT_FALSE(parse_text("${"));
    EXPECT_FALSE(parse_text("${}"));
    EXPECT_FALSE(parse_text("${a b}"));
    EXPECT_EQ(parse_text("")->size(), 0U);
    EXPECT_EQ(parse_text("$ {x} $")->size(), 1U);
}

} // namespace
} // namespace handeye::taskfile
