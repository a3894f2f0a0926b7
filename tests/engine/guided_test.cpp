// SPDX-License-Identifier: Apache-2.0
// Answers under a grammar, and what is told of their tokens.
#include "asking.h"
#include "base/json.h"
#include "engine/grammar/json_schema.h"
#include "engine/grammar/regex.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using namespace test;

constexpr const char* kSchema = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "count": {"type": "integer", "minimum": 1, "maximum": 20},
    "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "maxItems": 3}}, "required": ["name", "count", "tags"]})";

ChatRequest under(std::string gbnf, ChatRequest request) {
    request.grammar = AnswerGrammar{.gbnf = std::move(gbnf)};
    return request;
}

ChatRequest sampled(ChatRequest request, std::uint64_t seed, double temperature = 1.5) {
    request.sampling = {.temperature = temperature, .seed = seed};
    return request;
}

std::string after_thinking(const std::string& text) {
    const std::size_t end = text.find("</think>");
    return end == std::string::npos ? text : text.substr(end + 8);
}

class Guided : public testing::TestWithParam<const char*> {
protected:
    std::unique_ptr<Scheduler> scheduler_ = open_scheduler(kSource / GetParam());
};
INSTANTIATE_TEST_SUITE_P(Models, Guided, testing::Values("tests/golden/engine/glm4v-f32", "tests/golden/engine/glm4-ct-int4", "models/nano"),
                         [](const auto& each) { return std::string(each.param).ends_with("nano") ? "Bundled" : std::string(each.param).ends_with("glm4-ct-int4") ? "Text" : "Random"; });

TEST_P(Guided, AnswersFitTheSchemaAtAnyTemperature) {
    const std::string grammar = schema_grammar(kSchema).value();
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        ChatRequest request = under(grammar, sampled(ask("count", 400), seed, seed == 0 ? 0.0 : 1.5));
        request.thinking_budget = 20;
        const Completion reply = answer(*scheduler_, request);
        ASSERT_EQ(reply.stop_reason, StopReason::StopToken) << reply.text_utf8;
        const auto json = nlohmann::json::parse(after_thinking(reply.text_utf8), nullptr, false);
        ASSERT_TRUE(json.is_object()) << reply.text_utf8;
        EXPECT_LE(json.at("name").get<std::string>().size(), 32U);
        EXPECT_TRUE(json.at("count") >= 1 && json.at("count") <= 20) << reply.text_utf8;
        EXPECT_LE(json.at("tags").size(), 3U);
    }
}

TEST_P(Guided, WhatMustComeNeedsNoPassOfItsOwn) {
    const std::string grammar = R"(root ::= "the only answer that there can be is this long one, word for word: " ("a" | "b") " and nothing more")";
    ChatRequest request = under(grammar, ask("say", 200));
    request.thinking_budget = 5;
    const Completion reply = answer(*scheduler_, request);
    EXPECT_EQ(after_thinking(reply.text_utf8).substr(0, 20), "the only answer that") << reply.text_utf8;
    EXPECT_EQ(reply.stop_reason, StopReason::StopToken);
    const EngineLoad load = scheduler_->load();
    EXPECT_LE(load.passes * 3, static_cast<std::uint64_t>(reply.usage.completion_tokens)) << reply.usage.completion_tokens;
}

TEST_P(Guided, AThoughtIsFreeAndIsClosedForTheAnswer) {
    const std::string grammar = regex_grammar("[0-9]{3}").value();
    ChatRequest request = under(grammar, ask("think", 300));
    request.thinking_budget = 12;
    const std::string text = answer(*scheduler_, request).text_utf8;
    const std::string number = after_thinking(text);
    ASSERT_EQ(number.size(), 3U) << text;
    EXPECT_TRUE(std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) << text;
}

