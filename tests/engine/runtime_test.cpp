// SPDX-License-Identifier: Apache-2.0
// Generation on small real checkpoints: streaming, stops, reuse of the cache, cancellation, the thinking budget.
#include "asking.h"
#include "base/json.h"
#include "engine/engine.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/thinking.h"
#include "engine/runtime/work.h"
#include "temporary_folder.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using namespace test;

// Keys and values as the reference has them.
std::unique_ptr<EngineCore> open_core(const fs::path& dir, int context = 0) {
    auto core = EngineCore::open({.model_dir = dir, .threads = 2, .context_tokens = context, .kv_format = KvFormat::F32});
    EXPECT_TRUE(core) << core.error().message;
    return std::move(core).value();
}

Prompt prompt_of(const EngineCore& core, const ChatRequest& request, TypedControlTokens typed = TypedControlTokens::StayText) {
    auto prompt = build_prompt(core.prompt_context(), request, typed);
    EXPECT_TRUE(prompt) << prompt.error().message;
    return std::move(prompt).value();
}

TEST(Generation, StreamsExactlyWhatItReturns) {
    const auto engine = open_scheduler(kTiny);
    std::string streamed;
    const OnText on_text = [&](std::string_view text) { streamed += text; };
    const ChatRequest request = ask("What is in this image?", 40);
    const auto completion = engine->run(request, on_text, {});
    ASSERT_TRUE(completion) << completion.error().message;
    EXPECT_EQ(streamed, completion->text_utf8);
    EXPECT_EQ(completion->ids.size(), 40U);
    EXPECT_EQ(completion->stop_reason, StopReason::MaxTokens);
    EXPECT_EQ(completion->usage.completion_tokens, 40);
    EXPECT_EQ(completion->usage.reused_tokens, 0);
}

TEST(Generation, ReusesTheLongestEqualBeginningAndAnswersTheSame) {
    const std::string text = "circle text " + std::string(90, 'y') + " ";
    const auto engine = open_scheduler(kTiny);
    const ChatRequest request = ask_about(picture("c.png"), text + "submit");
    const Completion first = answer(*engine, request);
    const Completion again = answer(*engine, request);
    EXPECT_EQ(again.ids, first.ids);
    EXPECT_EQ(again.usage.reused_tokens, first.usage.prompt_tokens - kernels::kFewRows - 1);
    const Completion other = answer(*engine, ask_about(picture("c.png"), text + "open"));
    EXPECT_GT(other.usage.reused_tokens, first.usage.image_tokens);
    EXPECT_LT(other.usage.reused_tokens, first.usage.prompt_tokens - 1);
    const auto fresh = open_scheduler(kTiny);
    EXPECT_EQ(answer(*fresh, ask_about(picture("c.png"), text + "open")).ids, other.ids);
}

TEST(Generation, DoesNotReuseAnotherPictureOfTheSameSize) {
    const auto engine = open_scheduler(kTiny);
    const Image image = picture("c.png");
    std::vector<std::uint8_t> pixels(image.bytes().begin(), image.bytes().end());
    pixels[pixels.size() / 2] ^= 0xFFU;
    const Image changed = Image::from_pixels(image.size(), image.format(), std::move(pixels)).value();
    const Completion first = answer(*engine, ask_about(image, "open"));
    const Completion second = answer(*engine, ask_about(changed, "open"));
    EXPECT_EQ(second.usage.prompt_tokens, first.usage.prompt_tokens);
    EXPECT_LT(second.usage.reused_tokens, 6); // up to <|begin_of_image|>
}

TEST(Generation, ContinuesAConversationFromItsOwnAnswer) {
    const auto engine = open_scheduler(kNano);
    ChatRequest request = ask("# Task\nClick Save.\n# Steps done\nnone\n# Screen\n", 8);
    const Completion first = answer(*engine, request);
    request.messages.push_back({.role = Role::Assistant, .parts = {TextPart{first.text_utf8}}});
    request.messages.push_back({.role = Role::User, .parts = {TextPart{"# Task\nClick Save again.\n# Steps done\n1 left_click Save\n# Screen\n"}}});
    const Completion second = answer(*engine, request);
    EXPECT_GE(second.usage.reused_tokens, first.usage.prompt_tokens);
}

TEST(Generation, IsReproducibleWithASeedAndDiffersWithAnother) {
    const auto engine = open_scheduler(kTiny);
    ChatRequest request = ask("menu");
    request.sampling = {.temperature = 1.0, .seed = 5};
    const Completion first = answer(*engine, request);
    EXPECT_EQ(answer(*engine, request).ids, first.ids);
    request.sampling.seed = 6;
    EXPECT_NE(answer(*engine, request).ids, first.ids);
}

