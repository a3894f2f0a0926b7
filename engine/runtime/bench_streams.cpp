// SPDX-License-Identifier: Apache-2.0
// What many answers at once gain over one: the weights are read once for all of them.
#include "engine/engine.h"
#include "engine/kernels/machine_peak.h"
#include "engine/runtime/scheduler.h"
#include "engine/runtime/work.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr int kNewTokens = 48;
constexpr std::size_t kMemoryBytes = 512U << 20U; // beyond any cache

// Any text at all: masks are looked up and applied, and nothing else changes.
constexpr const char* kAnyText = "root ::= [^\\x00]*";
constexpr int kPairs = 5;

ChatRequest bench_request(int stream) {
    ChatRequest request;
    request.messages.push_back({.role = Role::User, .parts = {TextPart{fmt::format("{} Write down what you see on the screen, line by line.", stream)}}});
    request.max_new_tokens = kNewTokens;
    request.session = std::to_string(stream);
    return request;
}

// Tokens a second while tokens were made: of all streams together. Those that ended early do not count against the others.
Result<double> tokens_per_second(Scheduler& scheduler, int streams) {
    std::vector<Result<Completion>> answers(static_cast<std::size_t>(streams), Error{ErrorCode::Internal, "not asked"});
    std::vector<std::thread> callers;
    for (int i = 0; i < streams; ++i) {
        callers.emplace_back([&, i] { answers[static_cast<std::size_t>(i)] = scheduler.run(bench_request(i), {}, {}); });
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    double rate = 0;
    for (const auto& answer : answers) {
        if (!answer) {
            return answer.error();
        }
        rate += (answer->usage.completion_tokens - 1) / std::chrono::duration<double>(answer->usage.timings.decode).count();
    }
    return rate;
}

// The same answer with and without a grammar, in turn: the median of the pairs' ratios, and the rate without.
struct Constrained {
    double rate = 0;
    double free_rate = 0;
};
Result<Constrained> measure_constrained(Scheduler& scheduler) {
    const auto rate = [&](bool is_constrained) -> Result<double> {
        ChatRequest request = bench_request(0);
        if (is_constrained) {
            request.grammar = AnswerGrammar{.gbnf = kAnyText, .added_tokens_as_text = true};
        }
        const Completion done = TRY(scheduler.run(request, {}, {}));
        return (done.usage.completion_tokens - 1) / std::chrono::duration<double>(done.usage.timings.decode).count();
    };
    (void)TRY(rate(true)); // the masks of this grammar
    std::vector<Constrained> pairs;
    for (int i = 0; i < kPairs; ++i) {
        const double free_rate = TRY(rate(false));
        pairs.push_back({.rate = TRY(rate(true)), .free_rate = free_rate});
    }
    std::ranges::sort(pairs, {}, [](const Constrained& pair) { return pair.rate / pair.free_rate; });
    return pairs[kPairs / 2];
}

} // namespace

Result<std::vector<BenchLine>> bench_streams(const EngineOptions& options, int streams) {
    if (streams < 1 || streams > kernels::kFewRows) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} streams; from 1 to {} can be measured", streams, kernels::kFewRows)};
    }
    std::unique_ptr<EngineCore> core = TRY(EngineCore::open(options));
    const Model& model = core->model();
    const double bytes = decode_bytes(model.decoder, kNewTokens / 2.0, options.kv_format);
    const double flop = decoder_flop(model.decoder.config, 1, kNewTokens / 2.0);
    const double memory = measure_read_bandwidth(core->pool(), kMemoryBytes);
    const double bandwidth = std::max(memory, measure_read_bandwidth(core->pool(), static_cast<std::size_t>(bytes)));
    const double peak = measure_fma_peak(core->pool());
    // Without guesses: the same question again would be guessed whole.
    Scheduler scheduler(std::move(core), {.sequences_max = static_cast<std::size_t>(streams), .waiting_max = static_cast<std::size_t>(streams), .guesses = false});
    (void)TRY(tokens_per_second(scheduler, 1)); // warm
    const double alone = TRY(tokens_per_second(scheduler, 1));
    const Constrained constrained = TRY(measure_constrained(scheduler));
    const double together = TRY(tokens_per_second(scheduler, streams));
    const std::string read_name = fmt::format("read {:.1f} GB/s ({:.1f} MB a pass)", bandwidth / 1e9, bytes / 1e6);
    const double read_limit = bandwidth / bytes;
    const double both_limit = std::min(streams * read_limit, peak / flop);
    return std::vector<BenchLine>{
        {.name = "one answer", .value = alone, .unit = "tokens/s", .ceiling = read_limit, .ceiling_name = read_name, .share = alone / read_limit},
        {.name = fmt::format("{} answers together", streams), .value = together, .unit = "tokens/s", .ceiling = both_limit,
         .ceiling_name = both_limit < streams * read_limit ? fmt::format("FMA peak {:.0f} GFLOP/s", peak / 1e9) : read_name, .share = together / both_limit},
        {.name = "one answer under a grammar", .value = constrained.rate, .unit = "tokens/s", .ceiling = constrained.free_rate, .ceiling_name = "the same without", .share = constrained.rate / constrained.free_rate},
        {.name = "gain", .value = together / alone, .unit = "x"},
    };
}

} // namespace handeye