TEST_P(Guided, ManyAtOnceAreThoseOfEachAlone) {
    const std::string grammar = schema_grammar(kSchema).value();
    std::vector<ChatRequest> requests;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        requests.push_back(sampled(ask("count", 200), seed));
        if (seed % 3 != 0) {
            requests.back() = under(grammar, requests.back());
        }
        requests.back().thinking_budget = 10;
    }
    std::vector<std::vector<TokenId>> alone;
    for (const ChatRequest& request : requests) {
        alone.push_back(answer(*scheduler_, request).ids);
    }
    std::vector<std::vector<TokenId>> together(requests.size());
    std::vector<std::thread> callers;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        callers.emplace_back([&, i] { together[i] = answer(*scheduler_, requests[i]).ids; });
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    EXPECT_EQ(together, alone);
}

TEST_P(Guided, GuessesChangeNothingUnderAGrammar) {
    const auto plain = open_scheduler(kSource / GetParam(), {.guesses = false});
    const std::string grammar = json_object_grammar();
    for (const char* text : {R"({"a": 1, "b": {"a": 1, "b": 2}})", "count", "open the menu and count the menu"}) {
        const ChatRequest request = under(grammar, ask(text, 120));
        EXPECT_EQ(answer(*scheduler_, request).ids, answer(*plain, request).ids) << text;
    }
}

