// SPDX-License-Identifier: Apache-2.0
// The envelope, the method table against the protocol file, parameter checks: all without a socket.
#include "base/file.h"
#include "base/json.h"
#include "server/error_kind.h"
#include "server/method_table.h"
#include "server/rpc.h"
#include "server/schema.h"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

RpcRefusal refusal_of(std::string_view text) {
    auto parsed = parse_request(text, 1U << 20U);
    EXPECT_TRUE(std::holds_alternative<RpcRefusal>(parsed)) << text;
    return std::holds_alternative<RpcRefusal>(parsed) ? std::get<RpcRefusal>(parsed) : RpcRefusal{};
}

TEST(RpcEnvelope, ReadsARequestWithNamedParameters) {
    const auto parsed = parse_request(R"({"jsonrpc":"2.0","id":7,"method":"a.b","params":{"x":1}})", 1000);
    ASSERT_TRUE(std::holds_alternative<RpcRequest>(parsed));
    const auto& request = std::get<RpcRequest>(parsed);
    EXPECT_EQ(request.id_json, "7");
    EXPECT_EQ(request.method, "a.b");
    EXPECT_EQ(request.params->at("x"), 1);
}

TEST(RpcEnvelope, TakesAbsentParametersAsNone) {
    const auto parsed = parse_request(R"({"jsonrpc":"2.0","id":"k","method":"a"})", 1000);
    ASSERT_TRUE(std::holds_alternative<RpcRequest>(parsed));
    EXPECT_EQ(std::get<RpcRequest>(parsed).id_json, "\"k\"");
    EXPECT_TRUE(std::get<RpcRequest>(parsed).params->empty());
}

TEST(RpcEnvelope, ARequestWithoutIdIsANotification) {
    const auto parsed = parse_request(R"({"jsonrpc":"2.0","method":"a"})", 1000);
    ASSERT_TRUE(std::holds_alternative<RpcRequest>(parsed));
    EXPECT_EQ(std::get<RpcRequest>(parsed).id_json, "");
}

TEST(RpcEnvelope, WhatIsNotJsonIsAParseError) {
    for (const char* text : {"", "{", "nonsense", R"({"jsonrpc":"2.0",})", R"({"id":1,"id":2})", "\xff"}) {
        EXPECT_EQ(refusal_of(text).error.kind, ErrorKind::ParseError) << text;
        EXPECT_EQ(refusal_of(text).id_json, "null") << text;
    }
}

TEST(RpcEnvelope, AThousandLevelsAreRefusedBeforeTheyAreRead) {
    const std::string deep = std::string(1000, '[') + std::string(1000, ']');
    const RpcRefusal refusal = refusal_of(R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"x":)" + deep + "}}");
    EXPECT_EQ(refusal.error.kind, ErrorKind::ParseError);
    EXPECT_NE(refusal.error.message.find("64"), std::string::npos) << refusal.error.message;
}

TEST(RpcEnvelope, WhatIsNoRequestIsInvalid) {
    for (const char* text :
         {"[]", R"([{"jsonrpc":"2.0","id":1,"method":"a"}])", "3", "null", R"({"id":1,"method":"a"})",
          R"({"jsonrpc":"1.0","id":1,"method":"a"})", R"({"jsonrpc":"2.0","id":1})", R"({"jsonrpc":"2.0","id":1,"method":""})",
          R"({"jsonrpc":"2.0","id":1,"method":5})", R"({"jsonrpc":"2.0","id":1.5,"method":"a"})",
          R"({"jsonrpc":"2.0","id":null,"method":"a"})", R"({"jsonrpc":"2.0","id":{},"method":"a"})"}) {
        EXPECT_EQ(refusal_of(text).error.kind, ErrorKind::InvalidRequest) << text;
    }
}

TEST(RpcEnvelope, PositionalParametersAreInvalidParamsUnderTheRequestsId) {
    const RpcRefusal refusal = refusal_of(R"({"jsonrpc":"2.0","id":9,"method":"a","params":[1]})");
    EXPECT_EQ(refusal.error.kind, ErrorKind::InvalidParams);
    EXPECT_EQ(refusal.id_json, "9");
}

TEST(RpcEnvelope, AnErrorCarriesCodeKindClassAndField) {
    const json error = json::parse(error_text("3", {ErrorKind::InvalidParams, "goal is missing", "goal"}));
    EXPECT_EQ(error["id"], 3);
    EXPECT_EQ(error["error"]["code"], -32602);
    EXPECT_EQ(error["error"]["data"]["kind"], "invalid_params");
    EXPECT_EQ(error["error"]["data"]["code"], "invalid_argument");
    EXPECT_EQ(error["error"]["data"]["field"], "goal");
    EXPECT_EQ(error["error"]["data"]["retryable"], false);
}

TEST(ProtocolFile, IsStrictJsonAndSaysItsVersion) {
    const auto parsed = parse_json(protocol_schema_text());
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->at("protocol"), 1);
}

