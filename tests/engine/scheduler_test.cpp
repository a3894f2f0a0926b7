// SPDX-License-Identifier: Apache-2.0
// Several answers at once: the same as alone, in turn, within the caches' room.
#include "asking.h"
#include "engine/runtime/goldens.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using namespace test;

std::vector<Completion> answer_at_once(Scheduler& scheduler, const std::vector<ChatRequest>& requests) {
    std::vector<Completion> answers(requests.size());
    std::vector<std::thread> callers;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        callers.emplace_back([&, i] {
            auto completion = scheduler.run(requests[i], {}, {});
            EXPECT_TRUE(completion) << completion.error().message;
            answers[i] = completion ? std::move(completion).value() : Completion{};
        });
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    return answers;
}

std::vector<ChatRequest> eight_requests() {
    std::vector<ChatRequest> requests;
    for (const char* picture : {"a.png", "c.png", "a.png"}) {
        requests.push_back(ask_about(picture, "open " + std::to_string(requests.size()), 40));
    }
    for (int i = 0; i < 5; ++i) {
        requests.push_back(ask("menu " + std::string(static_cast<std::size_t>(i * 60), 'x'), 40 + i));
    }
    requests[4].sampling = {.temperature = 1.0, .seed = 7};
    return requests;
}

TEST(Scheduler, EightAtOnceGiveWhatEachGivesAlone) {
    const std::vector<ChatRequest> requests = eight_requests();
    std::vector<std::vector<TokenId>> alone;
    for (const ChatRequest& request : requests) {
        const auto fresh = open_scheduler(kTiny);
        alone.push_back(answer_at_once(*fresh, {request}).front().ids);
        EXPECT_FALSE(alone.back().empty());
    }
    for (int round = 0; round < 3; ++round) { // in other orders, and with full caches
        const auto together = open_scheduler(kTiny);
        const std::vector<Completion> answers = answer_at_once(*together, requests);
        for (std::size_t i = 0; i < requests.size(); ++i) {
            EXPECT_EQ(answers[i].ids, alone[i]) << i;
        }
        const EngineLoad load = together->load();
        EXPECT_LT(load.passes, load.pass_rows); // some passes were shared
        EXPECT_EQ(load.answers, requests.size());
        EXPECT_EQ(load.images_embedded, 2U);
    }
}

