// SPDX-License-Identifier: Apache-2.0
// JSON Schema against jsonschema (tests/oracle/json_schema.py): what is invalid never is in the grammar, what is valid is, but where the
// grammar is narrower on purpose. Random documents of each grammar are JSON; HANDEYE_SCHEMA_SAMPLES=FILE writes them for the oracle.
#include "base/json.h"
#include "engine/grammar/json_schema.h"
#include "tests/engine/grammar_words.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using Ordered = nlohmann::ordered_json;

Ordered cases() {
    std::ifstream file(HANDEYE_SOURCE_DIR "/tests/golden/grammar/schemas.json");
    return Ordered::parse(file);
}

GrammarMatcher matcher_for(const std::string& schema, JsonSpacing spacing = JsonSpacing::Flexible) {
    const auto gbnf = schema_grammar(schema, spacing);
    EXPECT_TRUE(gbnf.has_value()) << schema << ": " << gbnf.error().message;
    return matcher_of(gbnf.value_or("root ::= \"?\""));
}

/// Valid documents that the grammar leaves out, as docs/grammar.md says: 3.0 for an integer, more than it names where nothing is said of
/// other properties, leap days, and alternatives' properties in another order.
bool is_left_out(const Ordered& schema, const Ordered& document) {
    const std::string text = schema.dump();
    const bool has_whole_fraction = document.dump().find("3.0") != std::string::npos;
    const bool has_open_object = text.find("\"properties\"") != std::string::npos && text.find("additionalProperties") == std::string::npos;
    const bool has_unnamed_member = text.find("\"a\",\"z\"") != std::string::npos; // required and not described: it comes before others
    return has_whole_fraction || has_unnamed_member || has_open_object || document == Ordered("2024-02-29") || (text.find("\"type\"") == std::string::npos && text.find("properties") != std::string::npos);
}

TEST(JsonSchema, AgreesWithTheReference) {
    int valid = 0;
    int left_out = 0;
    int invalid = 0;
    for (const Ordered& one : cases()) {
        const std::string schema = one["schema"].dump();
        const GrammarMatcher start = matcher_for(schema);
        for (const Ordered& text : one["invalid"]) {
            EXPECT_FALSE(accepts(start, text.get<std::string>())) << schema << "\n" << text;
            ++invalid;
        }
        for (const Ordered& text : one["valid"]) {
            const bool is_accepted = accepts(start, text.get<std::string>());
            EXPECT_TRUE(is_accepted || is_left_out(one["schema"], Ordered::parse(text.get<std::string>()))) << schema << "\n" << text;
            valid += is_accepted ? 1 : 0;
            left_out += is_accepted ? 0 : 1;
        }
    }
    fmt::print("schemas: {} valid documents in, {} left out, {} invalid ones out\n", valid, left_out, invalid);
    EXPECT_GT(valid, 600);
    EXPECT_LT(left_out, valid / 10);
    EXPECT_GT(invalid, 1000);
}

TEST(JsonSchema, HoldsOnlyJson) {
    const char* const path = std::getenv("HANDEYE_SCHEMA_SAMPLES");
    std::ofstream samples;
    if (path != nullptr) {
        samples.open(path);
    }
    std::mt19937_64 random(5);
    int count = 0;
    for (const Ordered& one : cases()) {
        const GrammarMatcher start = matcher_for(one["schema"].dump());
        for (int i = 0; i < (path != nullptr ? 100 : 8); ++i) {
            const auto text = random_sentence(start, random, 60, 3);
            if (text) {
                const auto parsed = parse_json(*text);
                EXPECT_TRUE(parsed.has_value() || parsed.error().message.find("twice") != std::string::npos) << one["schema"] << "\n" << *text << "\n" << parsed.error().message;
                ++count;
                if (path != nullptr) {
                    samples << Ordered{{"schema", one["schema"]}, {"text", *text}}.dump() << "\n";
                }
            }
        }
    }
    EXPECT_GT(count, 300);
}

