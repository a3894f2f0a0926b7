// SPDX-License-Identifier: Apache-2.0
// What a remote model asks of a server and makes of its answers.
#include "tests/remote/remote_fixture.h"

#include <atomic>
#include <future>

namespace handeye::testing {
namespace {

using nlohmann::json;

/// Answers every chat with these pieces.
ScriptedServer::Handler always(std::vector<std::string> pieces, const char* owner = "vllm") {
    return [pieces, owner](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer, owner)) {
            for (const std::string& piece : pieces) {
                peer.write(piece);
            }
        }
    };
}

const std::vector<std::string> kSplit{stream_head(), delta("role", "assistant"), delta("content", "\n"), delta("reasoning_content", "Look"), delta("reasoning_content", " around."),
                                      delta("content", "<answer>"), delta("content", "<|begin_of_box|>DONE()<|end_of_box|></answer>"), finish("stop")};
const std::string kJoined = "<think>Look around.</think><answer><|begin_of_box|>DONE()<|end_of_box|></answer>";

TEST_F(RemoteTest, ThinkingThatComesApartIsPutInFrontOfTheAnswer) {
    ScriptedServer server(always(kSplit));
    const auto model = open(options_for(url(server)));
    const auto answer = ask(*model);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, kJoined);
    EXPECT_EQ(heard, kJoined);
    EXPECT_EQ(answer->stop_reason, StopReason::StopToken);
    EXPECT_EQ(answer->usage.prompt_tokens, 70);
    EXPECT_EQ(answer->usage.completion_tokens, 5);
    EXPECT_EQ(answer->usage.reused_tokens, 64);
    EXPECT_EQ(model->info().prompt, "glm-4.1v");
    EXPECT_EQ(model->info().context_tokens_max, 8192);
}

TEST_F(RemoteTest, AWholeAnswerOfAServerThatDoesNotStreamIsTakenToo) {
    const std::string body = R"({"choices":[{"index":0,"message":{"role":"assistant","reasoning":"Look around.","content":"<answer>DONE()</answer>"},"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":100}})";
    ScriptedServer server(always({http_answer(200, "application/json", body)}));
    const auto answer = ask(*open(options_for(url(server))));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "<think>Look around.</think><answer>DONE()</answer>");
    EXPECT_EQ(answer->stop_reason, StopReason::MaxTokens);
}

TEST_F(RemoteTest, AFinishedAnswerThatWasFiledUnderReasoningIsTheAnswer) {
    ScriptedServer server(always({stream_head(), delta("reasoning_content", "DONE()"), finish("stop")}));
    EXPECT_EQ(ask(*open(options_for(url(server))))->text_utf8, "DONE()");
    ScriptedServer cut(always({stream_head(), delta("reasoning_content", "DONE("), finish("length")}));
    EXPECT_EQ(ask(*open(options_for(url(cut))))->text_utf8, "<think>DONE(");
}

TEST_F(RemoteTest, BytesMayBeCutAnywhere) {
    std::string all;
    for (const std::string& piece : kSplit) {
        all += piece;
    }
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            for (const char c : all) {
                peer.write({&c, 1});
            }
        }
    });
    EXPECT_EQ(ask(*open(options_for(url(server))))->text_utf8, kJoined);
}