TEST(Scheduler, ALongPromptDoesNotHoldUpTheTokensOfOthers) {
    const auto scheduler = open_scheduler(kTiny);
    std::atomic<int> pieces = 0;
    std::stop_source stop;
    std::thread writer([&] { (void)scheduler->run(ask("endless", 60'000), [&](std::string_view) { ++pieces; pieces.notify_all(); }, stop.get_token()); });
    pieces.wait(0);
    const EngineLoad before = scheduler->load();
    const Completion answer = answer_at_once(*scheduler, {ask(std::string(6000, 'a'), 1)}).front();
    const EngineLoad after = scheduler->load();
    stop.request_stop();
    writer.join();
    EXPECT_GT(answer.usage.prompt_tokens, 2000);
    EXPECT_GE(static_cast<int>(after.passes - before.passes), answer.usage.prompt_tokens / 128 - 1); // a token of the writer after each chunk
}

TEST(Scheduler, ASessionWithoutAnAnswerAtWorkGoesBeforeOneThatHasSome) {
    const auto scheduler = open_scheduler(kTiny, {.sequences_max = 2});
    std::atomic<int> begun = 0;
    std::stop_source stop_one;
    std::stop_source stop_other;
    const auto endless = [&](const std::stop_source& stop) {
        ChatRequest request = ask("endless", 60'000);
        request.session = "a";
        (void)scheduler->run(request, [&, told = false](std::string_view) mutable {
            if (!std::exchange(told, true)) {
                ++begun;
                begun.notify_all();
            }
        }, stop.get_token());
    };
    std::thread one([&] { endless(stop_one); });
    std::thread other([&] { endless(stop_other); });
    for (int n = begun; n < 2; n = begun) {
        begun.wait(n);
    }
    std::atomic<int> turn = 0;
    std::map<std::string, int> turns;
    std::vector<std::thread> callers;
    for (const char* session : {"a", "b"}) {
        callers.emplace_back([&, session] {
            ChatRequest request = ask("x", std::string_view(session) == "a" ? 600 : 2);
            request.session = session;
            EXPECT_TRUE(scheduler->run(request, {}, {}));
            turns[session] = ++turn;
        });
        while (scheduler->load().waiting < callers.size()) {
            std::this_thread::yield();
        }
    }
    stop_one.request_stop(); // one place: "a" still has one at work
    for (std::thread& caller : callers) {
        caller.join();
    }
    EXPECT_LT(turns["b"], turns["a"]);
    stop_other.request_stop();
    one.join();
    other.join();
}

TEST(Scheduler, SaysWhenTooManyWait) {
    const auto scheduler = open_scheduler(kTiny, {.sequences_max = 1, .waiting_max = 1});
    std::atomic<bool> has_begun = false;
    std::stop_source stop;
    std::thread first([&] { (void)scheduler->run(ask("endless", 60'000), [&](std::string_view) { has_begun = true; has_begun.notify_all(); }, stop.get_token()); });
    has_begun.wait(false);
    std::stop_source gone;
    std::thread second([&] {
        const auto reply = scheduler->run(ask("x"), {}, gone.get_token());
        EXPECT_EQ(reply ? reply->stop_reason : StopReason::StopToken, StopReason::Cancelled); // it never had its turn
    });
    while (scheduler->load().waiting < 1) {
        std::this_thread::yield();
    }
    const auto third = scheduler->run(ask("y"), {}, {});
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, ErrorCode::Overloaded);
    gone.request_stop();
    second.join(); // while the first goes on
    stop.request_stop();
    first.join();
}

TEST(Scheduler, AnswersThatDoNotFitTogetherAreBegunAgainAndStayTheSame) {
    const std::vector<ChatRequest> requests = {ask("one", 120), ask("two", 120), ask("three", 120)};
    std::vector<std::vector<TokenId>> alone;
    for (const ChatRequest& request : requests) {
        const auto fresh = open_scheduler(kTiny, {}, 200);
        alone.push_back(answer_at_once(*fresh, {request}).front().ids);
    }
    const auto scheduler = open_scheduler(kTiny, {}, 200);
    for (int round = 0; round < 50 && scheduler->load().restarts == 0; ++round) { // on a busy machine one may end before the next begins
        const std::vector<Completion> answers = answer_at_once(*scheduler, requests);
        for (std::size_t i = 0; i < requests.size(); ++i) {
            EXPECT_EQ(answers[i].ids, alone[i]) << i;
        }
    }
    EXPECT_GT(scheduler->load().restarts, 0U);
    EXPECT_LE(scheduler->load().cached_tokens, 200);
}

TEST(Scheduler, ABeginningThatAnyCacheHasIsNotComputedAgain) {
    const auto scheduler = open_scheduler(kTiny);
    const std::string shared(400, 's');
    const Completion first = answer_at_once(*scheduler, {ask(shared + " one")}).front();
    const Completion second = answer_at_once(*scheduler, {ask(shared + " two")}).front();
    EXPECT_GT(second.usage.reused_tokens, first.usage.prompt_tokens - 20);
    // Both sessions go on where they were.
    for (const auto& [text, before] : {std::pair{shared + " one", first}, {shared + " two", second}}) {
        ChatRequest next = ask(text);
        next.messages.push_back({.role = Role::Assistant, .parts = {TextPart{before.text_utf8}}});
        next.messages.push_back({.role = Role::User, .parts = {TextPart{"and"}}});
        EXPECT_GE(answer_at_once(*scheduler, {next}).front().usage.reused_tokens, before.usage.prompt_tokens - 8); // all but how the question ends
    }
}

// A step's prompt is the last one's with a line more and another picture behind it: nothing before the line is computed again.
TEST(Scheduler, TheFifthStepComputesNothingOfTheSharedBeginningAgain) {
    const auto scheduler = open_scheduler(kNano);
    std::string steps;
    std::vector<TokenId> before;
    for (int step = 1; step <= 5; ++step) {
        ChatRequest request = ask("# Task\nSet Name to Ada, tick Active and click Save.\n# Steps done\n" + (steps.empty() ? "none\n" : steps) + "# Screen\n", 24);
        std::vector<std::uint8_t> pixels(336 * 224, static_cast<std::uint8_t>(200 + step));
        request.messages[0].parts.emplace_back(ImagePart{Image::from_pixels({336, 224}, PixelFormat::Gray, std::move(pixels)).value()});
        request.session = "one";
        const std::vector<TokenId> ids = build_prompt(scheduler->core().prompt_context(), request, TypedControlTokens::StayText)->ids;
        const auto shared = std::distance(ids.begin(), std::mismatch(ids.begin(), ids.end(), before.begin(), before.end()).first);
        const EngineLoad was = scheduler->load();
        const Completion reply = answer(*scheduler, request);
        const EngineLoad is = scheduler->load();
        EXPECT_EQ(is.prefill_tokens - was.prefill_tokens, ids.size() - static_cast<std::size_t>(shared)) << step;
        EXPECT_EQ(is.reused_tokens - was.reused_tokens, static_cast<std::uint64_t>(shared)) << step;
        EXPECT_EQ(reply.usage.reused_tokens, shared) << step;
        EXPECT_TRUE(step == 1 || shared > 20) << shared;
        before = ids;
        steps += std::to_string(step) + " left_click Name\n";
    }
}

// Repetition is where guessing helps; the answers are the same with and without, sampled ones too.
// HANDEYE_FULL=1: 500 questions to each model.
TEST(Scheduler, GuessingChangesNothingButTheTime) {
    const char* const full = std::getenv("HANDEYE_FULL");
    const int count = full != nullptr && std::string_view(full) == "1" ? 500 : 40;
    std::vector<ChatRequest> requests;
    for (int i = 0; i < count; ++i) {
        std::string text;
        for (int k = 0; k < 3; ++k) {
            text += "row " + std::to_string(i % 7) + " save the file as report " + std::to_string(i) + "; ";
        }
        requests.push_back(i % 3 == 0 ? ask_about("c.png", text, 60) : ask(text, 60));
        requests.back().sampling = {.temperature = i % 4 == 3 ? 0.8 : 0.0, .repetition_penalty = i % 5 == 4 ? 1.2 : 1.0, .seed = static_cast<std::uint64_t>(i)};
        if (i % 6 == 5) {
            requests.back().thinking_budget = 20;
        }
        requests.back().session = i % 2 == 0 ? "agent" : ""; // which has its earlier answers to guess from
    }
    for (const fs::path& dir : {kTiny, kNano}) {
        const auto plain = open_scheduler(dir, {.guesses = false});
        const auto guessing = open_scheduler(dir, {.guesses = true});
        for (std::size_t i = 0; i < requests.size(); ++i) {
            const Completion one = answer_at_once(*plain, {requests[i]}).front();
            const Completion other = answer_at_once(*guessing, {requests[i]}).front();
            EXPECT_EQ(one.ids, other.ids) << dir << " " << i;
            EXPECT_EQ(one.text_utf8, other.text_utf8);
            EXPECT_EQ(one.stop_reason, other.stop_reason);
        }
        EXPECT_EQ(plain->load().guessed_tokens, 0U);
        EXPECT_GT(guessing->load().guessed_tokens, 0U);
        EXPECT_GT(guessing->load().right_guesses, 0U) << dir;
    }
}

TEST(PromptLookup, FindsWhatFollowedTheSameTokens) {
    PromptLookup lookup;
    EXPECT_TRUE(lookup.guess(4).empty());
    lookup.append(std::vector<TokenId>{1, 2, 3, 4, 5, 9, 1, 2, 3});
    EXPECT_EQ(lookup.guess(4), (std::vector<TokenId>{4, 5, 9, 1}));
    EXPECT_EQ(lookup.guess(1), (std::vector<TokenId>{4}));
    lookup.append(std::vector<TokenId>{7, 1, 2, 3}); // the latest place counts
    EXPECT_EQ(lookup.guess(9), (std::vector<TokenId>{7, 1, 2, 3}));
    lookup.append(std::vector<TokenId>{8});
    EXPECT_TRUE(lookup.guess(4).empty());
}

TEST(AnswerMemory, KeepsEachSessionsNewestAnswersApart) {
    AnswerMemory memory;
    memory.remember("a", std::vector<TokenId>{1, 2, 3, 4});
    memory.remember("b", std::vector<TokenId>{1, 2, 3, 9});
    PromptLookup lookup;
    lookup.append(memory.recall("a"));
    lookup.append(std::vector<TokenId>{7, 1, 2, 3});
    EXPECT_EQ(lookup.guess(5), (std::vector<TokenId>{4})); // not into what came after that answer
    EXPECT_TRUE(memory.recall("c").empty());
    memory.remember("a", std::vector<TokenId>(3 * AnswerMemory::kTokensMax, 5));
    EXPECT_EQ(memory.recall("a").size(), AnswerMemory::kTokensMax);
    for (std::size_t i = 0; i < AnswerMemory::kSessionsMax; ++i) {
        memory.remember(std::to_string(i), std::vector<TokenId>{1});
    }
    EXPECT_TRUE(memory.recall("b").empty()); // quiet for longest
}

TEST(GuessPolicy, GivesUpWhereItDoesNotPayAndTriesAgain) {
    using namespace std::chrono_literals;
    GuessPolicy policy;
    policy.note(0, 1, 10ms);
    int tried = 0;
    for (int token = 0; token < 5000; ++token) {
        const bool guesses = policy.allowed() > 0;
        tried += guesses ? 1 : 0;
        policy.note(guesses ? 7 : 0, 1, guesses ? 14ms : 10ms); // never right, and dearer
    }
    EXPECT_GT(tried, 3);
    EXPECT_LT(tried, 60); // 24 ms of 50 s
    GuessPolicy paying;
    paying.note(0, 1, 10ms);
    for (int pass = 0; pass < 100; ++pass) {
        ASSERT_GT(paying.allowed(), 0U) << pass;
        paying.note(7, 4, 14ms);
    }
}

TEST(Scheduler, EndsItsCallersWhenItEnds) {
    auto scheduler = open_scheduler(kTiny);
    std::atomic<bool> has_begun = false;
    Result<Completion> reply = Completion{};
    std::thread caller([&, raw = scheduler.get()] {
        reply = raw->run(ask("endless", 60'000), [&](std::string_view) { has_begun = true; has_begun.notify_all(); }, {});
    });
    has_begun.wait(false);
    scheduler.reset();
    caller.join();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->stop_reason, StopReason::Cancelled);
}

// What fewer bits cost: the bundled model's answers about its pictures stay what they were.
TEST(KvCache, InFewerBitsGivesTheBundledModelsAnswers) {
    std::map<KvFormat, std::vector<TokenId>> answers;
    std::map<KvFormat, std::int64_t> bytes;
    ChatRequest request = ask("# Task\nClick Save.\n# Steps done\nnone\n# Screen\n", 96);
    request.messages[0].parts.emplace_back(ImagePart{Image::from_pixels({336, 224}, PixelFormat::Gray, std::vector<std::uint8_t>(336 * 224, 245)).value()});
    for (const KvFormat format : {KvFormat::F32, KvFormat::F16, KvFormat::Q8}) {
        const auto scheduler = open_scheduler(kNano, {}, 0, format);
        answers[format] = answer_at_once(*scheduler, {request}).front().ids;
        bytes[format] = kv_bytes_per_token(scheduler->core().model().decoder.config, format);
    }
    EXPECT_EQ(answers[KvFormat::F16], answers[KvFormat::F32]);
    EXPECT_EQ(answers[KvFormat::Q8], answers[KvFormat::F32]);
    EXPECT_EQ(bytes[KvFormat::F16] * 2, bytes[KvFormat::F32]);
    EXPECT_LE(bytes[KvFormat::Q8], bytes[KvFormat::F16] * 9 / 16);
}

std::vector<TokenId> longest_common(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
    return {a.begin(), std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first};
}

// Where keys and values of 8 bits give another id, the two ids were nearly as probable.
TEST(KvCache, OfEightBitsDiffersFromFloatsOnlyWhereTwoIdsAreNearlyAsProbable) {
    constexpr double kNearly = 0.05; // in nats
    int same = 0;
    int other = 0;
    for (const char* const name : {"glm4v-f32", "glm4v-bf16", "glm4-ct-int4", "glm4-gptq-int4-actorder", "glm4v-gptqmodel-mix", "glm4v_moe-awq-int4", "chatglm-f32"}) {
        const fs::path dir = kSource / "tests/golden/engine" / name;
        const auto goldens = Goldens::open(dir);
        ASSERT_TRUE(goldens) << goldens.error().message;
        const auto floats = open_scheduler(dir, {}, 0, KvFormat::F32);
        const auto bytes = open_scheduler(dir, {}, 0, KvFormat::Q8);
        for (const GoldenCase& each : goldens->cases()) {
            ChatRequest request = each.request;
            request.max_new_tokens = 16;
            request.top_logprobs = 5;
            const Completion one = answer(*floats, request);
            const Completion two = answer(*bytes, request);
            const std::size_t at = longest_common(one.ids, two.ids).size();
            if (one.ids == two.ids || at >= one.ids.size() || at >= two.ids.size()) {
                ++same;
                continue;
            }
            ++other;
            const TokenLogprobs& chosen = one.logprobs[at];
            const auto rival = std::ranges::find(chosen.top, two.ids[at], &TokenChance::id);
            ASSERT_NE(rival, chosen.top.end()) << name << " " << each.name << " at " << at;
            EXPECT_LT(chosen.token.logprob - rival->logprob, kNearly) << name << " " << each.name << " at " << at;
            fmt::print("{} {}: token {} differs, {:.4f} nats apart\n", name, each.name, at, chosen.token.logprob - rival->logprob);
        }
    }
    fmt::print("{} answers are the same, {} differ\n", same, other);
    EXPECT_GT(same, other);
}

} // namespace
} // namespace handeye
