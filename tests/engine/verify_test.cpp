// SPDX-License-Identifier: Apache-2.0
// The engine against the reference's goldens, and that verify notices what is wrong.
#include "engine/engine.h"
#include "engine/kernels/fast_paths.h"
#include "engine/models/registry.h"
#include "golden_folders.h"
#include "instruction_sets.h"
#include "temporary_folder.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

using namespace test;

void expect_all_pass(const fs::path& dir, std::size_t cases) {
    const auto report = verify_model({.model_dir = dir, .threads = 2}, dir);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->cases.size(), cases);
    for (const CaseResult& c : report->cases) {
        EXPECT_TRUE(c.pass) << c.name << ": " << c.why;
        EXPECT_TRUE(c.ids_equal && c.positions_equal && c.greedy_equal && c.grid_equal.value_or(true)) << c.name;
    }
    EXPECT_EQ(report->tokenizer_failures, 0);
    EXPECT_GT(report->tokenizer_cases, 0);
    EXPECT_TRUE(report->pass);
    const auto model = open_model(dir);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_TRUE(model->unused_tensors.empty()) << model->unused_tensors.front();
}

TEST(Verify, PassesWithADataSectionThatIsNotAligned) {
    TemporaryFolder folder;
    fs::copy(kGoldens / "glm4v-bf16", folder.path(), fs::copy_options::recursive);
    for (const char* shard : {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"}) {
        std::string file = folder.read(shard);
        std::uint64_t length = 0;
        std::memcpy(&length, file.data(), sizeof length);
        file.insert(8 + length, 1, ' '); // one blank at the end of the header
        ++length;
        std::memcpy(file.data(), &length, sizeof length);
        folder.write(shard, file);
    }
    expect_all_pass(folder.path(), 3);
}

class Goldens : public testing::TestWithParam<GoldenFolder> {};
TEST_P(Goldens, PassTheirCases) { expect_all_pass(kGoldens / GetParam().name, GetParam().cases); }
INSTANTIATE_TEST_SUITE_P(Folders, Goldens, testing::ValuesIn(kGoldenFolders), golden_name);

// What is dispatched at run time, and every way to multiply: AMX, whole numbers, floats.
class Dispatch : public testing::TestWithParam<std::int64_t> {};
TEST_P(Dispatch, PassesTheGoldensWithEveryFastPath) {
    const ChosenInstructionSet chosen(GetParam());
    for (const kernels::FastPaths fast : {kernels::FastPaths{}, {.tiles = true, .whole_numbers = false}, {.tiles = false, .whole_numbers = true}, {.tiles = false, .whole_numbers = false}}) {
        SCOPED_TRACE(testing::Message() << "tiles " << fast.tiles << ", whole numbers " << fast.whole_numbers);
        kernels::set_fast_paths(fast);
        expect_all_pass(kGoldens / "glm4v-f32", 11);
        expect_all_pass(kGoldens / "glm4v-bf16", 3);
        expect_all_pass(kGoldens / "glm4-gguf-zoo", 1);
        expect_all_pass(kGoldens / "glm4v-gguf", 2);
        expect_all_pass(kGoldens / "glm4-ct-int4", 1);
    }
    kernels::set_fast_paths({});
}
INSTANTIATE_TEST_SUITE_P(InstructionSets, Dispatch, testing::ValuesIn(instruction_sets()),
                         [](const auto& each) { return std::string(hwy::TargetName(each.param)); });

class FullGoldens : public testing::TestWithParam<GoldenFolder> {};
TEST_P(FullGoldens, PassEveryCase) {
    const char* root = std::getenv("HANDEYE_GOLDENS");
    if (root == nullptr) {
        GTEST_SKIP() << "HANDEYE_GOLDENS does not name the folder of the full goldens";
    }
    expect_all_pass(fs::path(root) / GetParam().name, GetParam().cases);
}
INSTANTIATE_TEST_SUITE_P(Folders, FullGoldens, testing::ValuesIn(kFullGoldenFolders), golden_name);

// The cases of one model asked of another: everything is read, nothing agrees.
TEST(Verify, FailsAModelWithOtherWeightsAndSaysWhere) {
    TemporaryFolder folder;
    fs::copy(kGoldens / "glm4v-f32", folder.path(), fs::copy_options::recursive);
    std::string weights = folder.read("model.safetensors");
    for (std::size_t i = weights.size() - 40'000; i < weights.size(); i += 4) {
        weights[i + 3] = static_cast<char>(weights[i + 3] ^ 0x80); // signs near the end of the file
    }
    folder.write("model.safetensors", weights);
    const auto report = verify_model({.model_dir = folder.path(), .threads = 1}, kGoldens / "glm4v-f32");
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->pass);
    for (const CaseResult& c : report->cases) {
        EXPECT_TRUE(c.ids_equal) << c.name;
        if (c.name == "modes") {
            EXPECT_FALSE(c.pass);
            EXPECT_NE(c.why.find("first layer that differs"), std::string::npos) << c.why;
        }
    }
}

TEST(Verify, NamesWhatTheCasesFolderLacks) {
    TemporaryFolder folder;
    const auto report = verify_model({.model_dir = kGoldens / "glm4v-f32", .threads = 1}, folder.path());
    ASSERT_FALSE(report);
    EXPECT_NE(report.error().message.find("expected.safetensors"), std::string::npos) << report.error().message;
}

TEST(Verify, RefusesCasesThatDoNotFollowTheFormat) {
    TemporaryFolder folder;
    fs::copy(kGoldens / "glm4v-f32/expected.safetensors", folder.path());
    for (const char* text : {"{}", "[]", R"({"format":2,"cases":[],"tokenizer_cases":[]})", R"({"format":1,"cases":[{}]})",
                             R"({"format":1,"cases":[{"name":"a","messages":[{"role":"king","content":"x"}]}]})",
                             R"({"format":1,"cases":[{"name":"a","messages":[{"role":"user","content":[{"type":"image","path":"../x.png"}]}]}]})"}) {
        folder.write("cases.json", text);
        const auto report = verify_model({.model_dir = kGoldens / "glm4v-f32", .threads = 1}, folder.path());
        ASSERT_FALSE(report) << text;
        EXPECT_EQ(report.error().code, ErrorCode::ParseFailed) << report.error().message;
    }
}

} // namespace
} // namespace handeye
