// SPDX-License-Identifier: Apache-2.0
// R20: forty labelled traces, then each rule at its limit.
#include "actions/parse.h"
#include "agent/stuck.h"
#include "base/json.h"
#include "tests/fakes/fake_platform.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

// A screen of 42x28 cells on which each named thing is a block at a place that follows from its name.
ScreenSignature draw(const std::vector<std::string>& things) {
    ScreenSignature out{42, 28, std::vector<std::uint8_t>(42U * 28U, 240)};
    for (const std::string& thing : things) {
        std::uint64_t hash = 1469598103934665603ULL;
        for (const char c : thing) {
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        }
        const bool is_caret = thing == "|caret";
        const auto column = static_cast<std::size_t>(hash >> 8U) % 36;
        const auto row = static_cast<std::size_t>(hash >> 24U) % 25;
        for (std::size_t y = 0; y < 2; ++y) {
            for (std::size_t x = 0; x < (is_caret ? 1U : 5U); ++x) {
                out.cells[(row + y) * 42 + column + x] = static_cast<std::uint8_t>(40 + (hash >> 40U) % 120);
            }
        }
    }
    return out;
}

StepFact fact_of(const json& step) {
    const auto action = parse_action(step["action"].dump());
    EXPECT_TRUE(action) << step["action"].dump() << (action ? "" : action.error().message);
    StepFact fact = action ? make_fact(*action) : StepFact{};
    fact.error = step["error"];
    fact.after = draw(step["screen"]);
    return fact;
}

bool is_found(const json& trace) {
    bool found = false;
    if (trace.contains("answer")) {
        RepetitionWatcher watcher;
        for (const json& passage : trace["answer"]) {
            for (int i = 0; i < passage[1].get<int>(); ++i) {
                found = watcher.add(passage[0].get<std::string>()) || found;
            }
        }
        return found;
    }
    StuckDetector detector;
    for (const json& step : trace["steps"]) {
        found = detector.add(fact_of(step)).level == StuckLevel::Stuck || found;
    }
    return found;
}

TEST(StuckDetector, FindsTheStuckTracesAndStopsNoSlowOne) {
    const auto file = read_json(HANDEYE_SOURCE_DIR "/tests/golden/agent/stuck_traces.json", {.bytes_max = 1U << 22U});
    ASSERT_TRUE(file) << file.error().message;
    int stuck = 0;
    int found = 0;
    for (const json& trace : (*file)["traces"]) {
        const bool is_stuck = trace["stuck"];
        const bool is_reported = is_found(trace);
        stuck += is_stuck ? 1 : 0;
        found += is_stuck && is_reported ? 1 : 0;
        if (is_stuck != is_reported) {
            std::printf("%s: %s\n", is_stuck ? "missed" : "FALSE STOP", trace["name"].get<std::string>().c_str());
        }
        EXPECT_TRUE(is_stuck || !is_reported) << trace["name"];
    }
    EXPECT_EQ(stuck, 20);
    EXPECT_GE(found * 100, stuck * 95);
}

StepFact click_fact(double x, const std::vector<std::string>& screen) {
    StepFact fact = make_fact(Click{.at = Spot{Units::Thousandths, x, 500, std::nullopt}});
    fact.after = draw(screen);
    return fact;
}

TEST(StuckDetector, SuspectsOneStepBeforeItStops) {
    StuckDetector detector;
    EXPECT_EQ(detector.add(click_fact(1, {"a"})).level, StuckLevel::None);
    EXPECT_EQ(detector.add(click_fact(2, {"a"})).level, StuckLevel::None);
    EXPECT_EQ(detector.add(click_fact(3, {"a"})).level, StuckLevel::Suspected);
    const StuckVerdict verdict = detector.add(click_fact(4, {"a"}));
    EXPECT_EQ(verdict.level, StuckLevel::Stuck);
    EXPECT_EQ(verdict.rule, "same_action");
    EXPECT_FALSE(verdict.message.empty());
}

TEST(StuckDetector, ForgetsWhenTheScreenMoves) {
    StuckDetector detector;
    for (int i = 0; i < 30; ++i) {
        EXPECT_NE(detector.add(click_fact(1, {"page " + std::to_string(i / 2)})).level, StuckLevel::Stuck) << i;
    }
}

