// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a GGUF file carries in its metadata.
#include "engine/tokenizer/byte_alphabet.h"
#include "engine/tokenizer/tokenizer_data.h"
#include "engine/weights/gguf.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

enum class TokenType : std::int64_t { Normal = 1, Control = 3, UserDefined = 4, Unused = 5 };

Error malformed(std::string what) { return Error{ErrorCode::ParseFailed, "gguf: " + std::move(what)}; }

Result<void> check_kind(const GgufMetadata& metadata) {
    constexpr std::array<std::string_view, 2> kPatterns = {"glm4", "chatglm-bpe"}; // two names of one pattern
    const auto model = metadata.text("tokenizer.ggml.model");
    const auto pattern = metadata.text("tokenizer.ggml.pre");
    if (model != "gpt2" || !pattern || std::find(kPatterns.begin(), kPatterns.end(), *pattern) == kPatterns.end()) {
        return Error{ErrorCode::Unsupported,
                     fmt::format("gguf: the tokenizer is {} with the split pattern {}; known are gpt2 with glm4 or chatglm-bpe",
                                 utf8_repaired(model.value_or("absent")), utf8_repaired(pattern.value_or("absent")))};
    }
    return {};
}

Result<void> add_token(TokenizerBuilder& builder, const ByteAlphabet& alphabet, std::string_view text, std::int64_t type,
                       TokenId id) {
    switch (static_cast<TokenType>(type)) {
    case TokenType::Normal: return builder.vocabulary.add(id, TRY(alphabet.bytes_of(text)));
    case TokenType::Control:
    case TokenType::UserDefined: builder.added.push_back({std::string(text), id, static_cast<TokenType>(type) == TokenType::Control}); return {};
    case TokenType::Unused: return {};
    }
    return malformed(fmt::format("the token {} has the type {}", id, type));
}

Result<void> add_merges(TokenizerBuilder& builder, const ByteAlphabet& alphabet, const GgufStrings& merges) {
    builder.rules.reserve(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) {
        const std::size_t space = merges[i].find(' ');
        if (space == merges[i].npos) {
            return malformed(fmt::format("the merge {} is no pair", i));
        }
        const std::string left = TRY(alphabet.bytes_of(merges[i].substr(0, space)).with_context("merges"));
        const std::string right = TRY(alphabet.bytes_of(merges[i].substr(space + 1)).with_context("merges"));
        const auto left_id = builder.vocabulary.find(left);
        const auto right_id = builder.vocabulary.find(right);
        const auto joined_id = builder.vocabulary.find(left + right);
        if (!left_id || !right_id || !joined_id) {
            return malformed(fmt::format("the merge {} names a token that is not in the vocabulary", i));
        }
        builder.rules.add(*left_id, *right_id, {static_cast<std::uint32_t>(i), *joined_id});
    }
    return {};
}

} // namespace

Result<Tokenizer> Tokenizer::from_gguf(const GgufMetadata& metadata) {
    TRY(check_kind(metadata));
    const GgufStrings* tokens = metadata.strings("tokenizer.ggml.tokens");
    const GgufStrings* merges = metadata.strings("tokenizer.ggml.merges");
    const GgufIntegers* types = metadata.integers("tokenizer.ggml.token_type");
    if (tokens == nullptr || merges == nullptr || types == nullptr || types->size() != tokens->size()) {
        return malformed("tokens, token_type and merges are not lists that fit together");
    }
    if (tokens->size() > (std::size_t{1} << 24U)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("gguf: {} tokens", tokens->size())};
    }
    const ByteAlphabet alphabet;
    TokenizerBuilder builder;
    for (std::size_t i = 0; i < tokens->size(); ++i) {
        TRY(add_token(builder, alphabet, (*tokens)[i], (*types)[i], static_cast<TokenId>(i)).with_context("gguf tokens"));
    }
    TRY(builder.vocabulary.finish().with_context("gguf tokens"));
    TRY(add_merges(builder, alphabet, *merges));
    return std::move(builder).build();
}

} // namespace handeye
