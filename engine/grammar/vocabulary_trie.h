// SPDX-License-Identifier: Apache-2.0
// A vocabulary as a tree of bytes, and the set of its tokens that may come next. Built once per tokenizer, then immutable.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// One bit per token id.
class TokenMask {
public:
    explicit TokenMask(int vocabulary_size) : words_((static_cast<std::size_t>(vocabulary_size) + 63) / 64) {}
    [[nodiscard]] std::span<const std::uint64_t> words() const { return words_; }
    [[nodiscard]] bool allows(TokenId id) const {
        const auto bit = static_cast<std::size_t>(id);
        return id >= 0 && bit / 64 < words_.size() && (words_[bit / 64] >> (bit % 64) & 1U) != 0;
    }
    void allow(TokenId id) { words_[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1} << (static_cast<unsigned>(id) % 64); }
    [[nodiscard]] int count() const;
    [[nodiscard]] std::size_t size_bytes() const { return words_.size() * sizeof(std::uint64_t); }

private:
    std::vector<std::uint64_t> words_;
};

/// What a token is made of. Empty bytes: no such token, never allowed.
struct TokenEntry {
    std::string bytes;
    bool is_added = false; ///< a tag such as "<|user|>": allowed only where a grammar names it, or its request says so
};

class VocabularyTrie {
public:
    /// Tokens of more bytes than this have a tree of their own: they are few, and alone see how far a counter of a grammar still goes.
    static constexpr std::size_t kShortBytesMax = 16;
    /// In depth-first order; a node's children follow it, and what begins differently comes after its `end`.
    struct Node {
        std::uint32_t end = 0;
        TokenId token = -1; ///< -1: only a beginning of tokens
        std::uint16_t depth = 0;
        std::uint8_t byte = 0;
    };
    struct Twin {
        TokenId first = 0;
        TokenId other = 0; ///< has the same bytes
    };
    struct AddedToken {
        TokenId id = 0;
        std::string text;
    };

    /// By id. InvalidArgument: no tokens, or a stop id that is none. Tokens of more than 1,024 bytes are never allowed.
    static Result<VocabularyTrie> build(const std::vector<TokenEntry>& tokens, std::vector<TokenId> stop_ids);
    /// `vocabulary_size`: the width of the model's logits, at least the tokenizer's own size.
    static Result<VocabularyTrie> build(const Tokenizer& tokenizer, int vocabulary_size, std::vector<TokenId> stop_ids);

    [[nodiscard]] const std::vector<Node>& short_nodes() const { return short_nodes_; }
    [[nodiscard]] const std::vector<Node>& long_nodes() const { return long_nodes_; }
    [[nodiscard]] const std::vector<Twin>& twins() const { return twins_; }
    [[nodiscard]] const std::vector<AddedToken>& added() const { return added_; }
    [[nodiscard]] const std::vector<TokenId>& stop_ids() const { return stop_ids_; }
    [[nodiscard]] bool is_stop(TokenId id) const;
    [[nodiscard]] int vocabulary_size() const { return vocabulary_size_; }
    /// The bytes of an ordinary token or an added one; empty: none.
    [[nodiscard]] std::string_view bytes(TokenId id) const;
    [[nodiscard]] bool is_added(TokenId id) const;
    /// Whether an ordinary token begins with `bytes` and goes on.
    [[nodiscard]] bool has_longer(std::string_view bytes) const;
    [[nodiscard]] std::size_t longest_bytes() const { return longest_bytes_; }

private:
    void add_tree(const std::vector<TokenId>& order, std::vector<Node>& nodes);

    std::vector<Node> short_nodes_;
    std::vector<Node> long_nodes_;
    std::vector<Twin> twins_;
    std::vector<AddedToken> added_; ///< by id
    std::vector<TokenId> stop_ids_;
    std::string arena_;
    std::vector<std::uint32_t> offsets_; ///< by id, one more than ids
    int vocabulary_size_ = 0;
    std::size_t longest_bytes_ = 0;
};

} // namespace handeye