TEST_F(RemoteTest, AQuestionSaysWhatTheServerNeedsToKnow) {
    ScriptedServer server(always(kSplit));
    RemoteOptions options = options_for(url(server));
    options.api_key = "the-key";
    const auto model = open(options);
    ChatRequest request = ask_for("What now?", "session 1");
    const auto picture = Image::from_pixels({2, 1}, PixelFormat::Rgb, {255, 0, 0, 0, 255, 0});
    request.messages.front().parts.insert(request.messages.front().parts.begin(), ImagePart{*picture});
    request.enable_thinking = true;
    request.sampling = {.temperature = 0.5, .top_p = 0.9, .seed = 7};
    ASSERT_TRUE(ask(*model, request));
    ASSERT_TRUE(ask(*model, request));
    EXPECT_EQ(model->load().images_embedded, 1U) << "the same picture is encoded once";
    const std::vector<SeenRequest> chats = server.seen("/chat/completions");
    ASSERT_EQ(chats.size(), 2U);
    EXPECT_NE(chats[0].head.find("Authorization: Bearer the-key"), std::string::npos);
    EXPECT_NE(chats[0].head.find("X-Session-Id: "), std::string::npos);
    EXPECT_EQ(chats[0].head.find("session 1"), std::string::npos) << "its name stays here";
    const json body = body_of(chats[0]);
    EXPECT_EQ(body["skip_special_tokens"], false) << "box tokens are special tokens";
    EXPECT_EQ(body["model"], "glm-4.1v-thinking");
    EXPECT_EQ(body["stream_options"]["include_usage"], true);
    EXPECT_EQ(body["chat_template_kwargs"]["enable_thinking"], true);
    EXPECT_EQ(body["max_tokens"], 100);
    EXPECT_EQ(body["top_p"], 0.9);
    EXPECT_EQ(body["top_k"], -1) << "else vLLM takes the model's own";
    EXPECT_EQ(body["repetition_penalty"], 1.0);
    EXPECT_EQ(body["seed"], 7);
    const json& content = body["messages"][0]["content"];
    EXPECT_TRUE(content[0]["image_url"]["url"].get<std::string>().starts_with("data:image/png;base64,iVBORw0KGgo"));
    EXPECT_EQ(content[1]["text"], "What now?");
}

TEST_F(RemoteTest, VideosAreRefusedByName) {
    ScriptedServer server(always(kSplit));
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("What happens?");
    request.messages.front().parts.emplace_back(VideoPart{});
    const auto answer = ask(*model, request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::Unsupported);
    EXPECT_NE(answer.error().message.find("a video"), std::string::npos) << answer.error().message;
    EXPECT_TRUE(server.seen("/chat").empty());
}

TEST_F(RemoteTest, AStopTextEndsTheAnswerAndStaysInIt) {
    std::promise<bool> closed;
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(stream_head() + delta("content", "one tw") + delta("content", "o three"));
            closed.set_value(peer.wait_for_close());
        }
    });
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("Count");
    request.stop_texts = {"two"};
    const auto answer = ask(*model, request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "one two");
    EXPECT_EQ(heard, "one two");
    EXPECT_EQ(answer->stop_reason, StopReason::StopText);
    EXPECT_TRUE(closed.get_future().get()) << "the server is told by the connection's end";
}

TEST_F(RemoteTest, AStopEndsTheAnswerWithinItsNextPiece) {
    std::promise<bool> closed;
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(stream_head() + delta("content", "one"));
            closed.set_value(peer.wait_for_close());
        }
    });
    const auto model = open(options_for(url(server)));
    std::stop_source stop;
    const auto answer = model->generate(ask_for("Count"), [&](const TextPiece&) { stop.request_stop(); }, stop.get_token());
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->stop_reason, StopReason::Cancelled);
    EXPECT_EQ(answer->text_utf8, "one");
    EXPECT_TRUE(closed.get_future().get());
}

TEST_F(RemoteTest, ATimeLimitEndsTheAnswerWithWhatThereIs) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(stream_head() + delta("content", "one"));
            peer.wait_for_close();
        }
    });
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("Count");
    request.time_limit = std::chrono::seconds(2);
    const auto answer = ask(*model, request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->stop_reason, StopReason::TimeUp);
    EXPECT_EQ(answer->text_utf8, "one");
}