/// The published suite (json-schema-org/JSON-Schema-Test-Suite, tests/draft2020-12): HANDEYE_JSON_SCHEMA_SUITE names the folder.
TEST(JsonSchema, AcceptsNothingThatThePublishedSuiteCallsInvalid) {
    const char* const folder = std::getenv("HANDEYE_JSON_SCHEMA_SUITE");
    if (folder == nullptr) {
        GTEST_SKIP() << "HANDEYE_JSON_SCHEMA_SUITE is not set: it names the suite's folder tests/draft2020-12";
    }
    int schemas = 0, refused = 0, invalid = 0, valid = 0, left_out = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() != ".json") {
            continue;
        }
        std::ifstream stream(file.path());
        for (const Ordered& group : Ordered::parse(stream)) {
            ++schemas;
            const auto gbnf = schema_grammar(group["schema"].dump());
            const auto grammar = gbnf ? parse_grammar(*gbnf) : Result<std::shared_ptr<const Grammar>>(gbnf.error());
            if (!grammar) {
                ++refused;
                continue;
            }
            const GrammarMatcher start = matcher_of(*gbnf);
            for (const Ordered& test : group["tests"]) {
                const bool is_accepted = accepts(start, test["data"].dump());
                const bool is_valid = test["valid"].get<bool>();
                EXPECT_FALSE(is_accepted && !is_valid) << file.path().filename() << ": " << group["description"] << "\n" << group["schema"] << "\n" << test["data"];
                (is_valid ? is_accepted ? valid : left_out : invalid) += 1;
            }
        }
    }
    fmt::print("suite: {} schemas, {} refused with a reason; of the rest {} invalid documents out, {} valid in, {} valid left out\n", schemas, refused, invalid, valid, left_out);
}

TEST(JsonSchema, CompactHasNoSpaces) {
    const std::string schema = R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},"b":{"type":"null"}},"required":["a","b"],"additionalProperties":false})";
    const GrammarMatcher compact = matcher_for(schema, JsonSpacing::Compact);
    EXPECT_TRUE(accepts(compact, R"({"a":[1,2],"b":null})"));
    EXPECT_FALSE(accepts(compact, R"({"a": [1,2],"b":null})"));
    EXPECT_EQ(compact.forced().bytes, "{\"a\":[");
    const GrammarMatcher flexible = matcher_for(schema);
    EXPECT_TRUE(accepts(flexible, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": null\n}"));
    EXPECT_FALSE(accepts(flexible, "{\"a\":[1,2],\n\n\n\"b\":null}"));
    EXPECT_TRUE(accepts(matcher_of(json_object_grammar()), R"({"x": [1, {"y": -2.5e3}], "z": "\u00e9"})"));
}

TEST(JsonSchema, CountsCharactersAndNotBytes) {
    const GrammarMatcher start = matcher_for(R"({"type":"string","minLength":2,"maxLength":2})");
    for (const std::string text : {"\"\u4f60\u597d\"", "\"\\n\\u00e9\"", "\"\\ud83d\\ude00x\"", "\"\U0001F600\\\"\""}) {
        EXPECT_TRUE(accepts(start, text)) << text;
    }
    for (const std::string text : {"\"a\"", "\"abc\"", "\"\\ud83dx\"", "\"\\ude00x\""}) {
        EXPECT_FALSE(accepts(start, text)) << text;
    }
}

