// SPDX-License-Identifier: Apache-2.0
// A tiny model with the rotary base of glm-4-9b-chat-1m: a prompt of 32,768 tokens, and attention over a cache of 1,048,576.
#include "engine/models/decoder.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/timeline.h"
#include "gguf_twin.h"
#include "temporary_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json golden(const std::string& name) { return json::parse(std::ifstream(HANDEYE_SOURCE_DIR "/tests/golden/engine/gguf_twins/" + name)); }

Result<std::unique_ptr<EngineCore>> open_twin(const json& twin, int context_tokens) {
    const TemporaryFolder folder;
    folder.write("model.gguf", twin::file_of(golden("twins.json")["types"], twin));
    return EngineCore::open({.model_dir = folder.path(), .threads = 2, .context_tokens = context_tokens});
}

TEST(LongContext, APromptOf32768TokensEqualsTheReference) {
    constexpr std::size_t kChunk = 512;
    const json twin = golden("long.json");
    const auto positions = twin["positions"].get<std::vector<std::size_t>>();
    // The logits of a position do not depend on what comes after it: a shorter prompt is the beginning of the same test.
    const std::size_t length = std::getenv("HANDEYE_FULL") != nullptr ? positions.back() + 1 : 4096;
    const auto core = open_twin(twin, static_cast<int>(length));
    ASSERT_TRUE(core) << core.error().message;

    std::size_t compared = 0;
    const std::vector<std::uint64_t> words = twin::words("long prompt", length);
    for (std::size_t at = 0; at < length; at += kChunk) {
        std::vector<TokenId> ids(kChunk);
        std::transform(words.begin() + static_cast<std::ptrdiff_t>(at), words.begin() + static_cast<std::ptrdiff_t>(at + kChunk), ids.begin(),
                       [](std::uint64_t word) { return static_cast<TokenId>(word % 256); });
        const auto logits = (*core)->feed(ids, 0);
        ASSERT_TRUE(logits) << logits.error().message;
        const auto stored = std::find(positions.begin(), positions.end(), at + kChunk - 1);
        if (stored == positions.end()) {
            continue;
        }
        const auto expected = twin["logits"][static_cast<std::size_t>(stored - positions.begin())].get<std::vector<double>>();
        for (std::size_t i = 0; i < expected.size(); ++i) {
            EXPECT_NEAR((*logits)[i], expected[i], 0.002) << "position " << *stored << ", logit " << i;
        }
        ++compared;
    }
    EXPECT_EQ(compared, static_cast<std::size_t>(std::count_if(positions.begin(), positions.end(), [&](std::size_t p) { return p < length; })));
}

// softmax(q k^T / sqrt(d)) v of one query head over `count` rows, in double.
std::vector<double> attention_of(std::span<const float> q, const float* k, const float* v, std::int64_t count) {
    const auto d = static_cast<std::int64_t>(q.size());
    std::vector<double> scores(static_cast<std::size_t>(count));
    for (std::int64_t p = 0; p < count; ++p) {
        double sum = 0;
        for (std::int64_t i = 0; i < d; ++i) {
            sum += double{q[static_cast<std::size_t>(i)]} * double{k[p * d + i]};
        }
        scores[static_cast<std::size_t>(p)] = sum / std::sqrt(static_cast<double>(d));
    }
    const double top = *std::max_element(scores.begin(), scores.end());
    std::vector<double> out(q.size());
    double total = 0;
    for (std::int64_t p = 0; p < count; ++p) {
        const double weight = std::exp(scores[static_cast<std::size_t>(p)] - top);
        total += weight;
        for (std::int64_t i = 0; i < d; ++i) {
            out[static_cast<std::size_t>(i)] += weight * double{v[p * d + i]};
        }
    }
    for (double& value : out) {
        value /= total;
    }
    return out;
}

// Values whose mean over the cache is far from nothing, so that a part that is left out shows.
void fill_cache(const KvView& kv, std::int64_t count) {
    std::uint64_t state = 7;
    for (std::byte* bytes : {kv.k, kv.v}) {
        auto* values = reinterpret_cast<float*>(bytes);
        for (std::int64_t i = 0; i < count; ++i) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            values[i] = static_cast<float>(state >> 40U) / (1U << 24U) - (bytes == kv.k ? 0.5F : 0.0F);
        }
    }
}

TEST(LongContext, AttentionOver1048576PositionsEqualsDoublePrecision) {
    constexpr std::int64_t kPositions = 1'048'576;
    json twin = golden("long.json");
    twin["layers"] = 1;
    const auto core = open_twin(twin, 64);
    ASSERT_TRUE(core) << core.error().message;
    const Decoder& decoder = (*core)->model().decoder;
    const DecoderConfig& c = decoder.config;
    EXPECT_EQ(c.context_max, kPositions);
    ASSERT_EQ(c.kv_heads, 1);
    auto timeline = Timeline::create(c, kPositions, KvFormat::F32);
    ASSERT_TRUE(timeline) << timeline.error().message;
    fill_cache(timeline->view(), kPositions * c.head_dim);

    DecoderScratch scratch;
    for (const std::int64_t past : {std::int64_t{131'071}, std::int64_t{600'000}, kPositions - 1}) {
        const std::array<Position3, 1> position = {Position3{static_cast<int>(past), static_cast<int>(past), static_cast<int>(past)}};
        std::vector<float> hidden(static_cast<std::size_t>(c.hidden));
        embed_tokens(decoder, std::array{static_cast<TokenId>(past % 256)}, {hidden.data(), 1, c.hidden, c.hidden});
        const SequenceRows sequence{.kv = timeline->view(), .past = past, .rows = 1};
        run_decoder(decoder, (*core)->pool(), scratch, {.positions = position, .sequences = {&sequence, 1}},
                    {hidden.data(), 1, c.hidden, c.hidden}, {});
        const std::int64_t width = std::int64_t{c.heads} * c.head_dim;
        const Matrix q = scratch.q.matrix(1, width);
        const Matrix attended = scratch.attended.matrix(1, width);
        for (int head = 0; head < c.heads; ++head) {
            const auto begin = static_cast<std::size_t>(head * c.head_dim);
            const auto query = q.row_span(0).subspan(begin, static_cast<std::size_t>(c.head_dim));
            const std::vector<double> expected = attention_of(query, reinterpret_cast<const float*>(timeline->view().k), reinterpret_cast<const float*>(timeline->view().v), past + 1);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                EXPECT_NEAR(attended.row(0)[begin + i], expected[i], 1e-5) << "position " << past << ", head " << head << ", " << i;
            }
        }
    }
}

} // namespace
} // namespace handeye