TEST(ProtocolFile, HasTheMethodsOfTheTableWithTheirScopes) {
    const json& methods = protocol_schema().at("methods");
    std::set<std::string> described;
    for (const auto& [name, method] : methods.items()) {
        described.insert(name);
        EXPECT_EQ(method.at("params").at("type"), "object") << name;
        EXPECT_TRUE(method.contains("result")) << name;
        EXPECT_FALSE(method.at("description").get<std::string>().empty()) << name;
    }
    std::set<std::string> served;
    for (const MethodRow& row : method_table()) {
        served.insert(std::string(row.name));
        ASSERT_TRUE(methods.contains(std::string(row.name))) << row.name;
        EXPECT_EQ(methods.at(std::string(row.name)).at("scope"), scope_name(row.scope)) << row.name;
        EXPECT_EQ(find_method(row.name), &row);
    }
    EXPECT_EQ(described, served);
    EXPECT_EQ(find_method("no.such"), nullptr);
}

TEST(ProtocolFile, HasTheErrorKindsOfTheTable) {
    const json& errors = protocol_schema().at("errors");
    std::set<std::string_view> names;
    for (const ErrorKindRow& row : error_kind_table()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        ASSERT_TRUE(errors.contains(std::string(row.name))) << row.name;
        const json& described = errors.at(std::string(row.name));
        EXPECT_EQ(described.at("code"), row.rpc_code) << row.name;
        EXPECT_EQ(described.at("retryable"), row.is_retryable) << row.name;
        EXPECT_EQ(described.at("meaning"), row.meaning) << row.name;
    }
    EXPECT_EQ(errors.size(), names.size());
}

TEST(ProtocolPage, NamesEveryMethodErrorAndCloseCode) {
    const auto page = read_file(HANDEYE_SOURCE_DIR "/docs/protocol.md", 1U << 20U);
    ASSERT_TRUE(page) << page.error().message;
    for (const char* part : {"methods", "errors", "close_codes"}) {
        for (const auto& [name, row] : protocol_schema().at(part).items()) {
            const bool is_there = page->find("| `" + name + "` |") != std::string::npos || page->find("| " + name + " |") != std::string::npos;
            EXPECT_TRUE(is_there) << part << ' ' << name;
        }
    }
}

// Every keyword in the file is one that the checker knows, so none is decoration.
void expect_known_keywords(const json& schema, const std::string& where) {
    const std::set<std::string> known{"type", "enum", "required", "properties", "items", "minimum", "maximum", "minLength",
                                      "maxLength", "minItems", "maxItems", "additionalProperties", "description"};
    for (const auto& [key, value] : schema.items()) {
        EXPECT_TRUE(known.contains(key)) << where << "." << key;
        if (key == "properties") {
            for (const auto& [name, inner] : value.items()) {
                expect_known_keywords(inner, where + "." + name);
            }
        } else if (key == "items") {
            expect_known_keywords(value, where + "[]");
        }
    }
}

TEST(ProtocolFile, UsesOnlyTheKeywordsThatTheCheckerKnows) {
    for (const auto& [name, method] : protocol_schema().at("methods").items()) {
        expect_known_keywords(method.at("params"), name);
        expect_known_keywords(method.at("result"), name);
    }
}

struct ParamsCase {
    const char* name;
    const char* method;
    const char* params;
    const char* field; ///< "": fits
};
class Params : public ::testing::TestWithParam<ParamsCase> {};

TEST_P(Params, AreCheckedAndTheFieldIsNamed) {
    const auto fault = check_params(GetParam().method, json::parse(GetParam().params));
    EXPECT_EQ(fault ? fault->field : "", GetParam().field) << (fault ? fault->message : "");
    if (fault) {
        EXPECT_EQ(fault->kind, ErrorKind::InvalidParams);
        EXPECT_NE(fault->message.find(GetParam().field), std::string::npos) << fault->message;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, Params,
    ::testing::Values(
        ParamsCase{"Fits", "task.run", R"({"session":"S","goal":"g","budget":{"max_steps":3,"max_seconds":1.5}})", ""},
        ParamsCase{"UnknownFieldsPass", "connection.ping", R"({"novelty":1})", ""},
        ParamsCase{"Missing", "task.run", R"({"session":"S"})", "goal"},
        ParamsCase{"WrongType", "task.run", R"({"session":5,"goal":"g"})", "session"},
        ParamsCase{"TooShort", "task.run", R"({"session":"S","goal":""})", "goal"},
        ParamsCase{"Nested", "task.run", R"({"session":"S","goal":"g","budget":{"max_steps":0}})", "budget.max_steps"},
        ParamsCase{"NestedType", "task.run", R"({"session":"S","goal":"g","budget":{"max_steps":1.5}})", "budget.max_steps"},
        ParamsCase{"TooLarge", "task.wait", R"({"task":"T","timeout_ms":600001})", "timeout_ms"},
        ParamsCase{"NotInEnum", "task.run", R"({"session":"S","goal":"g","surface":"tv"})", "surface"},
        ParamsCase{"ItemOfArray", "events.subscribe", R"({"sessions":["A",3]})", "sessions[1]"},
        ParamsCase{"Negative", "events.subscribe", R"({"from_seq":-1})", "from_seq"},
        ParamsCase{"Null", "session.create", R"({"platform":null})", "platform"},
        ParamsCase{"HashLength", "recording.blob", R"({"session":"S","hash":"ab"})", "hash"}),
    [](const auto& row) { return row.param.name; });

TEST(ErrorKinds, EveryErrorCodeHasAKindOfTheSameName) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        const ErrorKindRow& row = error_kind_row(error_kind(code));
        EXPECT_EQ(row.error_code, code);
        EXPECT_EQ(row.name, error_code_name(code));
    }
}

} // namespace
} // namespace handeye
