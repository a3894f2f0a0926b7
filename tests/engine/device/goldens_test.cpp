// SPDX-License-Identifier: Apache-2.0
// Whole models through the device's graphs and kernels, on the host: the reference's goldens, at the tolerances that the processor has.
#include "engine/device/model_on_device.h"
#include "engine/engine.h"
#include "host_device.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine";

void expect_all_pass(const fs::path& dir, std::size_t cases) {
    const auto report = verify_model({.model_dir = dir, .threads = 2, .opened_device = open_host_device()}, dir);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->cases.size(), cases);
    for (const CaseResult& c : report->cases) {
        EXPECT_TRUE(c.pass) << c.name << ": " << c.why;
        EXPECT_TRUE(c.greedy_equal) << c.name;
    }
    EXPECT_TRUE(report->pass);
}

struct Folder {
    const char* name;
    std::size_t cases;
};

std::string test_name(const testing::TestParamInfo<Folder>& each) {
    std::string name = each.param.name;
    std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '_'; }, 'X');
    return name;
}

// Families and weight formats, each once.
class OnDevice : public testing::TestWithParam<Folder> {};
TEST_P(OnDevice, PassesItsCases) { expect_all_pass(kGoldens / GetParam().name, GetParam().cases); }
INSTANTIATE_TEST_SUITE_P(Goldens, OnDevice,
                         testing::Values(Folder{"glm4v-f32", 11}, Folder{"glm4v-bf16", 3}, Folder{"chatglm-f32", 2}, Folder{"glm4-gptq-int4-actorder", 1}, Folder{"glm4-ct-int4", 1},
                                         Folder{"glm4-mlx-4bit", 1}, Folder{"glm4-gguf-zoo", 1}, Folder{"glm4v-gguf", 2}, Folder{"glm4v_moe-awq-int4", 2},
                                         Folder{"glm4v_moe-mlx-3bit", 2}, Folder{"glm4v-gptqmodel-mix", 2}, Folder{"glm4-mlx_lm-6bit", 1}),
                         test_name);

class OnDeviceFull : public testing::TestWithParam<Folder> {};
TEST_P(OnDeviceFull, PassesEveryCase) {
    const char* root = std::getenv("HANDEYE_GOLDENS");
    if (root == nullptr) {
        GTEST_SKIP() << "HANDEYE_GOLDENS does not name the folder of the full goldens";
    }
    expect_all_pass(fs::path(root) / GetParam().name, GetParam().cases);
}
INSTANTIATE_TEST_SUITE_P(
    Goldens, OnDeviceFull,
    testing::Values(Folder{"glm4v-f32", 12}, Folder{"glm4v-bf16", 12}, Folder{"glm4-f32", 5}, Folder{"glm4-bf16", 5}, Folder{"glm-f32", 5}, Folder{"chatglm-f32", 5},
                    Folder{"glm4v_moe-f32", 13}, Folder{"glm4v_moe-bf16", 13}, Folder{"glm4v-gptq-int4-v1", 3}, Folder{"glm4-gptq-int4-actorder", 2}, Folder{"glm4-gptq-int4-v2", 2},
                    Folder{"glm4v-gptq-int4-int8-mix", 3}, Folder{"glm4v-awq-int4", 3}, Folder{"glm4v_moe-awq-int4", 3}, Folder{"glm4-ct-int4", 2}, Folder{"glm4-ct-int8", 2},
                    Folder{"glm4v_moe-fp8-ct", 3}, Folder{"glm4v_moe-fp8-block", 3}, Folder{"glm4-mlx-4bit", 2}, Folder{"glm4-mlx-6bit", 2}, Folder{"glm4-mlx-8bit", 2},
                    Folder{"glm4v_moe-mlx-3bit", 3}, Folder{"glm4v_moe-mlx-4bit", 3}, Folder{"glm4v_moe-mlx-5bit", 3}, Folder{"glm4-gguf-q4_0", 2}, Folder{"glm4-gguf-q8_0", 2},
                    Folder{"glm4-gguf-q4_k_m", 2}, Folder{"glm4-gguf-iq4_nl", 2}, Folder{"glm4-gguf-zoo", 2}, Folder{"glm4v-gguf", 3}, Folder{"glm4v_moe-gguf", 3},
                    Folder{"chatglm-gguf", 2}),
    test_name);

} // namespace
} // namespace handeye