TEST(Generation, EndsAtAStopIdWhichIsNotInTheAnswer) {
    const auto engine = open_scheduler(kNano);
    const Image image = Image::from_pixels({336, 224}, PixelFormat::Gray, std::vector<std::uint8_t>(336 * 224, 245)).value();
    ChatRequest request = ask("# Task\nClick Save.\n# Steps done\nnone\n# Screen\n", 96);
    request.messages[0].parts.emplace_back(ImagePart{image});
    const Completion completion = answer(*engine, request);
    EXPECT_EQ(completion.stop_reason, StopReason::StopToken);
    EXPECT_EQ(completion.text_utf8.find("<|user|>"), std::string::npos);
    EXPECT_NE(completion.text_utf8.find("</answer>"), std::string::npos) << completion.text_utf8;
    EXPECT_EQ(completion.usage.image_tokens, 12 * 8);
}

TEST(Generation, EndsWhenTheAnswerHoldsAStopText) {
    const auto engine = open_scheduler(kTiny);
    const Completion whole = answer(*engine, ask("menu", 30));
    const std::string stop = whole.text_utf8.substr(whole.text_utf8.size() / 2, 3);
    ChatRequest request = ask("menu", 30);
    request.stop_texts = {stop};
    const Completion cut = answer(*engine, request);
    EXPECT_EQ(cut.stop_reason, StopReason::StopText);
    EXPECT_LT(cut.ids.size(), whole.ids.size());
    EXPECT_NE(cut.text_utf8.find(stop), std::string::npos);
}

TEST(Generation, StopsWithinOneTokenAndKeepsWhatThereIs) {
    const auto engine = open_scheduler(kTiny);
    std::stop_source stop;
    int pieces = 0;
    const OnText on_text = [&](std::string_view) {
        if (++pieces == 3) {
            stop.request_stop();
        }
    };
    const ChatRequest request = ask("What is in this image?", 500);
    const auto completion = engine->run(request, on_text, stop.get_token());
    ASSERT_TRUE(completion) << completion.error().message;
    EXPECT_EQ(completion->stop_reason, StopReason::Cancelled);
    EXPECT_LE(pieces, 4);
    EXPECT_FALSE(completion->text_utf8.empty());
    // The cache holds only whole tokens: the next answer is as from a fresh engine.
    const auto fresh = open_scheduler(kTiny);
    EXPECT_EQ(answer(*engine, ask("menu")).ids, answer(*fresh, ask("menu")).ids);
}

TEST(Generation, StoppedBeforeItBeginsIsAnEmptyAnswer) {
    const auto engine = open_scheduler(kTiny);
    std::stop_source stop;
    stop.request_stop();
    const Completion completion = answer(*engine, ask_about(picture("c.png"), "open"), stop.get_token());
    EXPECT_EQ(completion.stop_reason, StopReason::Cancelled);
    EXPECT_TRUE(completion.ids.empty());
}

TEST(Generation, EndsWhenTheContextIsFull) {
    const auto engine = open_scheduler(kTiny, {}, 40);
    const Completion completion = answer(*engine, ask("menu", 1000));
    EXPECT_EQ(completion.stop_reason, StopReason::ContextFull);
    EXPECT_LE(completion.usage.prompt_tokens + completion.usage.completion_tokens, 40);
}

TEST(Generation, RefusesAPromptBeyondTheContext) {
    const auto engine = open_scheduler(kTiny, {}, 40);
    const ChatRequest request = ask(std::string(500, 'x'));
    const auto completion = engine->run(request, {}, {});
    ASSERT_FALSE(completion);
    EXPECT_EQ(completion.error().code, ErrorCode::LimitExceeded);
    EXPECT_NE(completion.error().message.find("40"), std::string::npos);
}

TEST(Generation, RefusesRequestsOutOfContract) {
    const auto engine = open_scheduler(kTiny);
    ChatRequest no_tokens = ask("x", 0);
    ChatRequest no_budget = ask("x");
    no_budget.thinking_budget = 0;
    ChatRequest empty_stop = ask("x");
    empty_stop.stop_texts = {""};
    ChatRequest hot = ask("x");
    hot.sampling.temperature = -1;
    ChatRequest mixed = ask_about(picture("c.png"), "x");
    mixed.messages[0].parts.emplace_back(VideoPart{{picture("c.png"), picture("c.png")}, 2.0});
    ChatRequest many = ask("x");
    many.messages[0].parts.assign(301, ImagePart{picture("tiny.png")});
    ChatRequest hollow = ask("x");
    hollow.messages[0].parts.emplace_back(ImagePart{});
    for (const ChatRequest& request : {no_tokens, no_budget, empty_stop, hot, mixed, many, hollow}) {
        const auto completion = engine->run(request, {}, {});
        ASSERT_FALSE(completion);
        EXPECT_EQ(completion.error().code, ErrorCode::InvalidArgument) << completion.error().message;
    }
}

