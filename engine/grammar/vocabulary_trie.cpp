// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/vocabulary_trie.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kTokenBytesMax = 1024;
constexpr std::size_t kTokensMax = 4'000'000;

std::size_t common_length(std::string_view a, std::string_view b) {
    const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<std::size_t>(end - a.begin());
}

} // namespace

int TokenMask::count() const {
    return std::accumulate(words_.begin(), words_.end(), 0, [](int sum, std::uint64_t word) { return sum + std::popcount(word); });
}

Result<VocabularyTrie> VocabularyTrie::build(const std::vector<TokenEntry>& tokens, std::vector<TokenId> stop_ids) {
    if (tokens.empty() || tokens.size() > kTokensMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a vocabulary of {} tokens; from 1 to {}", tokens.size(), kTokensMax)};
    }
    for (const TokenId id : stop_ids) {
        if (id < 0 || static_cast<std::size_t>(id) >= tokens.size()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("the stop id {} is none of the vocabulary's {} tokens", id, tokens.size())};
        }
    }
    VocabularyTrie trie;
    trie.vocabulary_size_ = static_cast<int>(tokens.size());
    trie.stop_ids_ = std::move(stop_ids);
    std::vector<TokenId> order;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        trie.offsets_.push_back(static_cast<std::uint32_t>(trie.arena_.size()));
        trie.arena_ += tokens[i].bytes;
        const auto id = static_cast<TokenId>(i);
        if (tokens[i].is_added) {
            trie.added_.push_back({id, tokens[i].bytes});
        } else if (!tokens[i].bytes.empty() && tokens[i].bytes.size() <= kTokenBytesMax) {
            order.push_back(id);
        }
    }
    trie.offsets_.push_back(static_cast<std::uint32_t>(trie.arena_.size()));
    std::ranges::stable_sort(order, {}, [&](TokenId id) { return trie.bytes(id); });

    const auto first_long = std::ranges::stable_partition(order, [&](TokenId id) { return trie.bytes(id).size() <= kShortBytesMax; });
    trie.add_tree({order.begin(), first_long.begin()}, trie.short_nodes_);
    trie.add_tree({first_long.begin(), order.end()}, trie.long_nodes_);
    return trie;
}

/// `order` is sorted by bytes.
void VocabularyTrie::add_tree(const std::vector<TokenId>& order, std::vector<Node>& nodes) {
    std::vector<std::uint32_t> open; // the nodes of the token before, by depth
    std::string_view before;
    for (const TokenId id : order) {
        const std::string_view token = bytes(id);
        const std::size_t shared = common_length(before, token);
        if (shared == token.size() && token.size() == before.size() && !open.empty()) {
            twins_.push_back({nodes[open.back()].token, id});
            continue;
        }
        for (; open.size() > shared; open.pop_back()) {
            nodes[open.back()].end = static_cast<std::uint32_t>(nodes.size());
        }
        for (std::size_t i = shared; i < token.size(); ++i) {
            open.push_back(static_cast<std::uint32_t>(nodes.size()));
            nodes.push_back({0, -1, static_cast<std::uint16_t>(i + 1), static_cast<std::uint8_t>(token[i])});
        }
        nodes[open.back()].token = id;
        longest_bytes_ = std::max(longest_bytes_, token.size());
        before = token;
    }
    for (const std::uint32_t node : open) {
        nodes[node].end = static_cast<std::uint32_t>(nodes.size());
    }
}

Result<VocabularyTrie> VocabularyTrie::build(const Tokenizer& tokenizer, int vocabulary_size, std::vector<TokenId> stop_ids) {
    if (vocabulary_size < tokenizer.vocabulary_size()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the model's vocabulary of {} is smaller than its tokenizer's of {}", vocabulary_size,
                                                             tokenizer.vocabulary_size())};
    }
    std::vector<TokenEntry> tokens(static_cast<std::size_t>(vocabulary_size));
    for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
        TokenEntry& entry = tokens[static_cast<std::size_t>(id)];
        entry.bytes = tokenizer.token_bytes(id);
        entry.is_added = !entry.bytes.empty() && tokenizer.added_token(entry.bytes) == id;
    }
    return build(tokens, std::move(stop_ids));
}

std::string_view VocabularyTrie::bytes(TokenId id) const {
    if (id < 0 || id >= vocabulary_size_) {
        return {};
    }
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(arena_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
}

namespace {

/// Down the tree along `bytes`; whether anything follows there.
bool goes_on_after(const std::vector<VocabularyTrie::Node>& nodes, std::string_view bytes) {
    std::size_t from = 0;
    std::size_t end = nodes.size();
    for (const char c : bytes) {
        while (from < end && nodes[from].byte != static_cast<std::uint8_t>(c)) {
            from = nodes[from].end; // its sibling
        }
        if (from >= end) {
            return false;
        }
        end = nodes[from].end;
        ++from; // its first child
    }
    return from < end;
}

} // namespace

bool VocabularyTrie::has_longer(std::string_view bytes) const { return goes_on_after(short_nodes_, bytes) || goes_on_after(long_nodes_, bytes); }

bool VocabularyTrie::is_added(TokenId id) const {
    return std::ranges::binary_search(added_, id, {}, &AddedToken::id);
}

bool VocabularyTrie::is_stop(TokenId id) const {
    return std::ranges::find(stop_ids_, id) != stop_ids_.end();
}

} // namespace handeye
