// SPDX-License-Identifier: Apache-2.0
// Exports: what is taken, what is left out and why. Their layout is checked by a reader of its own, tests/cli/export_test.py.
#include "agent/export.h"
#include "agent/training_text.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "tests/agent/recorded_session.h"
#include "tests/agent/recording_samples.h"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using training::answer_text;
using training::plain_text;
using training::question_text;

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(TrainingText, PutsAPlaceWhereAPictureStood) {
    EXPECT_EQ(question_text("<picture 28x56>a<picture 14x28>b", {{28, 56}, {14, 28}}).value(), "<image>a<image>b");
}

TEST(TrainingText, AltersWhatATrainerWouldTakeForMore) {
    EXPECT_EQ(question_text("<picture 1x2>type <image> and <|user|> and a < b <|not one", {{1, 2}}).value(), "<image>type < image> and < |user|> and a < b <|not one");
    EXPECT_EQ(plain_text("<video><|begin_of_box|></think>"), "< video>< |begin_of_box|>< /think>");
}

TEST(TrainingText, RefusesPlacesThatCannotBeTold) {
    EXPECT_FALSE(question_text("<picture 1x2>", {{1, 2}, {3, 4}}));
    EXPECT_FALSE(question_text("<picture 1x2> says <picture 1x2>", {{1, 2}})); // a person's own words
    EXPECT_FALSE(question_text("<picture 1x2>", {{1, 3}}));
    EXPECT_FALSE(question_text("", {{1, 3}}));
}

TEST(TrainingText, WritesTheAnswerAsEachFamilyDoes) {
    const std::string raw = "<think>Look.\n</think><answer>Now. <|begin_of_box|>DONE()<|end_of_box|>\nMemory:\n[]</answer><|user|>";
    EXPECT_EQ(answer_text(raw, AnswerForm::Glm41V).value(), "<think>\nLook.</think>\n<answer>Now. <|begin_of_box|>DONE()<|end_of_box|>\nMemory:\n[]</answer>");
    EXPECT_EQ(answer_text(raw, AnswerForm::Glm45V).value(), "<think>\nLook.</think>\nNow. <|begin_of_box|>DONE()<|end_of_box|>\nMemory:\n[]");
    EXPECT_EQ(answer_text("<|start_of_box|>DONE()<|end_of_box|>", AnswerForm::Glm45V).value(), "<think>\n</think>\n<|begin_of_box|>DONE()<|end_of_box|>");
}

TEST(TrainingText, RefusesAnswersThatAreNone) {
    for (const char* raw : {"", "<think>I was cut o", "<think>a</think>  ", "<|begin_of_box|>DONE()", "DONE()<|end_of_box|>", "<|begin_of_box|><|begin_of_box|>DONE()<|end_of_box|>",
                            "<|end_of_box|>DONE()<|begin_of_box|>"}) {
        EXPECT_FALSE(answer_text(raw, AnswerForm::Glm41V)) << raw;
    }
    EXPECT_TRUE(holds(answer_text("DONE() <image> <|assistant|>", AnswerForm::Glm41V).value(), "DONE() < image> < |assistant|>"));
}

class ExportTest : public testing::Test {
protected:
    Recording record(tests::RecordedSession wanted) {
        wanted.size = {640, 400};
        tests::record_session(dir_.path() / "a.handeye", wanted);
        auto recording = Recording::open(dir_.path() / "a.handeye");
        EXPECT_TRUE(recording);
        return *std::move(recording);
    }
    json read(const std::filesystem::path& file) { return read_json(file, {.bytes_max = 64U << 20U}).value_or(json()); }
    std::filesystem::path folder() const { return dir_.path() / "data"; }

    tests::TempDir dir_;
};

TEST_F(ExportTest, ARecordIsAStepWithTheScreensThatItsPromptShowed) {
    const Recording recording = record({.steps = 6});
    const auto done = export_llamafactory(recording, folder());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->records, 6);
    const json records = read(done->file);
    const json& last = records.at(5);
    ASSERT_EQ(last.at("images").size(), 5U); // the screen as it is, and the four before it at half size
    EXPECT_EQ(read_image(folder() / last["images"][0].get<std::string>()).value().size(), (Size{640, 400}));
    for (std::size_t i = 1; i < 5; ++i) {
        const Image half = read_image(folder() / last["images"][i].get<std::string>()).value();
        const Image whole = read_image(folder() / records[i]["images"][0].get<std::string>()).value();
        EXPECT_EQ(half.size(), (Size{320, 200}));
        const Image want = scaled(whole, {320, 200}).value();
        EXPECT_TRUE(std::equal(half.bytes().begin(), half.bytes().end(), want.bytes().begin(), want.bytes().end())) << i;
    }
    EXPECT_EQ(done->pixels_max, 640 * 400);
    EXPECT_EQ(last["result"], "said");
}

TEST_F(ExportTest, OfTheOtherFamilyTheCurrentScreenComesLast) {
    const Recording recording = record({.prompt = "glm-4.5v", .steps = 3});
    const auto done = export_llamafactory(recording, folder());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->form, AnswerForm::Glm45V);
    const json record = read(done->file).at(2);
    ASSERT_EQ(record.at("images").size(), 3U);
    EXPECT_EQ(read_image(folder() / record["images"][2].get<std::string>()).value().size(), (Size{640, 400}));
    EXPECT_FALSE(holds(record["messages"][1]["content"].get<std::string>(), "<answer>"));
}