TEST_F(RemoteTest, AThoughtThatPassesItsBudgetIsClosedHereAndGoneOnWith) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (answer_probe(request, peer)) {
            return;
        }
        const bool is_second = json::parse(request.body).contains("continue_final_message");
        peer.write(is_second ? stream_head() + delta("reasoning_content", "DONE()") + delta("content", "</answer>") + finish("stop")
                             : stream_head() + delta("reasoning_content", "Well, ") + delta("reasoning_content", "hm") + chunk(event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":50,"completion_tokens":8}})")) +
                                   chunk(event("[DONE]")) + last_chunk());
    });
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("Think");
    request.thinking_budget = 8;
    const auto answer = ask(*model, request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "<think>Well, hm</think><answer>DONE()</answer>");
    EXPECT_EQ(heard, answer->text_utf8);
    EXPECT_TRUE(answer->usage.thinking_forced_close);
    EXPECT_EQ(answer->usage.prompt_tokens, 50);
    EXPECT_EQ(answer->usage.completion_tokens, 13);
    const auto chats = server.seen("/chat/completions");
    ASSERT_EQ(chats.size(), 2U);
    EXPECT_EQ(body_of(chats[0])["max_tokens"], 8);
    const json second = body_of(chats[1]);
    EXPECT_EQ(second["max_tokens"], 92);
    EXPECT_EQ(second["add_generation_prompt"], false);
    EXPECT_EQ(second["messages"].back(), json({{"role", "assistant"}, {"content", "<think>Well, hm</think><answer>"}}));
}

TEST_F(RemoteTest, AServerThatCannotGoOnWithAnAnswerIsAskedForAWholeOne) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (answer_probe(request, peer)) {
            return;
        }
        const json body = json::parse(request.body);
        if (body.contains("continue_final_message")) {
            peer.write(http_answer(400, "application/json", R"({"error":{"message":"continue_final_message is set but the final message is not there","type":"BadRequestError"}})"));
        } else if (body["max_tokens"] == 8) {
            peer.write(stream_head() + delta("reasoning_content", "Well") + chunk(event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":{"completion_tokens":8}})")) + last_chunk());
        } else {
            peer.write(stream_head() + delta("reasoning_content", "Well, then.") + delta("content", "DONE()") + finish("stop"));
        }
    });
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("Think");
    request.thinking_budget = 8;
    EXPECT_EQ(ask(*model, request)->text_utf8, "<think>Well, then.</think>DONE()");
    EXPECT_EQ(server.seen("/chat").size(), 3U);
    EXPECT_EQ(ask(*model, request)->text_utf8, "<think>Well, then.</think>DONE()");
    EXPECT_EQ(server.seen("/chat").size(), 4U) << "what was learnt stays";
}

TEST_F(RemoteTest, AServerThatRepeatsTheKeyIsHeardWithoutIt) {
    const std::string key = "sk-0123456789abcdef";
    std::atomic<bool> is_odd = false;
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer, "vllm")) {
            peer.write(is_odd ? http_answer(200, "text/" + key, "") : stream_head() + delta("content", "DONE() " + key) + finish("stop"));
        }
    });
    auto options = options_for(url(server));
    options.api_key = key;
    const auto model = open(options);
    const auto reply = ask(*model, ask_for("x"));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->text_utf8, "DONE() (key)");
    is_odd = true;
    const auto refused = ask(*model, ask_for("x"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message.find(key), std::string::npos) << refused.error().message;
    EXPECT_NE(refused.error().message.find("text/(key)"), std::string::npos) << refused.error().message;
}

TEST_F(RemoteTest, OurOwnServerIsToldTheBudgetAndKeepsItItself) {
    std::atomic<bool> is_old = false;
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer, "handeye")) {
            const bool is_refused = is_old && json::parse(request.body).contains("thinking_token_budget");
            peer.write(is_refused ? http_answer(400, "application/json", R"({"error":{"message":"thinking_token_budget: there is no such field"}})") : stream_head() + delta("content", "DONE()") + finish("stop"));
        }
    });
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("Think");
    request.thinking_budget = 8;
    ASSERT_TRUE(ask(*model, request));
    EXPECT_EQ(body_of(server.seen("/chat").back())["thinking_token_budget"], 8);
    EXPECT_EQ(body_of(server.seen("/chat").back())["max_tokens"], 100);
    is_old = true;
    ASSERT_TRUE(ask(*model, request));
    ASSERT_TRUE(ask(*model, request));
    EXPECT_EQ(server.seen("/chat").size(), 4U) << "refused once";
}

