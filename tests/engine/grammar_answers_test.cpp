// SPDX-License-Identifier: Apache-2.0
// What requests hold their answers to: choices, calls of tools, and that each is a grammar before anybody generates with it.
#include "engine/answer_grammars.h"
#include "tests/engine/grammar_words.h"

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

const std::vector<CalledTool> kTools{
    {.name = "look_up", .schema_json = R"({"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer", "minimum": 0, "maximum": 9}, "c": {"type": "string", "enum": ["re\"d", "blue"]}}, "required": ["q", "n"], "additionalProperties": false})"},
    {.name = "stop", .schema_json = R"({"type": "object", "properties": {"why": {"$ref": "#/$defs/list"}}, "$defs": {"list": {"type": "array", "items": {"type": "boolean"}}}})"},
    {.name = "root", .schema_json = R"({"type": "object"})"}};

TEST(AnswerGrammars, ChoicesAreThemselvesAndNothingElse) {
    const auto gbnf = grammar_of_choices(std::vector<std::string>{"left", "le\"ft\n", "größer"});
    ASSERT_TRUE(gbnf.has_value()) << gbnf.error().message;
    const GrammarMatcher start = matcher_of(*gbnf);
    for (const char* const text : {"left", "le\"ft\n", "größer"}) {
        EXPECT_TRUE(accepts(start, text)) << text;
    }
    for (const char* const text : {"", "lef", "leftt", "right"}) {
        EXPECT_FALSE(accepts(start, text)) << text;
    }
    EXPECT_FALSE(grammar_of_choices({}).has_value());
    EXPECT_FALSE(grammar_of_choices(std::vector<std::string>{"a", ""}).has_value());
}

TEST(AnswerGrammars, CallsInTags) {
    const auto gbnf = grammar_of_calls(kTools, CallNotation::Tags);
    ASSERT_TRUE(gbnf.has_value()) << gbnf.error().message;
    const GrammarMatcher start = matcher_of(*gbnf); // whose vocabulary has no tags: they are text
    const auto call = [](const std::string& inside) { return "<tool_call>" + inside + "</tool_call>"; };
    const std::string q = "<arg_key>q</arg_key>\n<arg_value>any \"text\"\n</arg_value>\n";
    const std::string n = "<arg_key>n</arg_key>\n<arg_value>7</arg_value>\n";
    const std::string c = "<arg_key>c</arg_key>\n<arg_value>re\"d</arg_value>\n";
    for (const std::string& text : {call("look_up\n" + q + n), "\n" + call("look_up\n" + q + n + c), call("stop\n"), call("stop\n<arg_key>why</arg_key>\n<arg_value>[true,false]</arg_value>\n"), call("root\n")}) {
        EXPECT_TRUE(accepts(start, text)) << text;
    }
    for (const std::string& text : {std::string("hello"), call("look_up\n" + q), call("other\n"), call("look_up\n" + q + "<arg_key>n</arg_key>\n<arg_value>77</arg_value>\n"), call("look_up\n" + q + n + "<arg_key>c</arg_key>\n<arg_value>green</arg_value>\n"),
                                    call("stop\n") + call("stop\n"), call("stop\n") + "."}) {
        EXPECT_FALSE(accepts(start, text)) << text;
    }
}

TEST(AnswerGrammars, CallsByNameAndJson) {
    const auto gbnf = grammar_of_calls(kTools, CallNotation::NameAndJson);
    ASSERT_TRUE(gbnf.has_value()) << gbnf.error().message;
    const GrammarMatcher start = matcher_of(*gbnf);
    for (const char* const text : {"look_up\n{\"q\": \"x\", \"n\": 3}", "\nlook_up\n{\"q\":\"\",\"n\":0,\"c\":\"blue\"}", "stop\n{}", "stop\n{\"why\": [true]}", "root\n{\"any\": {}}"}) {
        EXPECT_TRUE(accepts(start, text)) << text;
    }
    for (const char* const text : {"look_up\n{}", "look_up {\"q\": \"x\", \"n\": 3}", "stop", "stop\n[]", "other\n{}", "look_up\n{\"q\": \"x\", \"n\": 33}"}) {
        EXPECT_FALSE(accepts(start, text)) << text;
    }
}

TEST(AnswerGrammars, RandomCallsAreCalls) {
    std::mt19937_64 random(5);
    const GrammarMatcher start = matcher_of(*grammar_of_calls(kTools, CallNotation::NameAndJson));
    for (int i = 0; i < 100; ++i) {
        const auto text = random_sentence(start, random);
        ASSERT_TRUE(text.has_value());
        const std::size_t line = text->find('\n', 1);
        const std::string name = text->substr(text->front() == '\n' ? 1 : 0, line - (text->front() == '\n' ? 1 : 0));
        EXPECT_TRUE(name == "look_up" || name == "stop" || name == "root") << *text;
        EXPECT_TRUE(nlohmann::json::accept(text->substr(line))) << *text;
    }
}

TEST(AnswerGrammars, WhatCannotBeKeptIsSaidBeforeAnythingIsGenerated) {
    EXPECT_FALSE(grammar_of_schema("{").has_value());
    EXPECT_FALSE(grammar_of_schema(R"({"type": "object", "patternProperties": {}})").has_value());
    EXPECT_FALSE(grammar_of_regex("(?=a)").has_value());
    EXPECT_FALSE(checked_grammar("root ::= missing").has_value());
    EXPECT_FALSE(grammar_of_calls({}, CallNotation::Tags).has_value());
    const auto bad = grammar_of_calls(std::vector<CalledTool>{{.name = "f", .schema_json = R"({"properties": {"a": {"multipleOf": 3}}})"}}, CallNotation::Tags);
    ASSERT_FALSE(bad.has_value());
    EXPECT_NE(bad.error().message.find("f.a"), std::string::npos) << bad.error().message;
    EXPECT_TRUE(checked_grammar(grammar_of_json_object()).has_value());
}

} // namespace
} // namespace handeye
