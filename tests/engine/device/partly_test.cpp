// SPDX-License-Identifier: Apache-2.0
// A model that does not fit on its device, its caches there, and answers of several sessions at once.
#include "engine/checkpoints.h"
#include "engine/device/model_on_device.h"
#include "engine/engine.h"
#include "engine/models/registry.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/memory.h"
#include "host_device.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

const fs::path kModel = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine/glm4v-f32";

EngineOptions options_on(std::shared_ptr<device::Device> device) {
    EngineOptions options{.model_dir = kModel, .threads = 2, .context_tokens = 256, .checksums = Checksums::Skip};
    options.opened_device = std::move(device);
    options.exact = true;
    return options;
}

ChatRequest question(const std::string& text) {
    ChatRequest request{.messages = {Message{.role = Role::User, .parts = {TextPart{text}}}}};
    request.sampling.temperature = 0;
    request.max_new_tokens = 12;
    return request;
}

std::string answer_of(ChatModel& model, const std::string& text) {
    std::string answer;
    const auto completion = model.generate(question(text), [&](const TextPiece& piece) { answer += piece.text_utf8; }, {});
    EXPECT_TRUE(completion) << completion.error().message;
    return answer;
}

device::DevicePlan plan_with(std::int64_t memory_bytes) {
    const auto model = open_model(kModel);
    EXPECT_TRUE(model);
    const auto device = open_host_device();
    const auto plan = device::plan_device(*device, *model, {.memory_bytes = memory_bytes, .context_tokens = 256, .sequences = 2, .picture = {1, 4, 4}, .exact = true});
    EXPECT_TRUE(plan) << plan.error().message;
    return plan ? *plan : device::DevicePlan{};
}

TEST(PartlyOnDevice, TakesAsManyLayersAsFit) {
    const device::DevicePlan whole = plan_with(std::int64_t{1} << 30);
    EXPECT_EQ(whole.placement.first_layer, 0);
    EXPECT_TRUE(whole.placement.has_vision);
    EXPECT_LE(whole.total_bytes(), whole.limit_bytes);
    EXPECT_NE(whole.describe({.name = "a card"}).find("a card: all of"), std::string::npos) << whole.describe({.name = "a card"});
    int before = 0;
    bool had_vision = true;
    for (std::int64_t bytes = whole.total_bytes(); bytes > whole.space_bytes + 100'000; bytes -= whole.total_bytes() / 16) {
        const auto model = open_model(kModel);
        const auto device = open_host_device();
        const auto plan = device::plan_device(*device, *model, {.memory_bytes = bytes, .context_tokens = 256, .sequences = 2, .picture = {1, 4, 4}, .exact = true});
        if (!plan) {
            EXPECT_EQ(plan.error().code, ErrorCode::OutOfMemory);
            EXPECT_NE(plan.error().message.find(std::to_string(bytes)), std::string::npos) << plan.error().message;
            break;
        }
        EXPECT_LE(plan->total_bytes(), bytes);
        if (plan->placement.has_vision != had_vision) { // a tower that is left out makes room for layers
            had_vision = plan->placement.has_vision;
            before = 0;
        }
        EXPECT_GE(plan->placement.first_layer, before) << "less memory holds more layers";
        before = plan->placement.first_layer;
    }
    EXPECT_GT(before, 0);
    EXPECT_FALSE(had_vision);
}

// The same answers whichever layers lie where.
TEST(PartlyOnDevice, AnswersAsTheProcessorDoes) {
    const auto here = open_engine({.model_dir = kModel, .threads = 2, .context_tokens = 256, .checksums = Checksums::Skip});
    ASSERT_TRUE(here) << here.error().message;
    const std::string expected = answer_of(**here, "Where is the button?");
    const device::DevicePlan whole = plan_with(std::int64_t{1} << 30);
    int partly = 0;
    for (const double share : {1.0, 0.9, 0.75, 0.6}) {
        EngineOptions options = options_on(open_host_device());
        options.gpu_memory_bytes = static_cast<std::int64_t>(static_cast<double>(whole.total_bytes()) * share * 1.2);
        const auto core = EngineCore::open(options);
        if (!core) {
            EXPECT_EQ(core.error().code, ErrorCode::OutOfMemory) << core.error().message;
            continue;
        }
        partly += (*core)->on_device()->first_layer() > 0 ? 1 : 0;
        options.opened_device = open_host_device();
        const auto model = open_engine(options);
        ASSERT_TRUE(model) << model.error().message;
        EXPECT_EQ(answer_of(**model, "Where is the button?"), expected) << share;
    }
    EXPECT_GT(partly, 0) << "no share of the memory left some layers here";
}

