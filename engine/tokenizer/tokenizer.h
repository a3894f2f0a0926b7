// SPDX-License-Identifier: Apache-2.0
// Byte-level BPE with added tokens: text <-> ids. Immutable after loading; any thread may use it.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/rendered.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

using TokenId = std::int32_t;
class GgufMetadata;

/// Whether added tokens ("<|user|>") inside a text become their single ids or stay ordinary text.
enum class AddedTokens { Recognised, AsText };

class Tokenizer {
public:
    struct Data; ///< for engine/tokenizer/ alone

    /// From tokenizer.json (byte-level BPE pipeline of the GLM family). Refuses pipelines it does not implement by name.
    static Result<Tokenizer> from_json_file(const std::filesystem::path& path);
    /// From a tiktoken-style file: lines of "base64 rank"; `added` get the ids after the last rank, in order.
    /// The split pattern is the GLM family's, and a piece that is a token is not merged (ignore_merges).
    static Result<Tokenizer> from_tiktoken_file(const std::filesystem::path& path, const std::vector<std::string>& added);

    /// From the metadata of a GGUF file: token texts with their types, and merges. Refuses other vocabularies and split patterns
    /// than the GLM family's by name.
    static Result<Tokenizer> from_gguf(const GgufMetadata& metadata);

    /// Adds nothing in front. Any bytes are accepted; bytes that are not UTF-8 encode as their byte tokens.
    [[nodiscard]] std::vector<TokenId> encode(std::string_view text, AddedTokens added) const;
    /// Encodes the joined text of a rendered prompt, so that pieces may span segments as in the reference. An added token
    /// whose id is in `text_in_content` stays ordinary text wherever any byte of it came from a message.
    [[nodiscard]] std::vector<TokenId> encode_rendered(const std::vector<RenderedSegment>& segments,
                                                       const std::vector<TokenId>& text_in_content) const;
    /// The raw bytes of one token (an added token's literal text); empty for an unknown id.
    [[nodiscard]] std::string_view token_bytes(TokenId id) const;
    /// Concatenated bytes with invalid UTF-8 replaced by U+FFFD. Added tokens are kept as text.
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const;
    /// The id of an added token by its text.
    [[nodiscard]] std::optional<TokenId> added_token(std::string_view text) const;
    /// An added token that its file calls special: what a reader of answers is not shown unless they ask.
    [[nodiscard]] bool is_special(TokenId id) const;
    /// Highest id + 1.
    [[nodiscard]] int vocabulary_size() const;

private:
    friend class TokenizerBuilder;
    std::shared_ptr<const Data> data_;
};

/// Turns a stream of token bytes into complete UTF-8 characters; an incomplete tail is held back.
class Utf8Stream {
public:
    /// The characters that became complete with `bytes`; invalid sequences become U+FFFD.
    std::string push(std::string_view bytes);
    /// What is left at the end, as U+FFFD where incomplete.
    std::string flush();

private:
    std::string held_;
};

} // namespace handeye