TEST(JsonSchema, IntegerBoundsAreExact) {
    std::mt19937_64 random(4);
    for (int i = 0; i < 150; ++i) {
        const auto number = [&] { return static_cast<std::int64_t>(random() % (i % 2 == 0 ? 300 : 200'000)) - (i % 2 == 0 ? 150 : 100'000); };
        const std::int64_t low = number();
        const std::int64_t high = low + static_cast<std::int64_t>(random() % (i % 3 == 0 ? 5 : 3000));
        const int kind = i % 4;
        Ordered schema{{"type", "integer"}};
        if (kind != 1) {
            schema["minimum"] = low;
        }
        if (kind != 2) {
            schema["maximum"] = high;
        }
        const GrammarMatcher start = matcher_for(schema.dump());
        for (const std::int64_t value : {low - 1, low, low + 1, (low + high) / 2, high - 1, high, high + 1, std::int64_t{0}, -low, -high, low * 10, high * 10}) {
            EXPECT_EQ(accepts(start, std::to_string(value)), (kind == 1 || value >= low) && (kind == 2 || value <= high)) << schema << " " << value;
        }
    }
}

TEST(JsonSchema, RefusesByKeywordAndPlace) {
    const std::vector<std::array<std::string, 3>> refusals{
        {R"({"type":"object","properties":{"a":{"type":"array","contains":{}}}})", "'contains'", "#/properties/a"},
        {R"({"type":"object","properties":{"a/b":{"not":{}}}})", "'not'", "#/properties/a~1b"},
        {R"({"type":"array","uniqueItems":true})", "'uniqueItems'", "#"}, {R"({"type":"integer","multipleOf":5})", "'multipleOf'", "#"},
        {R"({"patternProperties":{"a":{}}})", "'patternProperties'", "#"}, {R"({"if":{},"then":{}})", "'if'", "#"}, {R"({"typo":1})", "'typo'", "#"},
        {R"({"type":"string","format":"iri"})", "format", "#"}, {R"j({"type":"string","pattern":"a(?=b)"})j", "look-around", "#/pattern"},
        {R"({"type":"string","pattern":"a","maxLength":3})", "'pattern'", "#"}, {R"({"type":"number","minimum":0.5})", "'minimum'", "#"},
        {R"({"type":"object","properties":{"a":{}},"minProperties":1})", "'minProperties'", "#"}, {R"({"enum":["a"],"maxLength":3})", "'maxLength'", "#"},
        {R"({"oneOf":[{"type":"string"},{"type":"string","maxLength":3}]})", "'oneOf'", "alternatives 0 and 1"},
        {R"({"$ref":"http://example.org/x"})", "only references within", "#"}, {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})", "'pattern'", "allOf"},
        {R"({"allOf":[{"type":"object","properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]})", "shuts out 'b'", "allOf"},
        {R"({"allOf":[{"prefixItems":[{"minimum":3}]}],"items":{"minimum":5}})", "'prefixItems'", "allOf"}};
    for (const auto& [schema, keyword, place] : refusals) {
        const auto gbnf = schema_grammar(schema);
        ASSERT_FALSE(gbnf.has_value()) << schema;
        EXPECT_EQ(gbnf.error().code, ErrorCode::Unsupported) << gbnf.error().message;
        EXPECT_NE(gbnf.error().message.find(keyword), std::string::npos) << gbnf.error().message;
        EXPECT_NE(gbnf.error().message.find(place), std::string::npos) << gbnf.error().message;
    }
}

TEST(JsonSchema, RefusesNonsense) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"{", "JSON"}, {"[]", "a schema is an object"}, {"false", "allows no document"}, {R"({"type":"text"})", "there is no type"}, {R"({"type":[]})", "allows no type"},
        {R"({"type":"string","minLength":3,"maxLength":2})", "less than"}, {R"({"type":"string","minLength":-1})", "whole number"}, {R"({"enum":[]})", "not empty"},
        {R"({"type":"integer","enum":["a"]})", "none of its constants"}, {R"({"$ref":"#/$defs/a"})", "there is nothing"}, {R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}})", "leads back"},
        {R"({"type":"integer","minimum":3,"maximum":2})", "no number"}, {R"({"type":"number","exclusiveMinimum":2,"maximum":2})", "no number"},
        {R"({"type":"object","required":["a"],"properties":{"b":{}}})", "which is none of its properties"}, {R"({"type":"array","maxItems":1,"minItems":2})", "less than"},
        {R"({"type":"string","maxLength":100000000})", "more than 1000000"}, {R"({"anyOf":[]})", "not empty"}, {R"({"type":"string","type":"string"})", "twice"}};
    for (const auto& [schema, says] : cases) {
        const auto gbnf = schema_grammar(schema);
        ASSERT_FALSE(gbnf.has_value()) << schema;
        EXPECT_NE(gbnf.error().message.find(says), std::string::npos) << gbnf.error().message;
    }
}

TEST(JsonSchema, WithoutAnEndIsRefused) {
    const auto gbnf = schema_grammar(R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"],"additionalProperties":false})");
    ASSERT_TRUE(gbnf.has_value()) << gbnf.error().message;
    const auto grammar = parse_grammar(*gbnf);
    ASSERT_FALSE(grammar.has_value());
    EXPECT_NE(grammar.error().message.find("has no end"), std::string::npos) << grammar.error().message;
}

/// `count` times `part`, with commas.
std::string many(int count, const std::function<std::string(int)>& part) {
    std::string out;
    for (int i = 0; i < count; ++i) {
        out += (i == 0 ? "" : ",") + part(i);
    }
    return out;
}

