// SPDX-License-Identifier: Apache-2.0
// Answers on their way out: the chances of tokens beside their text, calls of tools held back until they are whole.
#include "server/openai/answer.h"
#include "server/openai/answer_split.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

TokenLogprobs token(const std::string& bytes) { return {.token = {.id = 1, .logprob = -0.5, .bytes = bytes}, .top = {}}; }

struct Seen {
    std::string reasoning;
    std::string content;
    std::string tokens; ///< joined by |
    std::vector<ToolCall> calls;
};

/// Each group of tokens is one piece.
Seen split(const ChatCall& call, const std::vector<std::vector<std::string>>& pieces) {
    AnswerSplit splitter(call);
    Seen seen;
    const auto add = [&](const AnswerPiece& piece) {
        seen.reasoning += piece.reasoning;
        seen.content += piece.content;
        for (const TokenLogprobs& one : piece.logprobs) {
            seen.tokens += one.token.bytes + "|";
        }
    };
    for (const std::vector<std::string>& piece : pieces) {
        std::string text;
        std::vector<TokenLogprobs> tokens;
        for (const std::string& bytes : piece) {
            text += bytes;
            tokens.push_back(token(bytes));
        }
        add(splitter.push({.text_utf8 = text, .logprobs = tokens}));
    }
    AnswerRest rest = splitter.finish();
    add(rest.piece);
    seen.calls = std::move(rest.calls);
    return seen;
}

/// The same tokens one by one, all at once, and in pairs.
void in_groups(const std::vector<std::string>& tokens, const std::function<void(const std::vector<std::vector<std::string>>&)>& check) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, tokens.size()}) {
        std::vector<std::vector<std::string>> groups;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (i % size == 0) {
                groups.emplace_back();
            }
            groups.back().push_back(tokens[i]);
        }
        check(groups);
    }
}

TEST(AnswerSplit, ChancesAreThoseOfTheContent) {
    const ChatCall call;
    in_groups({"<think>", "why", "</think>", "\n", "A", " cat", "."}, [&](const auto& pieces) {
        const Seen seen = split(call, pieces);
        EXPECT_EQ(seen.reasoning, "why");
        EXPECT_EQ(seen.content, "A cat.");
        EXPECT_EQ(seen.tokens, "A| cat|.|");
    });
    in_groups({"A", " <think>", "b"}, [&](const auto& pieces) { EXPECT_EQ(split(call, pieces).tokens, "A| <think>|b|"); });
    in_groups({"<", "thi"}, [&](const auto& pieces) { EXPECT_EQ(split(call, pieces).tokens, "<|thi|"); }); // it only began like thinking
    in_groups({"<think>", "for ever"}, [&](const auto& pieces) { EXPECT_EQ(split(call, pieces).tokens, ""); });
}

TEST(AnswerSplit, ChancesOfWhatAStopTextCutOffAreNotTold) {
    ChatCall call;
    call.request.stop_texts = {"END"};
    in_groups({"one ", "E", "ight ", "EN", "D", " more"}, [&](const auto& pieces) {
        const Seen seen = split(call, pieces);
        EXPECT_EQ(seen.content, "one Eight ");
        EXPECT_EQ(seen.tokens, "one |E|ight |");
    });
}

TEST(AnswerSplit, TextCompletionsKeepTheirThinking) {
    ChatCall call{.kind = AnswerKind::Text};
    in_groups({"<think>", "why", "</think>", "x"}, [&](const auto& pieces) {
        const Seen seen = split(call, pieces);
        EXPECT_EQ(seen.content, "<think>why</think>x");
        EXPECT_EQ(seen.tokens, "<think>|why|</think>|x|");
    });
}

ChatCall with_tools(ToolSyntax syntax) {
    ChatCall call;
    call.tool_syntax = syntax;
    call.tools = {{.name = "look_up", .text_arguments = {"q"}}, {.name = "stop", .text_arguments = {}}};
    return call;
}

std::vector<std::string> letters(std::string_view text) {
    std::vector<std::string> out;
    for (const char c : text) {
        out.emplace_back(1, c);
    }
    return out;
}