// What a session comes back to, what another begins alike with, and what several ask at once: the same as alone.
TEST(PartlyOnDevice, KeepsSessionsApart) {
    const auto model = open_engine(options_on(open_host_device()));
    ASSERT_TRUE(model) << model.error().message;
    const std::string first = answer_of(**model, "One two three four five six seven eight nine ten eleven twelve: count on.");
    const std::string second = answer_of(**model, "One two three four five six seven eight nine ten eleven twelve: count back.");
    EXPECT_EQ(answer_of(**model, "One two three four five six seven eight nine ten eleven twelve: count on."), first);
    std::array<std::string, 4> together;
    std::vector<std::jthread> sessions;
    for (std::size_t i = 0; i < together.size(); ++i) {
        sessions.emplace_back([&, i] { together[i] = answer_of(**model, i % 2 == 0 ? "One two three four five six seven eight nine ten eleven twelve: count on."
                                                                                   : "One two three four five six seven eight nine ten eleven twelve: count back."); });
    }
    sessions.clear();
    EXPECT_EQ(together[0], first);
    EXPECT_EQ(together[1], second);
    EXPECT_EQ(together[2], first);
    EXPECT_EQ(together[3], second);
}

// The rows of a pass choose more experts together than a product has few rows; with prompts in 16 bits, as people run it.
TEST(PartlyOnDevice, ExpertsOfManyRowsAreThoseOfEachAlone) {
    constexpr int kRows = 12;
    EngineOptions options = options_on(open_host_device());
    options.model_dir = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine/glm4v_moe-awq-int4";
    options.exact = false;
    options.sequences_max = kRows;
    const auto core = EngineCore::open(options);
    ASSERT_TRUE(core) << core.error().message;
    ASSERT_GT(kRows * (*core)->model().decoder.config.experts.used, device::kFewRows);
    const auto logits_of = [&](int first, int count) { // of the second token of so many sequences
        std::vector<Timeline> timelines;
        std::vector<float> out;
        for (int i = 0; i < count; ++i) {
            timelines.push_back((*core)->new_timeline().value());
        }
        for (int step = 0; step < 2; ++step) {
            std::vector<TokenId> ids;
            std::vector<EngineCore::PassRows> parts;
            for (int i = first; i < first + count; ++i) {
                ids.push_back(20 + 37 * i + 5 * step);
            }
            for (std::size_t i = 0; i < ids.size(); ++i) {
                parts.push_back({.timeline = &timelines[i], .ids = std::span(ids).subspan(i, 1), .logit_rows = {0}});
            }
            const auto logits = (*core)->forward(parts, {});
            EXPECT_TRUE(logits) << logits.error().message;
            out.assign(logits->data, logits->row(logits->rows));
        }
        return out;
    };
    const std::vector<float> together = logits_of(0, kRows);
    for (int i = 0; i < kRows; ++i) {
        const std::vector<float> alone = logits_of(i, 1);
        EXPECT_EQ(std::memcmp(together.data() + static_cast<std::size_t>(i) * alone.size(), alone.data(), alone.size() * sizeof(float)), 0) << "row " << i;
    }
}

