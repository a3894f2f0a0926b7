// SPDX-License-Identifier: Apache-2.0
// A tiny twin of each published GGUF file, with the same mix of tensor types, agrees with the reference.
#include "engine/runtime/engine_core.h"
#include "gguf_twin.h"
#include "temporary_folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

const json& document() {
    static const json twins = json::parse(std::ifstream(HANDEYE_SOURCE_DIR "/tests/golden/engine/gguf_twins/twins.json"));
    return twins;
}

class GgufTwins : public testing::TestWithParam<std::size_t> {};

TEST_P(GgufTwins, AgreesWithTheReference) {
    const json& twin = document()["twins"][GetParam()];
    TemporaryFolder folder;
    folder.write("model.gguf", twin::file_of(document()["types"], twin));
    const auto core = EngineCore::open({.model_dir = folder.path(), .threads = 1, .context_tokens = 64, .kv_format = KvFormat::F32});
    ASSERT_TRUE(core) << core.error().message;
    EXPECT_TRUE((*core)->model().unused_tensors.empty());

    const auto prompt = twin["prompt"].get<std::vector<TokenId>>();
    auto logits = (*core)->feed(prompt, 0);
    ASSERT_TRUE(logits) << logits.error().message;
    const auto expected = twin["logits"].get<std::vector<double>>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR((*logits)[i], expected[i], 0.002) << "logit " << i; // as in the goldens of GGUF
    }
    std::vector<TokenId> greedy;
    while (greedy.size() < twin["greedy"].size()) {
        greedy.push_back(static_cast<TokenId>(std::max_element(logits->begin(), logits->end()) - logits->begin()));
        logits = (*core)->feed(std::array{greedy.back()}, 0);
        ASSERT_TRUE(logits) << logits.error().message;
    }
    EXPECT_EQ(greedy, twin["greedy"].get<std::vector<TokenId>>());
}

std::string twin_name(const testing::TestParamInfo<std::size_t>& each) {
    std::string name = document()["twins"][each.param]["name"];
    std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
    return "Of_" + name;
}
INSTANTIATE_TEST_SUITE_P(Published, GgufTwins, testing::Range(std::size_t{0}, std::size_t{66}), twin_name);

TEST(GgufTwins, AreAllOfThePublishedFiles) { EXPECT_EQ(document()["twins"].size(), 66U); }

} // namespace
} // namespace handeye
