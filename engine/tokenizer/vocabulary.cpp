// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/vocabulary.h"

#include <bit>
#include <functional>
#include <limits>
#include <queue>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr TokenId kIdMax = (1 << 24) - 1;
constexpr std::size_t kTokenBytesMax = 64 * 1024;

std::size_t hash_of(std::string_view bytes) { return std::hash<std::string_view>{}(bytes); }

} // namespace

Result<void> Vocabulary::add(TokenId id, std::string_view bytes) {
    if (id < 0 || id > kIdMax) {
        return Error{ErrorCode::OutOfBounds, fmt::format("token id {} lies outside 0 to {}", id, kIdMax)};
    }
    if (bytes.empty() || bytes.size() > kTokenBytesMax) {
        return Error{ErrorCode::OutOfBounds,
                     fmt::format("token {} has {} bytes; 1 to {} are allowed", id, bytes.size(), kTokenBytesMax)};
    }
    if (arena_.size() + bytes.size() > std::numeric_limits<std::uint32_t>::max()) {
        return Error{ErrorCode::LimitExceeded, "the vocabulary's tokens have more than 4 GiB together"};
    }
    const auto index = static_cast<std::size_t>(id);
    if (index < spans_.size() && spans_[index].length != 0) {
        return Error{ErrorCode::ParseFailed, fmt::format("token id {} is given twice", id)};
    }
    if (index >= spans_.size()) {
        spans_.resize(index + 1);
    }
    spans_[index] = {static_cast<std::uint32_t>(arena_.size()), static_cast<std::uint32_t>(bytes.size())};
    arena_ += bytes;
    longest_bytes_ = std::max(longest_bytes_, bytes.size());
    ++count_;
    return {};
}

void Vocabulary::insert(TokenId id) {
    std::size_t slot = hash_of(bytes(id)) & (slots_.size() - 1);
    while (slots_[slot] >= 0) {
        slot = (slot + 1) & (slots_.size() - 1);
    }
    slots_[slot] = id;
}

Result<void> Vocabulary::finish() {
    slots_.assign(std::bit_ceil(count_ * 2 + 2), -1);
    for (TokenId id = 0; id < size(); ++id) {
        const std::string_view text = bytes(id);
        if (text.empty()) {
            continue;
        }
        if (const auto other = find(text)) {
            return Error{ErrorCode::ParseFailed, fmt::format("tokens {} and {} are the same bytes", *other, id)};
        }
        insert(id);
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
        const char text = static_cast<char>(byte);
        const auto id = find({&text, 1});
        if (!id) {
            return Error{ErrorCode::ParseFailed, fmt::format("the vocabulary has no token for byte 0x{:02X}", byte)};
        }
        byte_tokens_[byte] = *id;
    }
    return {};
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
    if (text.empty() || text.size() > longest_bytes_) {
        return std::nullopt;
    }
    for (std::size_t slot = hash_of(text) & (slots_.size() - 1); slots_[slot] >= 0;
         slot = (slot + 1) & (slots_.size() - 1)) {
        if (bytes(slots_[slot]) == text) {
            return slots_[slot];
        }
    }
    return std::nullopt;
}

std::string_view Vocabulary::bytes(TokenId id) const {
    if (id < 0 || id >= size()) {
        return {};
    }
    const Span span = spans_[static_cast<std::size_t>(id)];
    return std::string_view(arena_).substr(span.offset, span.length);
}

std::optional<Merge> MergeRules::find(const Vocabulary& vocabulary, TokenId left, TokenId right,
                                      std::string_view joined) const {
    if (by_id_) {
        const auto id = vocabulary.find(joined);
        return id ? std::optional(Merge{static_cast<std::uint32_t>(*id), *id}) : std::nullopt;
    }
    const auto found = listed_.find(key(left, right));
    return found == listed_.end() ? std::nullopt : std::optional(found->second);
}

namespace {

// A doubly linked list over the piece; a symbol is named by the offset of its first byte.
struct Symbol {
    TokenId id = 0;
    std::uint32_t length = 0; ///< 0: swallowed by its left neighbour
    std::uint32_t previous = 0;
};

struct Candidate {
    std::uint32_t rank = 0;
    std::uint32_t at = 0;
    std::uint32_t length = 0; ///< of both symbols when it was found: a candidate whose symbols changed since is stale
    TokenId id = 0;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

class PieceEncoder {
public:
    PieceEncoder(const Vocabulary& vocabulary, const MergeRules& rules, std::string_view piece)
        : vocabulary_(vocabulary), rules_(rules), piece_(piece), symbols_(piece.size()) {
        for (std::uint32_t i = 0; i < symbols_.size(); ++i) {
            symbols_[i] = {vocabulary.byte_token(static_cast<std::uint8_t>(piece[i])), 1, i == 0 ? 0 : i - 1};
        }
        for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) {
            consider(i);
        }
    }

    void run(std::vector<TokenId>& ids) {
        while (!queue_.empty()) {
            const Candidate best = queue_.top();
            queue_.pop();
            join(best);
        }
        for (std::size_t at = 0; at < symbols_.size(); at += symbols_[at].length) {
            ids.push_back(symbols_[at].id);
        }
    }

private:
    void consider(std::uint32_t at) {
        const Symbol& left = symbols_[at];
        const std::uint32_t next = at + left.length;
        if (next >= symbols_.size()) {
            return;
        }
        const std::uint32_t length = left.length + symbols_[next].length;
        if (const auto merge = rules_.find(vocabulary_, left.id, symbols_[next].id, piece_.substr(at, length))) {
            queue_.push({merge->rank, at, length, merge->id});
        }
    }

    void join(const Candidate& best) {
        Symbol& left = symbols_[best.at];
        const std::uint32_t next = best.at + left.length;
        // Symbols only grow, so equal lengths mean that neither side has changed.
        if (left.length == 0 || next >= symbols_.size() || left.length + symbols_[next].length != best.length) {
            return;
        }
        symbols_[next].length = 0;
        left.length = best.length;
        left.id = best.id;
        if (const std::uint32_t after = best.at + best.length; after < symbols_.size()) {
            symbols_[after].previous = best.at;
        }
        if (best.at > 0) {
            consider(left.previous);
        }
        consider(best.at);
    }

    const Vocabulary& vocabulary_;
    const MergeRules& rules_;
    std::string_view piece_;
    std::vector<Symbol> symbols_;
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue_;
};

} // namespace

void encode_piece(const Vocabulary& vocabulary, const MergeRules& rules, std::string_view piece,
                  std::vector<TokenId>& ids) {
    // A single piece of 4 GiB would overflow the offsets; its parts are encoded one after another.
    constexpr std::size_t kPieceBytesMax = 64U << 20U;
    for (; piece.size() > kPieceBytesMax; piece.remove_prefix(kPieceBytesMax)) {
        PieceEncoder(vocabulary, rules, piece.substr(0, kPieceBytesMax)).run(ids);
    }
    PieceEncoder(vocabulary, rules, piece).run(ids);
}

} // namespace handeye