TEST_F(RemoteTest, FieldsThatAServerRefusesAreLeftOutFromThenOn) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (answer_probe(request, peer, "library", "nano")) {
            return;
        }
        json unknown = json::array();
        const json body = json::parse(request.body);
        for (const auto& [key, value] : body.items()) {
            if (key == "skip_special_tokens" || key == "stream_options") {
                unknown.push_back(key);
            }
        }
        peer.write(unknown.empty() ? stream_head() + delta("content", "DONE()") + finish("stop")
                                   : http_answer(422, "application/json", json{{"detail", "Unexpected fields in the request: " + unknown.dump()}}.dump()));
    });
    const auto model = open(options_for(url(server)));
    EXPECT_EQ(model->info().prompt, "compact");
    EXPECT_EQ(ask(*model)->text_utf8, "DONE()");
    EXPECT_EQ(server.seen("/chat").size(), 2U);
    EXPECT_EQ(ask(*model)->text_utf8, "DONE()");
    EXPECT_EQ(server.seen("/chat").size(), 3U);
}

TEST_F(RemoteTest, AFieldIsNotGivenUpForAnErrorAboutSomethingElse) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(json::parse(request.body)["messages"].size() > 1 ? http_answer(400, "application/json", R"({"error":{"message":"At most 1 image(s) may be provided"}})")
                                                                        : stream_head() + delta("content", "DONE()") + finish("stop"));
        }
    });
    const auto model = open(options_for(url(server)));
    ChatRequest bad = ask_for("Hello");
    bad.messages.push_back(bad.messages.front());
    const auto refused = ask(*model, bad);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(refused.error().message.find("At most 1 image"), std::string::npos) << refused.error().message;
    ASSERT_TRUE(ask(*model));
    EXPECT_EQ(body_of(server.seen("/chat").back())["skip_special_tokens"], false);
}

TEST_F(RemoteTest, WhatPromptAndAnswerDoNotFitTogetherIsAskedWithoutABound) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(json::parse(request.body).contains("max_tokens")
                           ? http_answer(400, "application/json", R"({"error":{"message":"'max_tokens' is too large: 100. This model's maximum context length is 128 tokens"}})")
                           : stream_head() + delta("content", "cut") + finish("length"));
        }
    });
    const auto answer = ask(*open(options_for(url(server))));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->stop_reason, StopReason::ContextFull);
    ScriptedServer full([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(http_answer(400, "application/json", R"({"error":{"message":"the prompt is too long","code":"context_length_exceeded"}})"));
        }
    });
    const auto model = open(options_for(url(full)));
    const auto refused = ask(*model);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::LimitExceeded);
}

TEST_F(RemoteTest, ChancesOfTokensAndNumbersAreTold) {
    const json row{{"token", "451"}, {"logprob", -0.105}, {"bytes", {52, 53, 49}}, {"top_logprobs", {{{"token", "451"}, {"logprob", -0.105}}, {{"token", "452"}, {"logprob", -2.4}}, {{"token", "x"}, {"logprob", -5}}}}};
    const json piece{{"choices", {{{"index", 0}, {"delta", {{"content", "[451"}}}, {"logprobs", {{"content", {{{"token", "["}, {"logprob", 0}}, row}}}}}}}};
    ScriptedServer server(always({stream_head(), delta("reasoning_content", "Look."), chunk(event(piece.dump())), delta("content", ",9]"), finish("stop")}));
    const auto model = open(options_for(url(server)));
    ChatRequest request = ask_for("Where?");
    request.number_chances = true;
    request.top_logprobs = 2;
    const auto answer = ask(*model, request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "<think>Look.</think>[451,9]");
    std::string bytes;
    for (const TokenLogprobs& token : answer->logprobs) {
        bytes += token.token.bytes;
    }
    EXPECT_EQ(bytes, answer->text_utf8) << "text that the server tells no tokens of stands as forced ones";
    ASSERT_EQ(answer->logprobs.size(), 5U);
    EXPECT_EQ(answer->logprobs[3].token.bytes, "451");
    EXPECT_EQ(answer->logprobs[3].top.size(), 3U);
    EXPECT_EQ(answer->logprobs[3].token.id, -1);
    ASSERT_EQ(answer->numbers.size(), 1U);
    EXPECT_EQ(answer->numbers[0].text_offset, answer->text_utf8.find("451"));
    ASSERT_EQ(answer->numbers[0].chances.size(), 2U);
    EXPECT_EQ(answer->numbers[0].chances[0].value, 451);
    EXPECT_NEAR(answer->numbers[0].chances[0].probability, 0.9, 0.01);
    EXPECT_EQ(answer->numbers[0].chances[1].value, 452);
}

