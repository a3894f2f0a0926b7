// SPDX-License-Identifier: Apache-2.0
// The rendered prompts as token ids: template and tokenizer of this program against an oracle's.
#include "tests/prompts/prompt_examples.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/tokenizer.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

std::string hash_of(const std::vector<TokenId>& ids) {
    std::string bytes;
    for (const TokenId id : ids) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes += static_cast<char>((static_cast<std::uint32_t>(id) >> shift) & 0xFFU);
        }
    }
    return to_hex(sha256(bytes));
}

TEST(PromptIds, EqualTheOraclesForEveryPrompt) {
    const std::filesystem::path root = HANDEYE_SOURCE_DIR;
    const auto tokenizer = Tokenizer::from_json_file(root / "models/nano/tokenizer.json");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    const auto source = read_file(root / "models/nano/chat_template.jinja", 1U << 18U);
    ASSERT_TRUE(source.has_value());
    const auto chat_template = ChatTemplate::parse(*source);
    ASSERT_TRUE(chat_template.has_value()) << chat_template.error().message;
    const auto oracle = read_json(root / "tests/golden/prompts/ids.json");
    ASSERT_TRUE(oracle.has_value());
    for (const examples::Named& named : examples::kAll) {
        const auto prompt = render_prompt(examples::short_input(named.prompt, named.surface));
        ASSERT_TRUE(prompt.has_value());
        const auto text = chat_template->render(prompt->request.messages, true, std::nullopt);
        ASSERT_TRUE(text.has_value()) << text.error().message;
        const std::vector<TokenId> ids = tokenizer->encode(*text, AddedTokens::Recognised);
        std::string key = named.key;
        std::ranges::replace(key, '/', '-');
        const nlohmann::json& want = oracle->at(key);
        ASSERT_GE(ids.size(), 16U);
        EXPECT_EQ(std::vector<TokenId>(ids.begin(), ids.begin() + 8), want.at("first").get<std::vector<TokenId>>()) << key;
        EXPECT_EQ(std::vector<TokenId>(ids.end() - 8, ids.end()), want.at("last").get<std::vector<TokenId>>()) << key;
        EXPECT_EQ(ids.size(), want.at("count").get<std::size_t>()) << key;
        EXPECT_EQ(hash_of(ids), want.at("sha256").get<std::string>()) << key;
    }
}

} // namespace
} // namespace handeye
