// SPDX-License-Identifier: Apache-2.0
// Folders of goldens and how many cases each has: families and weight formats, each once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace handeye::test {

inline const std::filesystem::path kGoldens = std::filesystem::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine";

struct GoldenFolder {
    const char* name;
    std::size_t cases;
};

/// In the repository, below kGoldens.
inline constexpr GoldenFolder kGoldenFolders[] = {
    {"glm4v-f32", 11},   {"glm4v-bf16", 3}, {"chatglm-f32", 2},        {"glm4-gptq-int4-actorder", 1}, {"glm4-ct-int4", 1},        {"glm4-mlx-4bit", 1},
    {"glm4-gguf-zoo", 1}, {"glm4v-gguf", 2}, {"glm4v_moe-awq-int4", 2}, {"glm4v_moe-mlx-3bit", 2},      {"glm4v-gptqmodel-mix", 2}, {"glm4-mlx_lm-6bit", 1},
};

/// Below the folder that HANDEYE_GOLDENS names.
inline constexpr GoldenFolder kFullGoldenFolders[] = {
    {"glm4v-f32", 12},          {"glm4v-bf16", 12},             {"glm4-f32", 5},        {"glm4-bf16", 5},          {"glm-f32", 5},
    {"chatglm-f32", 5},         {"glm4v_moe-f32", 13},          {"glm4v_moe-bf16", 13}, {"glm4v-gptq-int4-v1", 3}, {"glm4-gptq-int4-actorder", 2},
    {"glm4-gptq-int4-v2", 2},   {"glm4v-gptq-int4-int8-mix", 3}, {"glm4v-awq-int4", 3},  {"glm4v_moe-awq-int4", 3}, {"glm4-ct-int4", 2},
    {"glm4-ct-int8", 2},        {"glm4v_moe-fp8-ct", 3},        {"glm4v_moe-fp8-block", 3}, {"glm4-mlx-4bit", 2},  {"glm4-mlx-6bit", 2},
    {"glm4-mlx-8bit", 2},       {"glm4v_moe-mlx-3bit", 3},      {"glm4v_moe-mlx-4bit", 3}, {"glm4v_moe-mlx-5bit", 3}, {"glm4-gguf-q4_0", 2},
    {"glm4-gguf-q8_0", 2},      {"glm4-gguf-q4_k_m", 2},        {"glm4-gguf-iq4_nl", 2}, {"glm4-gguf-zoo", 2},     {"glm4v-gguf", 3},
    {"glm4v_moe-gguf", 3},      {"chatglm-gguf", 2},
};

inline std::string golden_name(const testing::TestParamInfo<GoldenFolder>& each) {
    std::string name = each.param.name;
    std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '_'; }, 'X');
    return name;
}

} // namespace handeye::test