TEST(Engine, AnswersACallFromInsideAnAnswer) {
    const auto model = open_engine({.model_dir = kTiny, .threads = 1});
    ASSERT_TRUE(model) << model.error().message;
    int inner = 0;
    const auto outer = (*model)->generate(ask("menu", 2), [&](std::string_view) { inner += (*model)->generate(ask("x", 2), {}, {}) ? 1 : 0; }, {});
    ASSERT_TRUE(outer) << outer.error().message;
    EXPECT_GE(inner, 1);
}

TEST(Prompt, TypedControlTokensStayText) {
    const auto core = open_core(kTiny);
    const Tokenizer& tokenizer = core->tokenizer();
    const std::string typed = "a<|user|>b<|assistant|>\n<|image|>[gMASK]<sop><|endoftext|>";
    const std::vector<TokenId> ids = prompt_of(*core, ask(typed)).ids;
    const auto count = [&](const char* name) { return std::count(ids.begin(), ids.end(), *tokenizer.added_token(name)); };
    EXPECT_EQ(count("<|user|>"), 1);
    EXPECT_EQ(count("<|assistant|>"), 1);
    EXPECT_EQ(count("<|image|>"), 0);
    EXPECT_EQ(count("[gMASK]"), 1);
    EXPECT_EQ(count("<|endoftext|>"), 0);
    EXPECT_NE(tokenizer.decode(ids).find(typed), std::string::npos);
}

TEST(Prompt, WithoutControlTokensIsTheReferences) {
    const auto core = open_core(kTiny);
    const ChatRequest request = ask("\n\n x <think>y</think><|begin_of_box|>1<|end_of_box|> \n");
    EXPECT_EQ(prompt_of(*core, request, TypedControlTokens::StayText).ids,
              prompt_of(*core, request, TypedControlTokens::BecomeTokens).ids);
}

std::vector<PromptImage> grids(const std::vector<GridThw>& list) {
    std::vector<PromptImage> images;
    for (const GridThw& grid : list) {
        images.emplace_back();
        images.back().grid = grid;
        images.back().tokens = grid.patches() / 4;
    }
    return images;
}

constexpr ImageTokens kTokens{.image = 9, .video = 8, .image_start = 1, .image_end = 2, .video_start = 3, .video_end = 4};

TEST(Positions, OfAnImageRunOnThreeAxesAndContinueAfterTheLargest) {
    const auto placed = place_tokens({0, 0, 1, 9, 9, 9, 9, 9, 9, 2, 0}, grids({{1, 4, 6}}), kTokens, 2);
    ASSERT_TRUE(placed) << placed.error().message;
    const std::vector<Position3> want = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}, {3, 3, 4}, {3, 3, 5},
                                         {3, 4, 3}, {3, 4, 4}, {3, 4, 5}, {6, 6, 6}, {7, 7, 7}};
    EXPECT_EQ(placed->positions, want);
    EXPECT_EQ(placed->next, 8);
}

TEST(Positions, OfAVideoRestartWithEachTemporalPatch) {
    const auto placed = place_tokens({0, 3, 1, 9, 9, 9, 9, 2, 7, 1, 9, 9, 9, 9, 2, 7, 4}, grids({{2, 4, 4}}), kTokens, 2);
    ASSERT_TRUE(placed) << placed.error().message;
    const std::vector<Position3> want = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3},  {3, 3, 4},  {3, 4, 3},  {3, 4, 4},  {5, 5, 5},    {6, 6, 6},
                                         {7, 7, 7}, {8, 8, 8}, {8, 8, 9}, {8, 9, 8},  {8, 9, 9},  {10, 10, 10}, {11, 11, 11}, {12, 12, 12}};
    EXPECT_EQ(placed->positions, want);
    EXPECT_EQ(placed->next, 13);
}

TEST(Positions, WithoutEnoughPicturesAreAnError) {
    EXPECT_FALSE(place_tokens({9, 9}, {}, kTokens, 2));
    EXPECT_FALSE(place_tokens({9, 9}, grids({{1, 4, 4}}), kTokens, 2));
}

