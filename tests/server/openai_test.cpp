// SPDX-License-Identifier: Apache-2.0
// The pure parts of the OpenAI-compatible endpoint: requests read strictly, texts cut and split wherever the pieces end, answers.
#include "base/json.h"
#include "server/openai/answer.h"
#include "server/openai/chat_call.h"
#include "server/openai/text_split.h"
#include "server/openai_server.h"
#include "tests/server/openai_client.h"
#include "tests/server/server_fixture.h"

#include <array>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>

namespace handeye {
namespace {

using nlohmann::json;
using testing::Client;

const std::vector<std::string> kNames{"nano", "alias"};

ChatCallOrError read(const json& body) {
    return read_chat_call(body.dump(), {.names = kNames, .limits = {.body_bytes_max = 1U << 20U, .images_max = 2, .picture_bytes_max = 6}, .decode = [](std::span<const std::uint8_t> bytes) -> Result<Image> {
                                            return bytes.empty() ? Result<Image>(Error{ErrorCode::ParseFailed, "no picture"}) : Image::from_pixels({2, 2}, PixelFormat::Gray, {1, 2, 3, 4});
                                        },
                                        .fresh_seed = 77});
}

json hello() { return {{"messages", {{{"role", "user"}, {"content", "Hello"}}}}}; }

/// The same text in pieces of each size.
template <class Function>
void in_pieces(std::string_view text, Function check) {
    for (std::size_t size = 1; size <= text.size(); ++size) {
        std::vector<std::string_view> pieces;
        for (std::size_t at = 0; at < text.size(); at += size) {
            pieces.push_back(text.substr(at, size));
        }
        check(pieces);
    }
}

TEST(ChatCall, ReadsWhatIsAsked) {
    json body = hello();
    body.update({{"model", "alias"}, {"max_tokens", 7}, {"temperature", 0.5}, {"top_p", 0.9}, {"top_k", 40}, {"seed", 5}, {"stop", "x"}, {"stream", true},
                 {"stream_options", {{"include_usage", true}}}, {"n", 1}, {"user", "me"}, {"tools", nullptr}, {"chat_template_kwargs", {{"enable_thinking", false}}}});
    const auto call = std::get<ChatCall>(read(body));
    EXPECT_TRUE(call.is_stream && call.wants_usage);
    EXPECT_EQ(call.request.max_new_tokens, 7);
    EXPECT_EQ(call.request.sampling.temperature, 0.5);
    EXPECT_EQ(call.request.sampling.top_p, 0.9);
    EXPECT_EQ(call.request.sampling.top_k, 40);
    EXPECT_EQ(call.request.sampling.seed, 5U);
    EXPECT_EQ(call.request.stop_texts, std::vector<std::string>{"x"});
    EXPECT_EQ(call.request.enable_thinking, false);
}

TEST(ChatCall, DefaultsAreThoseOfTheShape) {
    const auto call = std::get<ChatCall>(read(hello()));
    EXPECT_FALSE(call.is_stream || call.wants_usage);
    EXPECT_EQ(call.request.sampling.temperature, 1);
    EXPECT_EQ(call.request.sampling.seed, 77U); // another one each time
    EXPECT_TRUE(call.request.stop_texts.empty());
}

TEST(ChatCall, MessagesKeepOrderPartsAndNoOldThinking) {
    const json body{{"messages",
                     {{{"role", "developer"}, {"content", "Be kind."}},
                      {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "What is it?"}}, {{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="}}}}}}},
                      {{"role", "assistant"}, {"content", "<think>hm</think>A cat"}}}}};
    const auto call = std::get<ChatCall>(read(body));
    ASSERT_EQ(call.request.messages.size(), 3U);
    EXPECT_EQ(call.request.messages[0].role, Role::System);
    EXPECT_TRUE(std::holds_alternative<ImagePart>(call.request.messages[1].parts.at(1)));
    EXPECT_EQ(std::get<TextPart>(call.request.messages[2].parts.at(0)).text_utf8, "A cat");
}

// 8000x8000 pixels say these headers; behind them there are none.
TEST(ChatCall, NoPictureIsDecodedWhenAllTogetherAreTooMuch) {
    const std::string url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAH0AAAB9AAQAAAAAuipBZAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    const json part{{"type", "image_url"}, {"image_url", {{"url", url}}}};
    const json body{{"messages", {{{"role", "user"}, {"content", {part}}}, {{"role", "user"}, {"content", {part}}}}}};
    int decoded = 0;
    const auto ask = [&](std::uint64_t bytes_max) {
        return read_chat_call(body.dump(), {.names = kNames, .limits = {.body_bytes_max = 1U << 20U, .images_max = 2, .picture_bytes_max = bytes_max}, .decode = [&](std::span<const std::uint8_t> /*bytes*/) {
                                                ++decoded;
                                                return Image::from_pixels({1, 1}, PixelFormat::Gray, {7});
                                            }});
    };
    constexpr std::uint64_t kSum = 2ULL * 8000 * 8000 * 3;
    const auto refused = ask(kSum - 1);
    ASSERT_TRUE(std::holds_alternative<ApiError>(refused));
    EXPECT_EQ(std::get<ApiError>(refused).status, 400);
    EXPECT_NE(std::get<ApiError>(refused).message.find("384000000"), std::string::npos) << std::get<ApiError>(refused).message;
    EXPECT_NE(std::get<ApiError>(refused).message.find("383999999"), std::string::npos);
    EXPECT_EQ(decoded, 0);
    const auto fits = ask(kSum);
    ASSERT_TRUE(std::holds_alternative<ChatCall>(fits));
    EXPECT_EQ(decoded, 2);
    EXPECT_EQ(std::get<ImagePart>(std::get<ChatCall>(fits).request.messages.at(1).parts.at(0)).image.size(), (Size{1, 1}));
}

struct BadCall {
    const char* name;
    const char* patch; ///< merged into a good request
    const char* param;
};
class ChatCallRefuses : public ::testing::TestWithParam<BadCall> {};

TEST_P(ChatCallRefuses, ByTheFieldsName) {
    json body = hello();
    body.update(json::parse(GetParam().patch));
    const auto call = read(body);
    ASSERT_TRUE(std::holds_alternative<ApiError>(call));
    const auto& error = std::get<ApiError>(call);
    EXPECT_EQ(error.param, GetParam().param) << error.message;
    const json shape = json::parse(error_json(error));
    EXPECT_EQ(shape["error"]["type"], "invalid_request_error");
    EXPECT_FALSE(shape["error"]["message"].get<std::string>().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Calls, ChatCallRefuses,
    ::testing::Values(BadCall{"Model", R"({"model":"gpt-4"})", "model"}, BadCall{"ModelType", R"({"model":7})", "model"}, BadCall{"Temperature", R"({"temperature":-0.1})", "temperature"},
                    BadCall{"TemperatureHigh", R"({"temperature":2.5})", "temperature"}, BadCall{"TopP", R"({"top_p":0})", "top_p"}, BadCall{"MaxTokens", R"({"max_tokens":0})", "max_tokens"},
                    BadCall{"MaxTokensHuge", R"({"max_tokens":18446744073709551615})", "max_tokens"}, BadCall{"MaxTokensText", R"({"max_tokens":"7"})", "max_tokens"},
                    BadCall{"Seed", R"({"seed":1.5})", "seed"}, BadCall{"Stop", R"({"stop":[7]})", "stop"}, BadCall{"StopEmpty", R"({"stop":""})", "stop"},
                    BadCall{"StopMany", R"({"stop":["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]})", "stop"}, BadCall{"Stream", R"({"stream":"yes"})", "stream"},
                    BadCall{"Choices", R"({"n":17})", "n"}, BadCall{"Tools", R"({"tools":[{}]})", "tools"}, BadCall{"Logprobs", R"({"logprobs":3})", "logprobs"},
                    BadCall{"Format", R"({"response_format":{"type":"json_object"}})", "response_format"}, BadCall{"Unknown", R"({"temprature":1})", "temprature"},
                    BadCall{"TemplateSwitch", R"({"chat_template_kwargs":{"enable_thinking":true,"thinking":true}})", "chat_template_kwargs.thinking"},
                    BadCall{"TemplateSwitches", R"({"chat_template_kwargs":["enable_thinking"]})", "chat_template_kwargs"},
                    BadCall{"TemplateSwitchType", R"({"chat_template_kwargs":{"enable_thinking":"no"}})", "enable_thinking"},
                    BadCall{"NoMessages", R"({"messages":[]})", "messages"}, BadCall{"Role", R"({"messages":[{"role":"judge","content":"x"}]})", "messages[0].role"},
                    BadCall{"NoRole", R"({"messages":[{"content":"x"}]})", "messages[0]"}, BadCall{"NoContent", R"({"messages":[{"role":"user"}]})", "messages[0].content"},
                    BadCall{"Part", R"({"messages":[{"role":"user","content":[{"type":"audio"}]}]})", "messages[0].content[0]"},
                    BadCall{"RemoteUrl", R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://h/x.png"}}]}]})", "messages[0].content[0].image_url"},
                    BadCall{"FileUrl", R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":"file:///etc/passwd"}]}]})", "messages[0].content[0].image_url"},
                    BadCall{"Base64", R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,Q"}}]}]})", "messages[0].content[0].image_url"},
                    BadCall{"Pictures", R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="},{"type":"image_url","image_url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="},{"type":"image_url","image_url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="}]}]})", "messages[0].content[2].image_url"}),
    [](const auto& row) { return row.param.name; });

TEST(ChatCall, AWrongModelIsToldAllThatAreServed) {
    json body = hello();
    body["model"] = "nan\n";
    const auto error = std::get<ApiError>(read(body));
    EXPECT_EQ(error.status, 404);
    EXPECT_EQ(error.message, R"(the model "nan\n" is not served here; "model" may be "nano", "alias")");
}

TEST(ChatCall, ASwitchThatIsNotKnownIsNamedWithTheOneThatIs) {
    json body = hello();
    body["chat_template_kwargs"] = {{"enable_thinkin", false}};
    EXPECT_NE(std::get<ApiError>(read(body)).message.find("did you mean \"enable_thinking\"?"), std::string::npos);
    body["chat_template_kwargs"] = {{"enable_thinking", nullptr}};
    EXPECT_EQ(std::get<ChatCall>(read(body)).request.enable_thinking, std::nullopt);
}

TEST(ChatCall, WhatIsNoJsonObjectIsRefused) {
    for (const char* const text : {"", "{", "[]", "7", R"({"messages":1,"messages":2})", "\xff"}) {
        const auto call = read_chat_call(text, {.names = kNames, .limits = {.body_bytes_max = 1U << 20U, .images_max = 2, .picture_bytes_max = 6}, .decode = {}});
        EXPECT_TRUE(std::holds_alternative<ApiError>(call)) << text;
    }
}

TEST(StopTrim, CutsWhereverThePiecesEnd) {
    in_pieces("one two END three", [](const auto& pieces) {
        StopTrim trim({"END", "nowhere"});
        std::string out;
        for (const std::string_view piece : pieces) {
            out += trim.push(piece);
            EXPECT_EQ(out.find('E'), std::string::npos); // never sent, not even in part
        }
        EXPECT_EQ(out + trim.finish(), "one two ");
    });
}

TEST(StopTrim, GivesBackWhatOnlyBeganLikeOne) {
    in_pieces("a EN EN b E", [](const auto& pieces) {
        StopTrim trim({"END"});
        std::string out;
        for (const std::string_view piece : pieces) {
            out += trim.push(piece);
        }
        EXPECT_EQ(out + trim.finish(), "a EN EN b E");
    });
}

TEST(StopTrim, TheFirstOfSeveralCounts) {
    StopTrim trim({"ccc", "b"});
    EXPECT_EQ(trim.push("abccc") + trim.finish(), "a");
}

struct SplitCase {
    const char* name;
    const char* text;
    const char* reasoning;
    const char* content;
};
class ReasoningSplits : public ::testing::TestWithParam<SplitCase> {};

TEST_P(ReasoningSplits, WhereverThePiecesEnd) {
    in_pieces(GetParam().text, [](const auto& pieces) {
        ReasoningSplit split;
        ReasoningSplit::Piece all;
        const auto add = [&](const ReasoningSplit::Piece& piece) {
            all.reasoning += piece.reasoning;
            all.content += piece.content;
        };
        for (const std::string_view piece : pieces) {
            add(split.push(piece));
        }
        add(split.finish());
        EXPECT_EQ(all.reasoning, GetParam().reasoning);
        EXPECT_EQ(all.content, GetParam().content);
    });
}

INSTANTIATE_TEST_SUITE_P(Texts, ReasoningSplits,
                         ::testing::Values(SplitCase{"Both", "<think>a < b</think>\n<answer>c</answer>", "a < b", "<answer>c</answer>"}, SplitCase{"BlanksFirst", "\n <think>a</think>b", "a", "b"},
                                         SplitCase{"None", "a <think>b</think>", "", "a <think>b</think>"}, SplitCase{"Open", "<think>a</thin", "a</thin", ""},
                                         SplitCase{"OnlyBegun", "<thi", "", "<thi"}, SplitCase{"Empty", "<think></think>", "", ""}, SplitCase{"Twice", "<think>a</think>b</think>c", "a", "b</think>c"}),
                         [](const auto& row) { return row.param.name; });

class OpenAiSockets : public ::testing::Test {
protected:
    OpenAiSockets() {
        model_.hold();
        auto started = OpenAiServer::start({.listen = {.host = "127.0.0.1"}, .names = {"nano"}, .answers_max = 1, .waiting_max = 1});
        EXPECT_TRUE(started) << started.error().message;
        server_ = std::move(*started);
        server_->set_model(model_);
    }
    ~OpenAiSockets() override { model_.release(); }

    testing::HoldableModel model_;
    std::unique_ptr<OpenAiServer> server_;
};

TEST_F(OpenAiSockets, AClientThatOnlyEndsItsSendingGetsItsAnswer) {
    Client modern(server_->port());
    modern.ask();
    modern.end_sending();
    EXPECT_EQ(modern.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n"); // the server has seen the end
    Client old(server_->port());
    old.ask("1.0");
    old.end_sending();
    model_.release();
    EXPECT_NE(modern.read_until("chat.completion").find("HTTP/1.1 200"), std::string::npos);
    const std::string answer = old.read_until("chat.completion");
    EXPECT_EQ(answer.find("HTTP/1.1 200"), 0U) << answer; // to HTTP/1.0 nothing comes before it
}

TEST_F(OpenAiSockets, AClientThatWentAwayLeavesItsPlaceInTheQueue) {
    Client first(server_->port());
    first.ask();
    ASSERT_TRUE(model_.wait_for_calls(1));
    Client second(server_->port());
    Client third(server_->port());
    second.ask();
    third.ask();
    std::array<pollfd, 2> both{second.awaited(), third.awaited()};
    ASSERT_EQ(::poll(both.data(), both.size(), 20'000), 1); // one of the two is refused; the other has the one place
    std::string answer = (both[0].revents != 0 ? second : third).read_until("overloaded");
    ASSERT_NE(answer.find("HTTP/1.1 429"), std::string::npos) << answer;
    second.close();
    third.close();
    for (int i = 0; i < 1000 && answer.find(" 429 ") != std::string::npos; ++i) { // until the server has heard of it
        Client next(server_->port());
        next.ask();
        next.end_sending(); // in line it is told "100 Continue"
        answer = next.read_until("\r\n\r\n");
    }
    EXPECT_EQ(answer, "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(Answer, HasTheShape) {
    const AnswerHead head{.id = "chatcmpl-1", .created_s = 5, .model = "nano"};
    const Usage usage{.prompt_tokens = 3, .completion_tokens = 4};
    const std::vector<Choice> choices{{.text = {.reasoning = "r", .content = "c", .logprobs = {}}, .calls = {}, .stop_reason = StopReason::MaxTokens}};
    const json whole = json::parse(completion_json(head, choices, usage));
    EXPECT_EQ(whole["choices"][0]["message"], (json{{"role", "assistant"}, {"content", "c"}, {"reasoning_content", "r"}}));
    EXPECT_EQ(whole["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(whole["usage"]["total_tokens"], 7);
    const std::string last = last_chunk(head, 0, {}, StopReason::MaxTokens);
    EXPECT_EQ(last.find("data: {"), 0U);
    EXPECT_TRUE(last.ends_with("}\n\n"));
    EXPECT_EQ(json::parse(usage_chunk(head, usage).substr(6))["choices"], json::array());
}

} // namespace
} // namespace handeye
