// SPDX-License-Identifier: Apache-2.0
// Answers of real models at a temperature at which they babble, under the grammar of each dialect: every one that ends is an action.
// HANDEYE_FULL=1: 10,000 answers instead of some hundred.
#include "actions/grammar.h"
#include "actions/parse.h"
#include "tests/engine/asking.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace test;

constexpr std::size_t kAtOnce = 16;
constexpr int kTokensMax = 200; // a model that babbles may never come to the action: such an answer is none

bool is_full() {
    const char* const full = std::getenv("HANDEYE_FULL");
    return full != nullptr && std::string_view(full) == "1";
}
/// What is sampled of each dialect.
struct Sampled {
    const char* model;
    int few;
    int many;
};

struct Tally {
    std::atomic<int> ended = 0;
    std::atomic<int> cut_off = 0; ///< by kTokensMax
    std::atomic<std::int64_t> tokens = 0;
};

class SampledAnswers : public testing::TestWithParam<Sampled> {};
INSTANTIATE_TEST_SUITE_P(Models, SampledAnswers, testing::Values(Sampled{"models/nano", 16, 1200}, Sampled{"tests/golden/engine/glm4v-f32", 64, 4000}),
                         [](const auto& each) { return std::string(each.param.model).ends_with("nano") ? "Bundled" : "Random"; });

void sample(Scheduler& scheduler, Dialect dialect, const std::string& gbnf, std::uint64_t seed, Tally& tally) {
    ChatRequest request = ask("# Task\nClick Save and set Name to Ada.\n# Steps done\nnone\n# Screen\n", kTokensMax);
    request.sampling = {.temperature = 1.5, .seed = seed};
    request.thinking_budget = 8;
    request.grammar = AnswerGrammar{.gbnf = gbnf};
    const Completion reply = answer(scheduler, request);
    tally.tokens += reply.usage.completion_tokens;
    if (reply.stop_reason != StopReason::StopToken) {
        ++tally.cut_off;
        return;
    }
    ++tally.ended;
    const auto parsed = parse_reply(reply.text_utf8, dialect, Sequence::LastOnly, ReplyEnd::Complete);
    EXPECT_TRUE(parsed) << dialect_name(dialect) << " seed " << seed << ": " << (parsed ? "" : parsed.error().message) << "\n" << reply.text_utf8;
}

TEST_P(SampledAnswers, AreActionsInEveryDialect) {
    const auto scheduler = open_scheduler(kSource / GetParam().model, {.sequences_max = kAtOnce, .waiting_max = 64});
    const int count = is_full() ? GetParam().many : GetParam().few;
    int ended = 0;
    for (const Dialect dialect : model_dialects()) {
        const std::string gbnf = answer_grammar(dialect, {.marks = {1, 2, 12, 40, 141}, .apps = {"Files", "Clock"}}).value();
        Tally tally;
        std::atomic<int> next = 0;
        std::vector<std::thread> callers;
        for (std::size_t i = 0; i < kAtOnce; ++i) {
            callers.emplace_back([&] {
                for (int seed = next++; seed < count; seed = next++) {
                    sample(*scheduler, dialect, gbnf, static_cast<std::uint64_t>(seed), tally);
                }
            });
        }
        for (std::thread& caller : callers) {
            caller.join();
        }
        fmt::print("{}: {} answers are actions, {} were cut off at {} tokens; {} tokens on average\n", dialect_name(dialect), tally.ended.load(), tally.cut_off.load(), kTokensMax,
                   tally.tokens / count);
        ended += tally.ended;
    }
    fmt::print("{} answers, each an action\n", ended);
    EXPECT_GE(ended, count);
}

} // namespace
} // namespace handeye
