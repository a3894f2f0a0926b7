// SPDX-License-Identifier: Apache-2.0
// RFC 8259 row by row, as everything that comes from outside is read: what must be accepted, what must be refused, and what the
// standard leaves to a reader, with what this one does.
#include "base/json.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using namespace std::string_view_literals;

struct Row {
    const char* name;
    std::string_view text;
};

constexpr Row kAccepted[] = {
    {"empty array", "[]"sv}, {"empty object", "{}"sv}, {"array with spaces", "[ \t\r\n]"sv},
    {"lonely true", "true"sv}, {"lonely false", "false"sv}, {"lonely null", "null"sv},
    {"lonely string", "\"asd\""sv}, {"lonely empty string", "\"\""sv}, {"lonely integer", "42"sv},
    {"lonely negative", "-0.1"sv}, {"space around", " [1] "sv}, {"newline at the end", "[1]\n"sv},
    {"tab and return", "\t[\r\n]\t"sv}, {"array in array", "[[]]"sv}, {"array with null", "[null]"sv},
    {"several nulls", "[1,null,null,null,2]"sv}, {"heterogeneous", "[null,1,\"1\",{}]"sv},
    {"leading space", " [1]"sv}, {"trailing spaces", "[2]   "sv}, {"false in array", "[false]"sv},
    {"empty string in array", "[\"\"]"sv}, {"zero", "[0]"sv}, {"minus zero", "[-0]"sv}, {"minus one", "[-1]"sv},
    {"integer", "[123]"sv}, {"zero point", "[0.0]"sv}, {"zero e one", "[0e1]"sv}, {"zero e plus one", "[0e+1]"sv},
    {"int with exponent", "[20e1]"sv}, {"capital e", "[1E22]"sv}, {"capital e minus", "[1E-2]"sv},
    {"capital e plus", "[1E+2]"sv}, {"real exponent", "[123e45]"sv}, {"real", "[123.456789]"sv},
    {"fraction exponent", "[123.456e78]"sv},
    {"close to zero", "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"sv},
    {"biggest signed", "[9223372036854775807]"sv}, {"smallest signed", "[-9223372036854775808]"sv},
    {"biggest unsigned", "[18446744073709551615]"sv}, {"largest double", "[1.7976931348623157e308]"sv},
    {"negative real", "[-123.5e-3]"sv}, {"1e-400 is zero", "[1e-400]"sv}, {"object one member", "{\"a\":1}"sv},
    {"two members", "{\"a\":1,\"b\":2}"sv}, {"empty key", "{\"\":0}"sv},
    {"escaped null in key", "{\"foo\\u0000bar\":42}"sv}, {"nested", "{\"a\":{\"b\":[{}]}}"sv},
    {"long strings in object", "{\"min\":-1.0e+28,\"max\":1.0e+28}"sv}, {"spaces in object", "{ \"a\" : [ ] }"sv},
    {"newlines in object", "{\n\"a\":\"b\"\n}"sv}, {"unicode key", "{\"\\u0431\":\"x\"}"sv},
    {"same name in two objects", "[{\"a\":1},{\"a\":2}]"sv}, {"same name in nested", "{\"a\":{\"a\":1}}"sv},
    {"keys that differ by case", "{\"a\":1,\"A\":2}"sv},
    {"all simple escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"sv}, {"escaped slash", "[\"\\/\"]"sv},
    {"u0000", "[\"\\u0000\"]"sv}, {"u0012", "[\"\\u0012\"]"sv}, {"uFFFF", "[\"\\uFFFF\"]"sv},
    {"lower case hex", "[\"\\uabcd\"]"sv}, {"mixed hex", "[\"\\uAbCd\"]"sv},
    {"surrogate pair", "[\"\\uD801\\udc37\"]"sv}, {"two pairs", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"sv},
    {"last code point", "[\"\\uDBFF\\uDFFF\"]"sv}, {"escaped noncharacter", "[\"\\uFDD0\"]"sv},
    {"escaped backslash u", "[\"\\\\u0000\"]"sv}, {"double escape a", "[\"\\\\a\"]"sv},
    {"double escape n", "[\"\\\\n\"]"sv}, {"del character", "[\"\177\"]"sv}, {"utf8 two bytes", "[\"\303\251\"]"sv},
    {"utf8 three bytes", "[\"\342\202\254\"]"sv}, {"utf8 four bytes", "[\"\360\237\230\200\"]"sv},
    {"noncharacter", "[\"\357\277\277\"]"sv}, {"nonchar plane 16", "[\"\364\217\277\277\"]"sv},
    {"line separator", "[\"\342\200\250\"]"sv}, {"paragraph separator", "[\"\342\200\251\"]"sv},
    {"string with comment", "[\"a/*b*/c\"]"sv}, {"quote escaped", "[\"\\\"\"]"sv},
    {"string like number", "[\"1\"]"sv}, {"u2064", "[\"\\u2064\"]"sv}, {"three byte escapes", "[\"\\u0821\"]"sv},
    {"one byte escapes", "[\"\\u002c\"]"sv}, {"zero escape then digit", "[\"\\u00001\"]"sv},
};

constexpr Row kRefused[] = {
    {"nothing", ""sv}, {"space only", " "sv}, {"no value", "\n"sv}, {"unclosed array", "["sv},
    {"unclosed array with value", "[1"sv}, {"unclosed array with comma", "[1,"sv}, {"only a comma", "[,]"sv},
    {"leading comma", "[,1]"sv}, {"double comma", "[1,,2]"sv}, {"trailing comma", "[\"\",]"sv},
    {"trailing commas", "[\"\",,]"sv}, {"colon in array", "[\"\": 1]"sv}, {"comma after close", "[1],"sv},
    {"two closes", "[1]]"sv}, {"two values", "[] []"sv}, {"value and garbage", "[1]x"sv},
    {"inner array without comma", "[3[4]]"sv}, {"items without comma", "[\"a\" \"b\"]"sv},
    {"items separated by newline", "[\"a\"\n\"b\"]"sv}, {"just minus", "[-]"sv}, {"spaced minus", "[- 1]"sv},
    {"star inside", "[*]"sv}, {"unclosed trailing newline", "[1,\n1\n,1"sv}, {"incomplete false", "[fals]"sv},
    {"incomplete null", "[nul]"sv}, {"incomplete true", "[tru]"sv}, {"capital true", "[True]"sv},
    {"upper null", "[NULL]"sv}, {"nan", "[nan]"sv}, {"NaN", "[NaN]"sv}, {"minus NaN", "[-NaN]"sv},
    {"Infinity", "[Infinity]"sv}, {"minus Infinity", "[-Infinity]"sv}, {"plus Inf", "[+Inf]"sv}, {"Inf", "[Inf]"sv},
    {"plus one", "[+1]"sv}, {"plus plus", "[++1234]"sv}, {"double minus", "[--2.]"sv}, {"leading zero", "[012]"sv},
    {"minus leading zero", "[-012]"sv}, {"minus zero one", "[-01]"sv}, {"real without fraction", "[1.]"sv},
    {"real without fraction e", "[2.e3]"sv}, {"starting with dot", "[.123]"sv}, {"minus dot", "[-.123]"sv},
    {"dot minus", "[.-1]"sv}, {"zero dot e", "[0.e1]"sv}, {"0.1.2", "[0.1.2]"sv}, {"0.3e", "[0.3e]"sv},
    {"0.3e+", "[0.3e+]"sv}, {"0e", "[0e]"sv}, {"0e+", "[0e+]"sv}, {"0E", "[0E]"sv}, {"1.0e", "[1.0e]"sv},
    {"1.0e-", "[1.0e-]"sv}, {"1eE2", "[1eE2]"sv}, {"9.e+", "[9.e+]"sv}, {"1 000", "[1 000]"sv}, {"hex", "[0x42]"sv},
    {"hex one digit", "[0x1]"sv}, {"1e1.5", "[1e1.5]"sv}, {"number with letter", "[1a]"sv},
    {"number then quote", "[1\"a\"]"sv}, {"minus letter", "[-foo]"sv}, {"fullwidth digit", "[\357\274\221]"sv},
    {"expression", "[1+2]"sv}, {"number too big", "[1e309]"sv}, {"number far too big", "[123.456e78901234]"sv},
    {"negative too big", "[-1e400]"sv}, {"bad value", "[\"x\", truth]"sv}, {"object without value", "{\"a\":"sv},
    {"object missing value", "{\"a\""sv}, {"object missing colon", "{\"a\" \"b\"}"sv},
    {"object missing key", "{:\"b\"}"sv}, {"double colon", "{\"x\"::\"b\"}"sv},
    {"comma instead of colon", "{\"x\", null}"sv}, {"comma instead of close", "{\"x\":null,"sv},
    {"trailing comma in object", "{\"id\":0,}"sv}, {"several trailing commas", "{\"id\":0,,,,,}"sv},
    {"two commas in a row", "{\"a\":\"b\",,\"c\":\"d\"}"sv}, {"unquoted key", "{a: \"b\"}"sv},
    {"single quoted key", "{'a':0}"sv}, {"number as key", "{1:1}"sv}, {"null as key", "{null:null}"sv},
    {"garbage after object", "{\"a\":true} \"x\""sv}, {"unclosed object", "{\"a\":\"b\""sv},
    {"closed by bracket", "{\"a\":1]"sv}, {"array closed by brace", "[1}"sv}, {"just an open brace", "{"sv},
    {"open brace open brace", "{{"sv}, {"comment", "{\"a\":\"b\"}/**/"sv}, {"comment start", "{\"a\":/*c*/\"b\"}"sv},
    {"slash comment", "{\"a\":\"b\"}//"sv}, {"hash comment", "{\"a\":\"b\"}#{}"sv},
    {"key without quotes around spaces", "{ a b :1}"sv}, {"emoji key", "{\360\237\207\250\360\237\207\255}"sv},
    {"duplicate key", "{\"a\":1,\"a\":1}"sv}, {"duplicate key far apart", "{\"a\":1,\"b\":{\"c\":2},\"a\":3}"sv},
    {"duplicate through an escape", "{\"a\":1,\"\\u0061\":2}"sv}, {"duplicate empty key", "{\"\":1,\"\":2}"sv},
    {"duplicate in an inner object", "[{\"x\":{\"k\":1,\"k\":2}}]"sv}, {"unclosed string", "[\"a"sv},
    {"single quotes", "['a']"sv}, {"single double quote", "\""sv}, {"no quotes", "[abc]"sv},
    {"backslash at the end", "[\"\\"sv}, {"escaped quote unclosed", "[\"\\\"]"sv}, {"escape x", "[\"\\x00\"]"sv},
    {"escape a", "[\"\\a\"]"sv}, {"escape zero", "[\"\\0\"]"sv}, {"escape single quote", "[\"\\'\"]"sv},
    {"capital escape U", "[\"\\U0041\"]"sv}, {"escaped emoji", "[\"\\\360\237\214\200\"]"sv},
    {"incomplete escape", "[\"\\u\"]"sv}, {"incomplete escape three", "[\"\\u00A\"]"sv},
    {"bad hex digit", "[\"\\u00g0\"]"sv}, {"raw newline in string", "[\"new\nline\"]"sv},
    {"raw tab in string", "[\"\t\"]"sv}, {"raw null in string", "[\"\000\"]"sv},
    {"raw unit separator", "[\"\037\"]"sv}, {"invalid escape space", "[\"\\ \"]"sv},
    {"lone high surrogate", "[\"\\uD800\"]"sv}, {"lone low surrogate", "[\"\\uDC00\"]"sv},
    {"high then letter", "[\"\\uD800x\"]"sv}, {"high then high", "[\"\\uD800\\uD800\"]"sv},
    {"high then bad low", "[\"\\uD834\\u0061\"]"sv}, {"incomplete surrogate escape", "[\"\\uD834\\uDd\"]"sv},
    {"pair in wrong order", "[\"\\uDd1e\\uD834\"]"sv}, {"form feed", "[\014]"sv}, {"vertical tab", "[\0131]"sv},
    {"no-break space", "[\302\2401]"sv}, {"zero width space", "[\342\200\213]"sv},
    {"word joiner", "[\342\201\240]"sv}, {"null byte", "\000"sv}, {"null after value", "[1]\000"sv}, {"garbage behind a null", "[1]\000,2]"sv},
    {"null between", "[1,\0002]"sv}, {"angle brackets", "<.>"sv}, {"null in angle", "[<null>]"sv},
    {"capitalised", "[TRUE]"sv}, {"closing only", "]"sv}, {"comma only", ","sv}, {"lone letter", "a"sv},
    {"lone ampersand", "&"sv}, {"percent", "%"sv}, {"undefined", "undefined"sv}, {"array in parentheses", "([])"sv},
    {"semicolon", "[1;2]"sv}, {"lone open quote in object", "{\""sv}, {"colon only", ":"sv}, {"tilde", "[~]"sv},
    {"equals", "{\"a\"=1}"sv}, {"query", "[?]"sv}, {"at", "@"sv}, {"yaml list", "- 1"sv},
};

// Bytes that are no UTF-8 text (RFC 8259 8.1).
constexpr Row kRefusedBytes[] = {
    {"utf8 bom alone", "\357\273\277[1"sv}, {"utf8 overlong slash", "[\"\300\257\"]"sv},
    {"overlong null", "[\"\300\200\"]"sv}, {"overlong three", "[\"\340\200\257\"]"sv},
    {"overlong six", "[\"\374\203\277\277\277\277\"]"sv}, {"truncated two", "[\"\303\"]"sv},
    {"truncated three", "[\"\342\202\"]"sv}, {"truncated four", "[\"\360\237\230\"]"sv},
    {"lone continuation", "[\"\201\"]"sv}, {"surrogate in utf8", "[\"\355\240\200\"]"sv},
    {"beyond unicode", "[\"\364\220\200\200\"]"sv}, {"byte ff", "[\"\377\"]"sv}, {"byte fe outside", "[\376]"sv},
    {"latin1 e acute", "[\"\351\"]"sv}, {"invalid utf8 after escape", "[\"\\u0041\345\"]"sv},
    {"utf8 in key", "{\"\271\":\"0\"}"sv}, {"invalid utf8 in number", "[1\345]"sv},
    {"utf16le", "[\000\"\000\351\000\"\000]\000"sv}, {"utf16be", "\000[\000\"\000\351\000\"\000]"sv},
    {"utf16 bom", "\377\376[\000]\000"sv}, {"garbage after utf8", "{\"a\":\"b\"}\344"sv},
};

TEST(JsonTable, AcceptsWhatRfc8259Allows) {
    for (const Row& row : kAccepted) {
        const auto value = parse_json(row.text);
        EXPECT_TRUE(value) << row.name << ": " << value.error().message;
        if (value) {
            EXPECT_TRUE(parse_json(dump_json(*value))) << row.name << " does not come back";
        }
    }
}

TEST(JsonTable, RefusesWhatRfc8259Forbids) {
    for (const Row& row : kRefused) {
        const auto value = parse_json(row.text);
        ASSERT_FALSE(value) << row.name;
        EXPECT_EQ(value.error().code, ErrorCode::ParseFailed) << row.name;
    }
    for (const Row& row : kRefusedBytes) {
        EXPECT_FALSE(parse_json(row.text)) << row.name;
    }
}

// Section 9 lets a reader set limits on size, depth, the range of numbers and names; these are ours.
TEST(JsonTable, WhatTheStandardLeavesOpenIsDecided) {
    EXPECT_TRUE(parse_json("\357\273\277{}"sv)) << "one byte order mark is passed over";
    EXPECT_TRUE(parse_json("[100000000000000000000]")->at(0).is_number_float()) << "an integer beyond 64 bits is read as the nearest double";
    EXPECT_TRUE(parse_json("[-237462374673276894279832749832423479823246327846]")->at(0).is_number_float());
    EXPECT_EQ(parse_json("[1e-400]")->at(0), 0.0);
    const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
    EXPECT_TRUE(parse_json(nested(64)));
    EXPECT_EQ(parse_json(nested(65)).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(parse_json(std::string(100'000, '[')).error().code, ErrorCode::LimitExceeded);
    std::string objects;
    for (int i = 0; i < 64; ++i) {
        objects += "{\"a\":";
    }
    EXPECT_EQ(parse_json(objects + "{}" + std::string(64, '}')).error().code, ErrorCode::LimitExceeded);
    EXPECT_TRUE(parse_json("[\"" + std::string(1000, '[') + "\"]")) << "brackets in a text are no levels";
    EXPECT_TRUE(parse_json("\"" + std::string((1U << 20U) - 2, 'x') + "\""));
    EXPECT_EQ(parse_json("\"" + std::string((1U << 20U) - 1, 'x') + "\"").error().code, ErrorCode::LimitExceeded);
}

TEST(JsonTable, IsLongEnoughToMeanSomething) { EXPECT_GE(std::size(kAccepted) + std::size(kRefused) + std::size(kRefusedBytes), 150U); }

} // namespace
} // namespace handeye