struct CallRow {
    const char* name;
    ToolSyntax syntax;
    const char* text;
    const char* content;
    std::vector<std::pair<std::string, std::string>> calls;
};
class ToolCalls : public ::testing::TestWithParam<CallRow> {};
TEST_P(ToolCalls, AreFoundWhereverThePiecesEnd) {
    const ChatCall call = with_tools(GetParam().syntax);
    in_groups(letters(GetParam().text), [&](const auto& pieces) {
        const Seen seen = split(call, pieces);
        EXPECT_EQ(seen.content, GetParam().content);
        ASSERT_EQ(seen.calls.size(), GetParam().calls.size());
        for (std::size_t i = 0; i < seen.calls.size(); ++i) {
            EXPECT_EQ(seen.calls[i].name, GetParam().calls[i].first);
            EXPECT_EQ(seen.calls[i].arguments_json, GetParam().calls[i].second);
        }
    });
}
constexpr ToolSyntax kTags = ToolSyntax::Tags;
constexpr ToolSyntax kNamed = ToolSyntax::NameAndJson;
INSTANTIATE_TEST_SUITE_P(
    Texts, ToolCalls,
    ::testing::Values(CallRow{"Tags", kTags, "\n<tool_call>look_up\n<arg_key>q</arg_key>\n<arg_value>7</arg_value>\n<arg_key>n</arg_key>\n<arg_value>7</arg_value>\n</tool_call>", "", {{"look_up", R"({"q":"7","n":7})"}}},
                    CallRow{"TagsBehindText", kTags, "I look.\n<tool_call>stop</tool_call>", "I look.", {{"stop", "{}"}}},
                    CallRow{"TagsTwice", kTags, "<tool_call>stop\n</tool_call>\n<tool_call>look_up<arg_key>n</arg_key><arg_value>[1, {\"b\": null}]</arg_value></tool_call>", "", {{"stop", "{}"}, {"look_up", R"({"n":[1,{"b":null}]})"}}},
                    CallRow{"TagsNoJson", kTags, "<tool_call>look_up\n<arg_key>n</arg_key>\n<arg_value>many \"x\"</arg_value>\n</tool_call>", "", {{"look_up", R"({"n":"many \"x\""})"}}},
                    CallRow{"TagsOfNobody", kTags, "a <tool_call>other</tool_call> b", "a <tool_call>other</tool_call> b", {}},
                    CallRow{"TagsBroken", kTags, "<tool_call>look_up\n<arg_key>n</arg_key></tool_call>", "<tool_call>look_up\n<arg_key>n</arg_key></tool_call>", {}},
                    CallRow{"TagsCutOff", kTags, "x <tool_call>look_up\n<arg_key>n", "x <tool_call>look_up\n<arg_key>n", {}}, CallRow{"TagsOnlyBegun", kTags, "a < b <tool", "a < b <tool", {}},
                    CallRow{"Named", kNamed, "look_up\n{\"q\": \"x\"}", "", {{"look_up", R"({"q": "x"})"}}}, CallRow{"NamedBlanks", kNamed, "\nstop\n {} \n", "", {{"stop", "{}"}}},
                    CallRow{"NamedText", kNamed, "\nlook_up is a tool", "\nlook_up is a tool", {}}, CallRow{"NamedOther", kNamed, "other\n{}", "other\n{}", {}}, CallRow{"NamedNoJson", kNamed, "stop\n{", "stop\n{", {}},
                    CallRow{"NamedList", kNamed, "stop\n[]", "stop\n[]", {}}, CallRow{"NamedAlone", kNamed, "stop", "stop", {}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Answer, ToolCallsHaveTheShape) {
    const AnswerHead head{.id = "chatcmpl-ab", .created_s = 5, .model = "nano"};
    const std::vector<Choice> choices{{.text = {}, .calls = {{"f", "{}"}, {"g", "{\"a\":1}"}}, .stop_reason = StopReason::StopToken}};
    const json choice = json::parse(completion_json(head, choices, {}))["choices"][0];
    EXPECT_EQ(choice["finish_reason"], "tool_calls");
    EXPECT_TRUE(choice["message"]["content"].is_null());
    EXPECT_EQ(choice["message"]["tool_calls"][1], (json{{"id", "call_ab_0_1"}, {"type", "function"}, {"function", {{"name", "g"}, {"arguments", "{\"a\":1}"}}}}));
    const std::string streamed = last_chunk(head, 0, choices[0].calls, StopReason::StopToken);
    const std::size_t second = streamed.find("data: ", 1);
    EXPECT_EQ(json::parse(streamed.substr(6, second - 6))["choices"][0]["delta"]["tool_calls"][1]["index"], 1);
    EXPECT_EQ(json::parse(streamed.substr(second + 6))["choices"][0]["finish_reason"], "tool_calls");
}

TEST(Answer, ChancesHaveTheShape) {
    const AnswerHead chat{.id = "c-1", .created_s = 5, .model = "nano", .kind = AnswerKind::Chat, .has_logprobs = true};
    TokenLogprobs one = token("\xc3");
    one.top = {{.id = 2, .logprob = -std::numeric_limits<double>::infinity(), .bytes = "b"}};
    const std::vector<Choice> choices{{.text = {.reasoning = "", .content = "x", .logprobs = {one}}, .calls = {}, .stop_reason = StopReason::StopToken}};
    const json row = json::parse(completion_json(chat, choices, {}))["choices"][0]["logprobs"]["content"][0];
    EXPECT_EQ(row["bytes"], json::array({0xc3})); // half a character
    EXPECT_EQ(row["top_logprobs"][0]["logprob"], -9999.0);
    const AnswerHead text{.id = "c-1", .created_s = 5, .model = "nano", .kind = AnswerKind::Text, .has_logprobs = true};
    const json old = json::parse(text_chunk(text, 0, {.reasoning = "", .content = "ab", .logprobs = {token("a"), token("b")}}, 7).substr(6))["choices"][0]["logprobs"];
    EXPECT_EQ(old["tokens"], (json{"a", "b"}));
    EXPECT_EQ(old["text_offset"], (json{7, 8}));
}

} // namespace
} // namespace handeye