TEST_F(RemoteTest, AGrammarGoesWhereItIsKept) {
    const auto fields_for = [this](const char* owner, const char* gbnf, const std::vector<std::string>& pieces) {
        ScriptedServer server(always(pieces, owner));
        const auto model = open(options_for(url(server)));
        ChatRequest request = ask_for("Hello");
        request.grammar = AnswerGrammar{.gbnf = gbnf};
        EXPECT_TRUE(ask(*model, request));
        EXPECT_TRUE(ask(*model, request));
        return body_of(server.seen("/chat").back());
    };
    const char* const plain = "root ::= \"DONE()\"";
    EXPECT_EQ(fields_for("handeye", "root ::= <answer> \"x\"", kSplit)["guided_grammar"], "root ::= <answer> \"x\"");
    EXPECT_EQ(fields_for("vllm", plain, kSplit)["structured_outputs"]["grammar"], plain);
    EXPECT_EQ(fields_for("sglang", plain, kSplit)["ebnf"], plain);
    const std::vector<std::string> unsplit{stream_head(), delta("content", "<think>x</think>DONE()"), finish("stop")};
    EXPECT_FALSE(fields_for("vllm", plain, unsplit).contains("structured_outputs")) << "it would hold the thinking to the grammar, too";
    EXPECT_FALSE(fields_for("vllm", "root ::= <answer> \"x\"", kSplit).contains("structured_outputs")) << "<name> is a notation of ours";
    EXPECT_FALSE(fields_for("llamacpp", plain, kSplit).contains("grammar"));
}

TEST_F(RemoteTest, TokensAreToldByServersThatTellThem) {
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(request.path == "/tokenize" ? http_answer(200, "application/json", R"({"count":2,"tokens":[5,7],"token_strs":["a","b"]})") : http_answer(404, "text/plain", ""));
        }
    });
    const auto tokens = open(options_for(url(server)))->tokenize(ask_for("ab"));
    ASSERT_TRUE(tokens) << tokens.error().message;
    EXPECT_EQ(tokens->ids, (std::vector<std::int32_t>{5, 7}));
    EXPECT_EQ(tokens->bytes, (std::vector<std::string>{"a", "b"}));
    ScriptedServer other([&](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            peer.write(http_answer(404, "text/plain", ""));
        }
    });
    EXPECT_EQ(open(options_for(url(other)))->tokenize(ask_for("ab")).error().code, ErrorCode::Unsupported);
}

TEST_F(RemoteTest, ARawPromptGoesToTheRouteWithoutATemplate) {
    ScriptedServer server(always({stream_head(), chunk(event(R"J({"choices":[{"index":0,"text":"DONE()"}]})J")), finish("stop")}));
    const auto model = open(options_for(url(server)));
    ChatRequest request;
    request.raw_prompt = std::string("<|user|>\nHello");
    request.max_new_tokens = 5;
    const auto answer = ask(*model, request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "DONE()");
    EXPECT_EQ(body_of(server.seen("/v1/completions").front())["prompt"], "<|user|>\nHello");
}

} // namespace
} // namespace handeye::testing
