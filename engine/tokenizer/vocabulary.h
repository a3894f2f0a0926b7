// SPDX-License-Identifier: Apache-2.0
// Token bytes by id and ids by bytes, and the merge rules of byte-pair encoding over them.
#pragma once

#include "engine/tokenizer/tokenizer.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace handeye {

/// Built once, then immutable. Token bytes lie in one arena.
class Vocabulary {
public:
    /// Ids may come in any order and leave gaps; an id or a text that is there already is refused.
    Result<void> add(TokenId id, std::string_view bytes);
    /// Builds the index. Errors: a byte value without a token of its own.
    Result<void> finish();

    [[nodiscard]] std::optional<TokenId> find(std::string_view bytes) const;
    [[nodiscard]] std::string_view bytes(TokenId id) const;
    [[nodiscard]] TokenId byte_token(std::uint8_t byte) const { return byte_tokens_[byte]; }
    [[nodiscard]] std::size_t longest_bytes() const { return longest_bytes_; }
    /// Highest id + 1.
    [[nodiscard]] int size() const { return static_cast<int>(spans_.size()); }

private:
    struct Span {
        std::uint32_t offset = 0;
        std::uint32_t length = 0; ///< 0: no such token
    };
    void insert(TokenId id);

    std::string arena_;
    std::vector<Span> spans_;
    std::vector<TokenId> slots_; ///< open addressing over spans_; -1: free
    std::array<TokenId, 256> byte_tokens_{};
    std::size_t longest_bytes_ = 0;
    std::size_t count_ = 0;
};

/// What two neighbouring tokens become; a lower rank merges first.
struct Merge {
    std::uint32_t rank = 0;
    TokenId id = 0;
};

/// Either an explicit list (tokenizer.json), or "any two whose concatenation is a token, by its id" (tiktoken).
class MergeRules {
public:
    static constexpr std::uint64_t key(TokenId left, TokenId right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U | static_cast<std::uint32_t>(right);
    }
    void set_by_id() { by_id_ = true; }
    void reserve(std::size_t count) { listed_.reserve(count); }
    /// The first of two equal pairs counts.
    void add(TokenId left, TokenId right, Merge merge) { listed_.emplace(key(left, right), merge); }
    /// `joined` is the bytes of both tokens.
    [[nodiscard]] std::optional<Merge> find(const Vocabulary& vocabulary, TokenId left, TokenId right,
                                            std::string_view joined) const;

private:
    struct Mix {
        std::size_t operator()(std::uint64_t value) const {
            value = (value ^ value >> 31U) * 0x9E3779B97F4A7C15ULL;
            return static_cast<std::size_t>(value ^ value >> 29U);
        }
    };
    bool by_id_ = false;
    std::unordered_map<std::uint64_t, Merge, Mix> listed_;
};

/// Byte-pair encodes one piece: the neighbours with the lowest rank join first, leftmost on ties, until none can.
/// O(n log n) in the piece's bytes.
void encode_piece(const Vocabulary& vocabulary, const MergeRules& rules, std::string_view piece,
                  std::vector<TokenId>& ids);

} // namespace handeye