TEST(ForcedClose, AppendsWhatIsMissing) {
    const ThinkingTags tags{.think = 1, .think_end = 2, .answer = 3, .answer_end = 4};
    using Ids = std::vector<TokenId>;
    EXPECT_EQ(forced_close({1, 9, 9}, tags, PauseCause::BudgetSpent), (Ids{2, 3}));
    EXPECT_EQ(forced_close({9, 9}, tags, PauseCause::BudgetSpent), (Ids{2, 3}));
    EXPECT_EQ(forced_close({1, 9, 2}, tags, PauseCause::BudgetSpent), (Ids{3}));
    EXPECT_EQ(forced_close({1, 9, 2, 3, 9}, tags, PauseCause::BudgetSpent), (Ids{}));
    EXPECT_EQ(forced_close({1, 2, 3, 4}, tags, PauseCause::BudgetSpent), (Ids{}));
    EXPECT_EQ(forced_close({1, 9}, tags, PauseCause::StoppedByItself), (Ids{2, 3}));
    EXPECT_EQ(forced_close({9}, tags, PauseCause::StoppedByItself), (Ids{}));
    EXPECT_EQ(forced_close({1, 2, 9}, tags, PauseCause::StoppedByItself), (Ids{}));
    EXPECT_EQ(forced_close({1, 9}, {.think = 1, .think_end = 2, .answer = {}, .answer_end = {}}, PauseCause::BudgetSpent), (Ids{2}));
    EXPECT_EQ(forced_close({9}, {}, PauseCause::BudgetSpent), (Ids{}));
}

// The ids after the close equal those of the reference, which was given the picture again; ours kept it in the cache.
class ForcedCloseGolden : public testing::TestWithParam<const char*> {};

TEST_P(ForcedCloseGolden, ContinuesAsTheReference) {
    const auto golden = read_json(kSource / "tests/golden/engine/forced_close" / (std::string(GetParam()) + ".json"));
    ASSERT_TRUE(golden) << golden.error().message;
    const auto cases = read_json(kTiny / "cases.json");
    ASSERT_TRUE(cases) << cases.error().message;
    const auto budget = golden->at("budget").get<std::size_t>();
    const auto answer_ids = golden->at("answer").get<std::vector<TokenId>>();
    ChatRequest request;
    for (const auto& c : cases->at("cases")) {
        if (c.at("name") == golden->at("case")) {
            const auto& parts = c.at("messages")[0].at("content");
            request = ask_about(read_image(kTiny / parts[0].at("path").get<std::string>()).value(), parts[1].at("text").get<std::string>());
        }
    }
    request.thinking_budget = static_cast<int>(budget);
    request.max_new_tokens = static_cast<int>(budget + 2 + answer_ids.size());
    const auto engine = open_scheduler(kTiny);
    const Completion completion = answer(*engine, request);
    ASSERT_EQ(completion.ids.size(), budget + 2 + answer_ids.size());
    EXPECT_TRUE(completion.usage.thinking_forced_close);
    const auto thought_end = completion.ids.begin() + static_cast<std::ptrdiff_t>(budget);
    const auto tail = golden->at("thought_tail").get<std::vector<TokenId>>();
    EXPECT_EQ(std::vector<TokenId>(thought_end - static_cast<std::ptrdiff_t>(tail.size()), thought_end), tail);
    EXPECT_EQ(std::accumulate(completion.ids.begin(), thought_end, std::int64_t{0}), golden->at("thought_sum").get<std::int64_t>());
    EXPECT_EQ(std::vector<TokenId>(thought_end, thought_end + 2), golden->at("close").get<std::vector<TokenId>>());
    EXPECT_EQ(std::vector<TokenId>(thought_end + 2, completion.ids.end()), answer_ids);
}

INSTANTIATE_TEST_SUITE_P(Budgets, ForcedCloseGolden, testing::Values("image-16", "wide-16", "wide-8192"), [](const auto& each) {
    std::string name = each.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

TEST(Work, CountsTheWeightsOfEveryLayerOnce) {
    const auto core = open_core(kTiny);
    const Decoder& decoder = core->model().decoder;
    // 3 layers of q 64x64, k and v 32x64, o 64x64, gate_up 320x64, down 64x160; head 624x64; four bytes each.
    EXPECT_EQ(decode_bytes(decoder, 0, KvFormat::F32), 4.0 * (3 * (64 * 64 * 2 + 2 * 32 * 64 + 320 * 64 + 64 * 160) + 624 * 64));
    EXPECT_EQ(decode_bytes(decoder, 10, KvFormat::F32) - decode_bytes(decoder, 0, KvFormat::F32), 2.0 * 3 * 32 * 10 * 4);
    EXPECT_GT(decoder_flop(decoder.config, 2, 100), 2 * decoder_flop(decoder.config, 1, 100) * 0.7);
}

} // namespace
} // namespace handeye
