// SPDX-License-Identifier: Apache-2.0
// The bundled model answers as the reference implementation does, token by token (models/nano/train/agree.py).
#include "asking.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

const std::filesystem::path kScreens = test::kNano / "eval/agreement";
constexpr int kTokensMax = 96; ///< agree.py's

std::vector<nlohmann::json> screens() {
    std::vector<nlohmann::json> out;
    std::ifstream file(kScreens / "answers.jsonl");
    for (std::string line; std::getline(file, line);) {
        out.push_back(nlohmann::json::parse(line));
    }
    return out;
}

/// Of 200 every `step`-th, less those of which one id was chosen by a lesser margin (a difference of logits).
void expect_the_same_answers(KvFormat format, std::size_t step, double margin_min) {
    const auto scheduler = test::open_scheduler(test::kNano, {}, 0, format);
    const std::vector<nlohmann::json> all = screens();
    ASSERT_EQ(all.size(), 200U);
    for (std::size_t i = 0; i < all.size(); i += step) {
        const nlohmann::json& screen = all[i];
        if (screen.at("margin") < margin_min) {
            continue;
        }
        ChatRequest request = test::ask(screen.at("prompt"), kTokensMax);
        request.messages[0].parts.emplace_back(ImagePart{read_image(kScreens / screen.at("picture").get<std::string>()).value()});
        std::vector<TokenId> want = screen.at("ids"), said = test::answer(*scheduler, request).ids;
        if (want.size() < kTokensMax && said.size() + 1 == want.size()) { // the id that ends an answer is none of it
            want.pop_back();
        }
        EXPECT_EQ(said, want) << screen.at("picture") << ", least margin " << screen.at("margin");
    }
}

bool is_full() { return std::getenv("HANDEYE_FULL") != nullptr; }

TEST(Agreement, OfAnswersWithTheReferenceOnManyScreens) { expect_the_same_answers(KvFormat::F32, is_full() ? 1 : 20, 0); }

TEST(Agreement, WithKeysAndValuesOfSixteenBits) { expect_the_same_answers(EngineOptions().kv_format, is_full() ? 1 : 40, 0.01); }

} // namespace
} // namespace handeye