TEST_F(ExportTest, LeavesOutWhatWasDeniedUnlessAskedFor) {
    const Recording recording = record({.steps = 5, .refuses_second = true});
    const auto good = export_llamafactory(recording, folder());
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(good->records, 4);
    ASSERT_EQ(good->left_out.size(), 1U);
    EXPECT_EQ(good->left_out[0].step, 2);
    EXPECT_TRUE(holds(good->left_out[0].reason, "denied"));
    const auto all = export_llamafactory(recording, dir_.path() / "all", {.steps = TrainingSteps::All});
    ASSERT_TRUE(all);
    EXPECT_EQ(read(all->file).at(1).at("result"), "denied");
}

TEST_F(ExportTest, ADialogueIsARecordOfTurns) {
    const Recording recording = record({.steps = 4});
    const auto done = export_llamafactory(recording, folder(), {.turns = TrainingTurns::OneTask});
    ASSERT_TRUE(done);
    ASSERT_EQ(done->records, 1);
    const json record = read(done->file).at(0);
    EXPECT_EQ(record["messages"].size(), 8U);
    EXPECT_EQ(record["images"].size(), 4U);
    EXPECT_EQ(record["messages"][2]["content"], "<image>Success");
}

TEST_F(ExportTest, WritesNothingWhereThereIsNothingToLearn) {
    const auto none = export_llamafactory(Recording::open(tests::record_sample(dir_.path() / "b.handeye", 3)).value(), folder());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::InvalidArgument);
    EXPECT_FALSE(std::filesystem::exists(folder()));
    const Recording recording = record({.steps = 3});
    ASSERT_TRUE(export_llamafactory(recording, folder()));
    EXPECT_FALSE(export_llamafactory(recording, folder())); // it is no empty folder now
    const auto pairs = export_preference(recording, dir_.path() / "pairs");
    ASSERT_FALSE(pairs);
    EXPECT_TRUE(holds(pairs.error().message, "no correction"));
}

TEST_F(ExportTest, GoalsThatLookLikePicturesAreToldApartOrLeftOut) {
    const Recording recording = record({.steps = 2, .goal = "Open <picture 640x400> and <image>."});
    const auto done = export_llamafactory(recording, folder());
    ASSERT_FALSE(done);
    EXPECT_TRUE(holds(done.error().message, "names 2 pictures and was given 1")) << done.error().message;
}

TEST_F(ExportTest, ACorrectionIsAPairOverTheSamePrompt) {
    const Recording recording = record({.steps = 5, .refuses_second = true});
    const auto done = export_preference(recording, folder());
    ASSERT_TRUE(done) << done.error().message;
    const json records = read(done->file);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0]["step"], 2);
    EXPECT_EQ(records[0]["by"], "Ada's browser");
    EXPECT_EQ(records[0]["chosen"]["content"], "<think>\n</think>\n<answer><|begin_of_box|>left_click(start_box='[500,500]')<|end_of_box|></answer>");
    EXPECT_TRUE(holds(records[0]["rejected"]["content"].get<std::string>(), "<|begin_of_box|>left_click(start_box='[174,256]'"));
    EXPECT_TRUE(read(folder() / "dataset_info.json").at("handeye_preference").at("ranking").get<bool>());
}

TEST_F(ExportTest, SpansNestAndCarryTheNamesOfTheConventions) {
    const json trace = parse_json(export_otel(record({.steps = 4})).value(), {.bytes_max = 16U << 20U}).value();
    std::map<std::string, json> by_id;
    int chats = 0;
    for (const json& span : trace["resourceSpans"][0]["scopeSpans"][0]["spans"]) {
        by_id[span["spanId"].get<std::string>()] = span;
        EXPECT_EQ(span["traceId"].get<std::string>().size(), 32U);
    }
    for (const auto& [id, span] : by_id) {
        const auto time = [](const json& one, const char* key) { return std::stoll(one[key].get<std::string>()); };
        EXPECT_LE(time(span, "startTimeUnixNano"), time(span, "endTimeUnixNano")) << span["name"];
        if (span.contains("parentSpanId")) {
            const json& parent = by_id.at(span["parentSpanId"].get<std::string>());
            EXPECT_GE(time(span, "startTimeUnixNano"), time(parent, "startTimeUnixNano")) << span["name"];
            EXPECT_LE(time(span, "endTimeUnixNano"), time(parent, "endTimeUnixNano")) << span["name"];
        }
        if (span["name"] == "chat scripted") {
            ++chats;
            EXPECT_EQ(time(span, "endTimeUnixNano") - time(span, "startTimeUnixNano"), 840'000'000);
            EXPECT_TRUE(holds(span["attributes"].dump(), R"({"key":"gen_ai.usage.input_tokens","value":{"intValue":"100"}})"));
        }
    }
    EXPECT_EQ(chats, 4);
    EXPECT_FALSE(holds(trace.dump(), "Go through the list")); // no words of goal, prompt, screen or answer
    EXPECT_FALSE(export_otel(Recording::open(tests::record_sample(dir_.path() / "b.handeye", 3)).value()));
}

} // namespace
} // namespace handeye