// The grammar's words are cut into the tokens that the model itself would write.
TEST(GuidedTokens, AreThoseOfAFreeAnswerThatFits) {
    const auto scheduler = open_scheduler(kNano);
    ChatRequest request = ask_about("a.png", "# Task\nClick Save.\n# Steps done\nnone\n# Screen\n", 60);
    const Completion free = answer(*scheduler, request);
    ASSERT_NE(free.text_utf8.find("</think>"), std::string::npos);
    std::string literal;
    for (const char c : after_thinking(free.text_utf8)) {
        literal += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    for (const std::size_t cut : {literal.size(), literal.size() / 2, std::size_t{20}}) { // all, half or little of it is forced
        const std::string gbnf = "root ::= \"" + literal.substr(0, cut) + "\" [^\\x00]*";
        ChatRequest guided = under(gbnf, request);
        guided.grammar->added_tokens_as_text = true;
        EXPECT_EQ(answer(*scheduler, guided).ids, free.ids) << gbnf;
    }
}

TEST_P(Guided, AGrammarThatIsNoneIsRefused) {
    const auto reply = scheduler_->run(under("root ::= (", ask("x")), {}, {});
    ASSERT_FALSE(reply);
    EXPECT_NE(reply.error().message.find("1:"), std::string::npos) << reply.error().message;
}

TEST_P(Guided, EveryTokensChanceIsTold) {
    ChatRequest request = ask("open the menu", 30);
    request.top_logprobs = 5;
    std::vector<TokenLogprobs> streamed;
    std::string text;
    const auto reply = scheduler_->run(request, [&](const TextPiece& piece) {
        text += piece.text_utf8;
        streamed.insert(streamed.end(), piece.logprobs.begin(), piece.logprobs.end());
    }, {});
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_EQ(reply->logprobs.size(), reply->ids.size());
    EXPECT_EQ(streamed.size(), reply->ids.size());
    EXPECT_EQ(text, reply->text_utf8);
    for (std::size_t i = 0; i < reply->ids.size(); ++i) {
        const TokenLogprobs& one = reply->logprobs[i];
        EXPECT_EQ(one.token.id, reply->ids[i]);
        ASSERT_EQ(one.top.size(), 5U);
        EXPECT_EQ(one.top[0].id, one.token.id); // greedy: the best one
        EXPECT_TRUE(std::ranges::is_sorted(one.top, std::greater(), &TokenChance::logprob));
        double sum = 0;
        for (const TokenChance& chance : one.top) {
            sum += std::exp(chance.logprob);
        }
        EXPECT_LE(sum, 1.0 + 1e-6);
        EXPECT_EQ(streamed[i].token.logprob, one.token.logprob);
    }
}

TEST_P(Guided, BiasesAndPenaltiesHaveTheirWay) {
    const std::vector<TokenId> plain = answer(*scheduler_, ask("open the menu", 12)).ids;
    ASSERT_GE(plain.size(), 2U);
    ChatRequest never = ask("open the menu", 12);
    never.sampling.logit_bias = {{plain[0], -1000.0}};
    const std::vector<TokenId> without = answer(*scheduler_, never).ids;
    EXPECT_EQ(std::ranges::count(without, plain[0]), 0);
    ChatRequest always = ask("open the menu", 12);
    always.sampling.logit_bias = {{plain[1], 1000.0}};
    EXPECT_EQ(answer(*scheduler_, always).ids, std::vector<TokenId>(12, plain[1]));
    always.sampling.frequency_penalty = 100;
    always.sampling.logit_bias = {{plain[1], 50.0}};
    EXPECT_LE(std::ranges::count(answer(*scheduler_, always).ids, plain[1]), 2);
}

TEST(AskedOtherwise, ARawPromptIsReadAsItStands) {
    const auto scheduler = open_scheduler(kNano);
    const ChatRequest templated = ask("Hello", 10);
    const Prompt prompt = build_prompt(scheduler->core().prompt_context(), templated, TypedControlTokens::StayText).value();
    ChatRequest raw;
    raw.max_new_tokens = 10;
    raw.raw_prompt = prompt.ids;
    EXPECT_EQ(answer(*scheduler, raw).ids, answer(*scheduler, templated).ids);
    std::string text;
    for (const TokenId id : prompt.ids) {
        text += scheduler->core().tokenizer().token_bytes(id);
    }
    raw.raw_prompt = text;
    EXPECT_EQ(answer(*scheduler, raw).ids, answer(*scheduler, templated).ids);
    raw.raw_prompt = std::vector<TokenId>{5, 1 << 20};
    const auto refused = scheduler->run(raw, {}, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::OutOfBounds);
}

TEST(AskedOtherwise, SpecialTokensAreLeftOutWhereTheyAreNotWanted) {
    const auto scheduler = open_scheduler(kNano);
    ChatRequest request = ask_about("a.png", "# Task\nClick Save.\n# Steps done\nnone\n# Screen\n", 60);
    const Completion whole = answer(*scheduler, request);
    ASSERT_NE(whole.text_utf8.find("<think>"), std::string::npos) << whole.text_utf8;
    request.skip_special_tokens = true;
    const Completion plain = answer(*scheduler, request);
    EXPECT_EQ(plain.ids, whole.ids);
    EXPECT_EQ(plain.text_utf8.find('<'), std::string::npos) << plain.text_utf8; // nano calls all its tags special
}

TEST(AskedOtherwise, ATimeLimitEndsTheAnswerWithWhatThereIs) {
    const auto scheduler = open_scheduler(kTiny);
    ChatRequest request = ask("endless", 60'000);
    request.time_limit = std::chrono::milliseconds(300);
    const Completion reply = answer(*scheduler, request);
    EXPECT_EQ(reply.stop_reason, StopReason::TimeUp);
    EXPECT_LT(reply.ids.size(), 60'000U);
}

TEST(NumberChances, AreTheProbabilitiesOfTheNumbersThatCouldStandThere) {
    const auto scheduler = open_scheduler(kNano);
    ChatRequest request = ask_about("a.png", "# Task\nClick Save.\n# Steps done\nnone\n# Screen\n", 60);
    request.grammar = AnswerGrammar{.gbnf = R"(root ::= "at " [0-9]{1,3} "," [0-9]{1,3})"};
    request.number_chances = true;
    request.thinking_budget = 10;
    request.top_logprobs = 1;
    const Completion reply = answer(*scheduler, request);
    ASSERT_EQ(reply.numbers.size(), 2U) << reply.text_utf8;
    for (const NumberSpread& number : reply.numbers) {
        const int written = std::stoi(reply.text_utf8.substr(number.text_offset));
        double sum = 0;
        for (const NumberSpread::Chance& chance : number.chances) {
            EXPECT_GE(chance.probability, kNumberChanceMin);
            sum += chance.probability;
        }
        EXPECT_LE(sum, 1.0 + 1e-6);
        EXPECT_TRUE(std::ranges::is_sorted(number.chances, {}, &NumberSpread::Chance::value));
        const auto best = std::ranges::max_element(number.chances, {}, &NumberSpread::Chance::probability);
        if (best != number.chances.end() && sum > 0.5) {
            EXPECT_EQ(best->value, written); // greedy
        }
    }
}

} // namespace
} // namespace handeye