TEST(JsonSchemaHostility, WhatWouldTakeLongOrMuchIsALimit) {
    std::string chain = R"("D0":{"type":"string"},"E0":{"type":"string","title":"e"})";
    for (int k = 1; k <= 20; ++k) { // lists of parts that double at each level
        const auto both = [&](const char* one, const char* other) { return fmt::format(R"({{"allOf":[{{"$ref":"#/$defs/{}{}"}},{{"$ref":"#/$defs/{}{}"}}]}})", one, k - 1, other, k - 1); };
        chain += fmt::format(R"(,"D{}":{},"E{}":{})", k, both("D", "E"), k, both("E", "D"));
    }
    const auto empty = [](int) { return std::string("{}"); };
    const auto property = [](int i) { return fmt::format(R"("p{}":{{}})", i); };
    const auto constant = [](int i) { return fmt::format(R"({{"const":{}}})", i); };
    const auto number = [](int i) { return std::to_string(i); };
    const std::vector<std::string> schemas{
        R"({"$ref":"#/$defs/D20","$defs":{)" + chain + "}}",
        R"({"properties":{)" + many(4000, property) + R"(},"anyOf":[)" + many(4000, empty) + "]}",
        R"({"properties":{)" + many(20'000, property) + R"(},"anyOf":[)" + many(50'000, empty) + "]}",
        R"({"oneOf":[)" + many(3000, constant) + "]}",
        R"({"allOf":[{"enum":[)" + many(40'000, number) + R"(]},{"enum":[)" + many(50'000, number) + "]}]}",
        R"({"type":"object","properties":{)" + many(40'000, property) + R"(},"required":[)" + many(40'000, [](int i) { return fmt::format("\"p{}\"", i); }) + "]}"};
    for (const std::string& schema : schemas) {
        const auto grammar = schema_grammar(schema);
        ASSERT_FALSE(grammar) << schema.substr(0, 80);
        EXPECT_EQ(grammar.error().code, ErrorCode::LimitExceeded) << grammar.error().message;
    }
}

TEST(JsonSchemaHostility, EndsInAnError) {
    std::string deep;
    for (int i = 0; i < 40; ++i) {
        deep += R"({"anyOf":[)";
    }
    deep += "{}";
    for (int i = 0; i < 40; ++i) {
        deep += "]}";
    }
    EXPECT_FALSE(schema_grammar(deep)); // 80 levels of JSON
    // 2^30 alternatives, were they multiplied out.
    std::string product = R"({"allOf":[)";
    for (int i = 0; i < 30; ++i) {
        product += fmt::format(R"({}{{"anyOf":[{{"properties":{{"a{}":{{}}}}}},{{"properties":{{"b{}":{{}}}}}}]}})", i > 0 ? "," : "", i, i);
    }
    EXPECT_FALSE(schema_grammar(product + "]}"));
    // Doubling through definitions: each allOf holds the next one twice.
    std::string doubling = R"({"$ref":"#/$defs/d0","$defs":{)";
    for (int i = 0; i < 40; ++i) {
        doubling += fmt::format(R"("d{}":{{"properties":{{"p":{{"allOf":[{{"$ref":"#/$defs/d{}"}},{{"properties":{{"q":{{"$ref":"#/$defs/d{}"}}}}}}]}}}}}},)", i, i + 1, i + 1);
    }
    doubling += R"("d40":{"type":"object"}}})";
    static_cast<void>(schema_grammar(doubling)); // an error or a grammar, soon
    std::string many = R"({"type":"object","properties":{)";
    for (int i = 0; i < 3000; ++i) {
        many += fmt::format(R"({}"property-{}":{{"type":"integer"}})", i > 0 ? "," : "", i);
    }
    const auto gbnf = schema_grammar(many + R"(},"additionalProperties":{"type":"string"}})");
    ASSERT_TRUE(gbnf.has_value()) << gbnf.error().message;
    const GrammarMatcher start = matcher_of(*gbnf);
    EXPECT_TRUE(accepts(start, R"({"property-7":1,"property-2999":2,"other":"x"})"));
    EXPECT_FALSE(accepts(start, R"({"property-7":1,"property-7":"x"})"));
}

} // namespace
} // namespace handeye
