// SPDX-License-Identifier: Apache-2.0
// Ids chosen from what a device leaves of its logits are those that the processor chooses from all of them; and how little of them is brought from the device.
// HANDEYE_FULL=1: with two seeds.
#include "../asking.h"
#include "host_device.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace handeye {
namespace {

using namespace test;

constexpr const char* kPlace = R"(root ::= "at " [0-9]{1,3} "," [0-9]{1,3})";
constexpr const char* kWords = R"(root ::= [a-z ]{4,20} "." )";

// A model on the processor, and the same on a device whose downloads are counted.
class Answers : public testing::Test {
protected:
    static std::unique_ptr<Scheduler> open(std::shared_ptr<device::Device> device) {
        EngineOptions options{.model_dir = kTiny, .threads = 2, .context_tokens = 512, .checksums = Checksums::Skip, .kv_format = KvFormat::F32};
        options.opened_device = std::move(device);
        options.exact = true;
        auto core = EngineCore::open(options);
        EXPECT_TRUE(core) << core.error().message;
        return std::make_unique<Scheduler>(std::move(core).value(), SchedulerLimits{});
    }
    void expect_equal(const ChatRequest& request) {
        downloads_.clear();
        expect_same(answer(*there_, request), answer(*here_, request));
    }
    static void expect_same(const Completion& got, const Completion& wanted) {
        EXPECT_EQ(got.ids, wanted.ids) << got.text_utf8 << "\n" << wanted.text_utf8;
        EXPECT_EQ(got.stop_reason, wanted.stop_reason);
        ASSERT_EQ(got.logprobs.size(), wanted.logprobs.size());
        for (std::size_t i = 0; i < got.logprobs.size(); ++i) {
            expect_near(got.logprobs[i].token, wanted.logprobs[i].token);
            ASSERT_EQ(got.logprobs[i].top.size(), wanted.logprobs[i].top.size());
            for (std::size_t j = 0; j < got.logprobs[i].top.size(); ++j) {
                expect_near(got.logprobs[i].top[j], wanted.logprobs[i].top[j]);
            }
        }
        ASSERT_EQ(got.numbers.size(), wanted.numbers.size());
        for (std::size_t i = 0; i < got.numbers.size(); ++i) {
            ASSERT_EQ(got.numbers[i].chances.size(), wanted.numbers[i].chances.size());
            for (std::size_t j = 0; j < got.numbers[i].chances.size(); ++j) {
                EXPECT_EQ(got.numbers[i].chances[j].value, wanted.numbers[i].chances[j].value);
                EXPECT_NEAR(got.numbers[i].chances[j].probability, wanted.numbers[i].chances[j].probability, 1e-5);
            }
        }
    }
    static void expect_near(const TokenChance& got, const TokenChance& wanted) {
        EXPECT_EQ(got.id, wanted.id);
        EXPECT_EQ(got.bytes, wanted.bytes);
        EXPECT_NEAR(got.logprob, wanted.logprob, 1e-4);
    }
    [[nodiscard]] std::size_t whole_rows() const { return count(vocabulary_ * sizeof(float)); }
    [[nodiscard]] std::size_t passes_of(std::size_t rows) const { return count(rows * sizeof(device::RowCandidates)); }