// In the middle of an answer, and for every one after it: a device does not mend.
TEST(PartlyOnDevice, IsLostAsATypedError) {
    const auto model = open_engine(options_on(open_host_device({.lost_after = 5})));
    ASSERT_TRUE(model) << model.error().message;
    for (int i = 0; i < 2; ++i) {
        const auto answer = (*model)->generate(question("Where is the button?"), [](const TextPiece&) {}, {});
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, ErrorCode::EngineLost) << answer.error().message;
        EXPECT_NE(answer.error().message.find("the device is gone"), std::string::npos) << answer.error().message;
    }
}

TEST(PartlyOnDevice, IsPlannedBeforeItIsLoaded) {
    EngineOptions engine = options_on(open_host_device());
    const auto all = plan_model({.engine = engine, .images = 1, .image = {56, 56}});
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_TRUE(all->on_device);
    engine.opened_device = nullptr;
    const auto here = plan_model({.engine = engine, .images = 1, .image = {56, 56}});
    ASSERT_TRUE(here && !here->on_device);
    EXPECT_GT(all->on_device->layers, 0);
    EXPECT_GT(all->on_device->cache_bytes, 0);
    const auto part = [](const PlanReport& report, const std::string& name) {
        const auto found = std::ranges::find(report.parts, name, &MemoryPart::name);
        return found == report.parts.end() ? 0 : found->bytes;
    };
    EXPECT_EQ(part(*all, "cache"), 0);
    EXPECT_LT(part(*all, "weights"), part(*here, "weights"));
}

TEST(PartlyOnDevice, RowsOfKeysAreWholeWords) {
    EXPECT_EQ(device::kv_pages({.kv_heads = 2, .head_dim = 32}, 3, KvFormat::Q8).row_bytes, 36); // 32 codes and a half
    EXPECT_EQ(device::kv_pages({.kv_heads = 2, .head_dim = 128}, 3, KvFormat::Q8).row_bytes, 132);
    EXPECT_EQ(device::kv_pages({.kv_heads = 2, .head_dim = 32}, 3, KvFormat::F16).page_bytes, 2 * 3 * 2 * device::kPageTokens * 64);
}

TEST(PartlyOnDevice, PagesComeBack) {
    const auto device = open_host_device();
    const device::KvPages shape = device::kv_pages({.kv_heads = 1, .head_dim = 16}, 2, KvFormat::F16);
    auto pool = device::PagePool::create(*device, shape, 5);
    ASSERT_TRUE(pool);
    {
        auto one = device::PagedCache::create(*pool, 256);
        auto other = device::PagedCache::create(*pool, 256);
        ASSERT_TRUE(one && other);
        EXPECT_TRUE(one->hold(130));
        EXPECT_EQ(pool->free_pages(), 2);
        const auto refused = other->hold(256);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::OutOfMemory);
        EXPECT_EQ(pool->free_pages(), 2) << "a refused hold takes nothing";
        EXPECT_TRUE(other->copy_beginning(*one, 70));
        EXPECT_EQ(pool->free_pages(), 0);
        other->release();
        EXPECT_EQ(pool->free_pages(), 2);
    }
    EXPECT_EQ(pool->free_pages(), 5);
}

TEST(PartlyOnDevice, RefusesAVocabularyThatItCannotChooseFrom) {
    auto model = open_model(kModel);
    ASSERT_TRUE(model);
    model->decoder.config.vocabulary = device::kVocabularyMost + 1;
    const auto plan = device::plan_device(*open_host_device(), *model, {.context_tokens = 256});
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(plan.error().message.find(std::to_string(device::kVocabularyMost + 1)), std::string::npos) << plan.error().message;
}

TEST(PartlyOnDevice, NamesDevicesThatAreNotThere) {
    for (const char* const name : {"gpu", "cuda:", "cuda:x", "cuda:-", "cudagraph"}) {
        const auto none = open_device(name);
        ASSERT_FALSE(none) << name;
        EXPECT_EQ(none.error().code, ErrorCode::InvalidArgument) << none.error().message;
        EXPECT_NE(none.error().message.find(name), std::string::npos) << none.error().message;
    }
    const auto processor = open_device("cpu");
    ASSERT_TRUE(processor);
    EXPECT_EQ(*processor, nullptr);
}

} // namespace
} // namespace handeye
