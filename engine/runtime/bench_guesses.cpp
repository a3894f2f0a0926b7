// SPDX-License-Identifier: Apache-2.0
// What guessing gains on answers that are known: the passes are computed, and what they choose is read from the record.
#include "engine/engine.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/lookup.h"
#include "engine/runtime/memory.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kPromptTokensMax = 1024; // the newest: what is older is read, but hardly guessed from
constexpr std::size_t kAnswerTokensMax = 512;

struct Walk {
    Duration took{};
    int passes = 0;
};

/// The tokens of one answer after its prompt, one pass each or with guesses.
class Recorded {
public:
    Recorded(EngineCore& core, Timeline& timeline, std::vector<TokenId> prompt, std::vector<TokenId> answer)
        : core_(core), timeline_(timeline), prompt_(std::move(prompt)), answer_(std::move(answer)) {}

    Result<void> read_prompt() {
        timeline_.truncate(0);
        for (std::size_t at = 0; at < prompt_.size(); at += kPrefillChunk) {
            TRY(pass({prompt_.data() + at, std::min<std::size_t>(kPrefillChunk, prompt_.size() - at)}));
        }
        return {};
    }

    /// `earlier`: answers of the same session, to guess from.
    Result<Walk> walk(GuessPolicy* policy, std::span<const TokenId> earlier = {}) {
        timeline_.truncate(static_cast<std::int64_t>(prompt_.size()));
        PromptLookup lookup;
        lookup.append(earlier);
        lookup.append(prompt_);
        lookup.append({answer_.data(), 1});
        Walk out;
        for (std::size_t at = 0; at + 1 < answer_.size();) {
            std::vector<TokenId> fed{answer_[at]};
            if (policy != nullptr) {
                const std::vector<TokenId> ids = lookup.guess(std::min(policy->allowed(), answer_.size() - at - 2));
                fed.insert(fed.end(), ids.begin(), ids.end());
            }
            const auto right = static_cast<std::size_t>(std::distance(fed.begin(), std::mismatch(fed.begin(), fed.end(), answer_.begin() + static_cast<std::ptrdiff_t>(at)).first)) - 1;
            const TimePoint begin = engine_now();
            TRY(pass(fed));
            const Duration took = engine_now() - begin;
            timeline_.truncate(static_cast<std::int64_t>(prompt_.size() + at + 1 + right));
            lookup.append({answer_.data() + at + 1, right + 1});
            if (policy != nullptr) {
                policy->note(fed.size() - 1, right + 1, took);
            }
            out.took += took;
            ++out.passes;
            at += right + 1;
        }
        return out;
    }
    [[nodiscard]] std::size_t tokens() const { return answer_.size() - 1; }
    [[nodiscard]] std::span<const TokenId> answer() const { return answer_; }

private:
    Result<void> pass(std::span<const TokenId> ids) {
        EngineCore::PassRows rows{.timeline = &timeline_, .ids = ids, .logit_rows = {}};
        for (std::size_t row = ids.size() > GuessPolicy::kGuessMax + 1 ? ids.size() - 1 : 0; row < ids.size(); ++row) {
            rows.logit_rows.push_back(static_cast<std::int64_t>(row));
        }
        TRY(core_.forward_rows({&rows, 1}, {}));
        return {};
    }

    EngineCore& core_;
    Timeline& timeline_;
    const std::vector<TokenId> prompt_;
    const std::vector<TokenId> answer_;
};

} // namespace

Result<std::vector<BenchLine>> bench_guesses(const EngineOptions& options, const std::vector<RecordedAnswer>& answers) {
    const std::unique_ptr<EngineCore> core = TRY(EngineCore::open(options));
    Timeline timeline = TRY(core->new_timeline());
    Walk plain;
    Walk guessed;
    std::size_t tokens = 0;
    AnswerMemory memory;
    for (const RecordedAnswer& each : answers) {
        std::vector<TokenId> prompt = core->tokenizer().encode(each.prompt_utf8, AddedTokens::Recognised);
        std::vector<TokenId> answer = core->tokenizer().encode(each.answer_utf8, AddedTokens::Recognised);
        prompt.erase(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(std::min(prompt.size(), kPromptTokensMax)));
        answer.resize(std::min(answer.size(), kAnswerTokensMax));
        if (prompt.empty() || answer.size() < 2) {
            continue;
        }
        Recorded recorded(*core, timeline, std::move(prompt), std::move(answer));
        TRY(recorded.read_prompt());
        GuessPolicy policy; // as each answer begins with one of its own
        const Walk one = TRY(recorded.walk(nullptr));
        const Walk two = TRY(recorded.walk(&policy, memory.recall("recorded")));
        memory.remember("recorded", recorded.answer());
        plain.took += one.took;
        guessed.took += two.took;
        plain.passes += one.passes;
        guessed.passes += two.passes;
        tokens += recorded.tokens();
    }
    if (tokens == 0) {
        return Error{ErrorCode::InvalidArgument, "no answer has two tokens or more"};
    }
    const auto seconds = [](Duration took) { return std::chrono::duration<double>(took).count(); };
    const auto count = static_cast<double>(tokens);
    return std::vector<BenchLine>{
        {.name = "one token a pass", .value = count / seconds(plain.took), .unit = "tokens/s"},
        {.name = "with guesses", .value = count / seconds(guessed.took), .unit = "tokens/s"},
        {.name = "tokens a pass", .value = count / guessed.passes, .unit = "tokens"},
        {.name = "gain", .value = seconds(plain.took) / seconds(guessed.took), .unit = "x"},
    };
}

} // namespace handeye