    std::unique_ptr<Scheduler> here_ = open(nullptr);
    std::map<std::size_t, std::size_t> downloads_; // how many of so many bytes
    std::unique_ptr<Scheduler> there_ = open(open_host_device({.on_download = [this](std::size_t bytes) { ++downloads_[bytes]; }}));
    std::size_t vocabulary_ = static_cast<std::size_t>(here_->core().model().decoder.config.vocabulary);

private:
    [[nodiscard]] std::size_t count(std::size_t bytes) const { return downloads_.contains(bytes) ? downloads_.at(bytes) : 0; }
};

TEST_F(Answers, GreedyOnesBringOnlyTheBest) {
    expect_equal(ask("count", 12));
    EXPECT_EQ(whole_rows(), 0U);
    EXPECT_EQ(passes_of(1), 12U);
}

TEST_F(Answers, SampledOnesAreThoseOfTheirSeed) {
    for (std::uint64_t seed = 0; seed < (std::getenv("HANDEYE_FULL") != nullptr ? 2U : 1U); ++seed) {
        for (const SamplingOptions& sampling : {SamplingOptions{.temperature = 0.8, .top_p = 0.6, .seed = seed}, SamplingOptions{.temperature = 1.0, .top_k = 40, .seed = seed},
                                                SamplingOptions{.temperature = 0.05, .seed = seed, .min_p = 0.2}, SamplingOptions{.temperature = 0.001, .seed = seed}}) {
            SCOPED_TRACE(testing::Message() << sampling.temperature << " " << sampling.top_p << " " << sampling.top_k << " " << sampling.min_p << " " << seed);
            ChatRequest request = ask("count", 12);
            request.sampling = sampling;
            expect_equal(request);
            if (sampling.top_k > 0 || sampling.temperature < 0.1) {
                EXPECT_EQ(whole_rows(), 0U);
            }
        }
    }
}

// Nearly all ids are as likely as each other: the best ones do not tell which comes.
TEST_F(Answers, FlatRowsAreBroughtWhole) {
    ChatRequest request = ask("count", 12);
    request.sampling = {.temperature = 5, .seed = 3};
    expect_equal(request);
    EXPECT_GT(whole_rows(), 5U);
    request.sampling = {.temperature = 0, .repetition_penalty = 1.3};
    expect_equal(request);
    EXPECT_GT(whole_rows(), 5U);
}

TEST_F(Answers, KeepToTheirGrammar) {
    for (const char* const grammar : {kPlace, kWords}) {
        for (const double temperature : {0.0, 1.5}) {
            SCOPED_TRACE(std::string(grammar) + " at " + std::to_string(temperature));
            ChatRequest request = ask("count", 30);
            request.grammar = AnswerGrammar{.gbnf = grammar};
            request.thinking_budget = 4;
            request.sampling.temperature = temperature;
            request.sampling.seed = 5;
            const std::size_t passes = there_->load().passes;
            expect_equal(request);
            EXPECT_EQ(temperature == 0.0 ? whole_rows() : 0U, 0U);
            if (grammar == kPlace && temperature > 0) {
                EXPECT_LT(whole_rows(), 6U) << "but for the thought no more than the best ten digits were to be known";
                EXPECT_GT(passes_of(1), there_->load().passes - passes + 2) << "no row was asked again, for the best that may come";
            }
        }
    }
}

TEST_F(Answers, TellTheSameOfTheirTokens) {
    for (const double temperature : {0.0, 1.0}) {
        ChatRequest request = ask("count", 12);
        request.sampling.temperature = temperature;
        for (const int top : {0, 20}) {
            request.top_logprobs = top;
            expect_equal(request);
            EXPECT_EQ(temperature == 0.0 ? whole_rows() : 0U, 0U);
        }
        request.max_new_tokens = 30;
        request.grammar = AnswerGrammar{.gbnf = kPlace};
        request.number_chances = true;
        request.thinking_budget = 4;
        expect_equal(request);
    }
}

TEST_F(Answers, SeveralAtOnceAreThoseOfEachAlone) {
    std::vector<ChatRequest> requests(6, ask("count", 16));
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].sampling = {.temperature = i % 3 * 0.4, .top_p = 0.8, .seed = i};
        requests[i].session = std::to_string(i);
        requests[i].top_logprobs = static_cast<int>(i);
    }
    requests[4].grammar = requests[5].grammar = AnswerGrammar{.gbnf = kWords};
    std::vector<Completion> together(requests.size());
    {
        std::vector<std::jthread> callers;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            callers.emplace_back([&, i] { together[i] = answer(*there_, requests[i]); });
        }
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
        SCOPED_TRACE(i);
        expect_same(together[i], answer(*here_, requests[i]));
    }
    EXPECT_GT(passes_of(2) + passes_of(3) + passes_of(4) + passes_of(5) + passes_of(6), 0U) << "never were two computed together";
}

} // namespace
} // namespace handeye