TEST(StuckDetector, TakesNoAnswerWithoutActionForARepeat) {
    StuckDetector detector; // five of those end the task by their own budget
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(detector.add(StepFact{}).level, StuckLevel::None);
    }
}

TEST(ScreenSignature, IsTheSameForABlinkingCaretAndDiffersForAWord) {
    const Image page = fakes::solid_frame({400, 300}, 255, 255, 255);
    const auto painted = [&](Rect box) {
        std::vector<std::uint8_t> pixels(page.bytes().begin(), page.bytes().end());
        for (int y = box.y; y < box.y + box.height_px; ++y) {
            std::fill_n(pixels.begin() + (y * 400 + box.x) * 3, box.width_px * 3, std::uint8_t{0});
        }
        return sign_screen(Image::from_pixels(page.size(), PixelFormat::Rgb, std::move(pixels)).value());
    };
    EXPECT_TRUE(looks_same(sign_screen(page), painted({100, 100, 1, 18})));
    EXPECT_FALSE(looks_same(sign_screen(page), painted({100, 100, 30, 10})));
    EXPECT_FALSE(looks_same(sign_screen(page), sign_screen(fakes::solid_frame({400, 308}, 255, 255, 255))));
    EXPECT_TRUE(looks_same(sign_screen(Image()), sign_screen(Image())));
}

TEST(ScreenSignature, SeesAChangeOfColourAlone) {
    EXPECT_FALSE(looks_same(sign_screen(fakes::solid_frame({80, 80}, 30, 90, 200)), sign_screen(fakes::solid_frame({80, 80}, 90, 90, 200))));
}

TEST(ScreenSignature, ReadsAnySizeAndFormat) {
    for (const Size size : {Size{1, 1}, Size{7, 9}, Size{8, 8}, Size{1921, 3}}) {
        for (const PixelFormat format : {PixelFormat::Gray, PixelFormat::Rgb, PixelFormat::Bgrx}) {
            const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.area() * bytes_per_pixel(format)), 77);
            const ScreenSignature signature = sign_screen(Image::from_pixels(size, format, pixels).value());
            EXPECT_EQ(signature.cells.size(), static_cast<std::size_t>(signature.columns * signature.rows));
            for (const std::uint8_t cell : signature.cells) {
                EXPECT_EQ(cell, 77);
            }
        }
    }
}

std::string sentence(int words, int variant) {
    std::string out;
    for (int i = 0; i < words; ++i) {
        out += "word" + std::to_string(i * 7 + variant) + " ";
    }
    return out;
}

TEST(RepetitionWatcher, StopsAtTheThirdRepeatOfTwentyTokens) {
    RepetitionWatcher watcher;
    EXPECT_FALSE(watcher.add(sentence(20, 0)));
    EXPECT_FALSE(watcher.add(sentence(20, 0)));
    EXPECT_FALSE(watcher.add(sentence(19, 0)));
    EXPECT_TRUE(watcher.add("word" + std::to_string(19 * 7) + " "));
}

TEST(RepetitionWatcher, DoesNotCareHowTheTextIsCut) {
    RepetitionWatcher watcher;
    const std::string text = sentence(25, 0) + sentence(25, 0) + sentence(25, 0);
    for (const char c : text) {
        watcher.add({&c, 1});
    }
    EXPECT_TRUE(watcher.is_repeating());
}

TEST(RepetitionWatcher, SeesRepeatsOfChineseText) {
    RepetitionWatcher watcher;
    for (int i = 0; i < 3; ++i) {
        watcher.add("我需要点击屏幕上的保存按钮然后检查下面的消息是否正确。");
    }
    watcher.add("好");
    EXPECT_TRUE(watcher.is_repeating());
}

TEST(RepetitionWatcher, LetsVariedTextPass) {
    RepetitionWatcher watcher;
    for (int i = 0; i < 500; ++i) {
        EXPECT_FALSE(watcher.add(sentence(20, i))) << i;
    }
}

} // namespace
} // namespace handeye
