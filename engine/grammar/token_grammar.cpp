// SPDX-License-Identifier: Apache-2.0
// A mask is one walk over the tree of the vocabulary, a table's row by the hand: where the grammar has no way on, the whole branch goes.
#include "engine/grammar/token_grammar.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr std::size_t kTableBytesMax = 64U << 20U;
constexpr std::size_t kWorkOfAMaskMax = 8'000'000; ///< positions looked at for states that were not known: a tenth of a second

/// A token ends at most as many turns of a loop as it has bytes, and one more begins: beyond that counters make no difference.
std::uint32_t counter_max(std::size_t token_bytes) {
    return static_cast<std::uint32_t>(token_bytes) + 2;
}

/// Allows the tokens of one tree that can follow. False: the table is full, or its states cost too much.
bool walk(const std::vector<VocabularyTrie::Node>& nodes, LazyDfa& table, const DfaState& from, TokenMask& mask) {
    const auto& byte_class = table.network().byte_class;
    const DfaState* const dead = table.dead();
    const std::size_t work_max = table.work() + kWorkOfAMaskMax;
    std::vector<const DfaState*> path(1, &from);
    for (std::uint32_t i = 0; i < nodes.size();) {
        const VocabularyTrie::Node& node = nodes[i];
        const DfaState* const to = table.next(*path[node.depth - 1U], byte_class[node.byte]);
        if (to == dead) {
            i = node.end;
            continue;
        }
        if (to == nullptr || table.work() > work_max) {
            return false;
        }
        if (node.depth == path.size()) {
            path.push_back(to);
        } else {
            path[node.depth] = to;
        }
        if (node.token >= 0) {
            mask.allow(node.token);
        }
        ++i;
    }
    return true;
}

} // namespace

TokenGrammar::TokenGrammar(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const VocabularyTrie> vocabulary,
                           std::shared_ptr<MaskStore> masks, AddedTokenUse added)
    : grammar_(std::move(grammar)), vocabulary_(std::move(vocabulary)), masks_(std::move(masks)), added_(added) {
    for (const std::string& text : network().tokens) {
        const auto token = std::ranges::find(vocabulary_->added(), text, &VocabularyTrie::AddedToken::text);
        named_.push_back(token == vocabulary_->added().end() ? -1 : token->id);
    }
    table_ = new_table();
}

std::shared_ptr<LazyDfa> TokenGrammar::new_table() const {
    return std::make_shared<LazyDfa>(grammar_, kTableBytesMax);
}

std::optional<std::uint32_t> TokenGrammar::symbol_of(TokenId id) const {
    const auto found = std::ranges::find(named_, id);
    return found == named_.end() ? std::nullopt : std::optional(256 + static_cast<std::uint32_t>(found - named_.begin()));
}

Result<MaskKey> TokenGrammar::key(const FrameStore& frames, const Positions& positions) {
    MaskKey key;
    {
        const std::lock_guard lock(mutex_);
        if (table_->size_bytes() > kTableBytesMax / 2) { // others may still hold the old one
            table_ = new_table();
        }
        key.table = table_;
    }
    key.state = key.table->find(frames, positions, counter_max(vocabulary_->longest_bytes()));
    key.rough = key.table->find(frames, positions, counter_max(VocabularyTrie::kShortBytesMax));
    return key.state == nullptr || key.rough == nullptr ? Result<MaskKey>(too_ambiguous()) : Result<MaskKey>(std::move(key));
}

Result<std::shared_ptr<const TokenMask>> TokenGrammar::mask(const MaskKey& key) {
    return masks_->get({key.table->serial(), key.state->index}, [&] { return compute(key); });
}

bool TokenGrammar::has_mask(const MaskKey& key) const { return masks_->holds({key.table->serial(), key.state->index}); }

Result<std::shared_ptr<const TokenMask>> TokenGrammar::compute_short(const MaskKey& key) const {
    auto mask = std::make_shared<TokenMask>(vocabulary_->vocabulary_size());
    if (!walk(vocabulary_->short_nodes(), *key.table, *key.rough, *mask)) {
        return too_ambiguous();
    }
    return std::shared_ptr<const TokenMask>(std::move(mask));
}

/// Short tokens see no counter beyond the rough state's, so that the places of a text of up to 100 characters share their mask; long
/// ones are few and looked at from the exact state.
Result<std::shared_ptr<const TokenMask>> TokenGrammar::compute(const MaskKey& key) const {
    std::shared_ptr<TokenMask> mask;
    if (key.rough == key.state) {
        mask = std::make_shared<TokenMask>(vocabulary_->vocabulary_size());
        if (!walk(vocabulary_->short_nodes(), *key.table, *key.rough, *mask)) {
            return too_ambiguous();
        }
    } else {
        mask = std::make_shared<TokenMask>(
            *TRY(masks_->get({key.table->serial(), key.rough->index, TokenLengths::Short}, [&] { return compute_short(key); })));
    }
    if (!walk(vocabulary_->long_nodes(), *key.table, *key.state, *mask) || !allow_rest(key, *mask)) {
        return too_ambiguous();
    }
    return std::shared_ptr<const TokenMask>(std::move(mask));
}

/// Tokens with the bytes of others, added tokens, and the end.
bool TokenGrammar::allow_rest(const MaskKey& key, TokenMask& mask) const {
    LazyDfa& table = *key.table;
    for (const VocabularyTrie::Twin twin : vocabulary_->twins()) {
        if (mask.allows(twin.first)) {
            mask.allow(twin.other);
        }
    }
    const auto classes = static_cast<std::uint32_t>(network().class_byte.size());
    for (std::uint32_t i = 0; i < named_.size(); ++i) {
        const DfaState* const to = table.next(*key.state, classes + i);
        if (to == nullptr) {
            return false;
        }
        if (to != table.dead() && named_[i] >= 0) {
            mask.allow(named_[i]);
        }
    }
    for (const VocabularyTrie::AddedToken& token : vocabulary_->added()) {
        if (added_ == AddedTokenUse::WhereNamed || token.text.empty()) {
            continue;
        }
        const DfaState* to = key.state;
        for (std::size_t i = 0; i < token.text.size() && to != nullptr; ++i) {
            to = table.next(*to, network().byte_class[static_cast<unsigned char>(token.text[i])]);
        }
        if (to == nullptr) {
            return false;
        }
        if (to != table.dead()) {
            mask.allow(token.id);
        }
    }
    if (key.state->may_end) {
        for (const TokenId id : vocabulary_->stop_ids()) {
            mask.allow(id);
        }
    }
    return true;
}

} // namespace handeye
