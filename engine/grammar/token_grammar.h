// SPDX-License-Identifier: Apache-2.0
// A grammar over one vocabulary: which tokens may come next. Shared by the sequences that follow it; any threads.
#pragma once

#include "engine/grammar/lazy_dfa.h"
#include "engine/grammar/mask_store.h"

#include <memory>
#include <mutex>
#include <optional>
#include <span>

namespace handeye {

/// Whether an added token may stand for its text in a grammar that does not name it.
enum class AddedTokenUse { WhereNamed, ForItsText };

/// A state's mask, to be asked for by any thread (while the model still computes), whatever the matcher does meanwhile.
struct MaskKey {
    std::shared_ptr<LazyDfa> table;
    const DfaState* state = nullptr; ///< with counters cut to what any token can count; lives as long as `table`
    const DfaState* rough = nullptr; ///< with counters cut to what a short token can count: often the same
};

class TokenGrammar {
public:
    TokenGrammar(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const VocabularyTrie> vocabulary, std::shared_ptr<MaskStore> masks,
                 AddedTokenUse added);

    /// Errors: LimitExceeded, the grammar is so ambiguous here that its states do not fit.
    Result<MaskKey> key(const FrameStore& frames, const Positions& positions);
    Result<std::shared_ptr<const TokenMask>> mask(const MaskKey& key);
    /// It is kept, or being computed.
    [[nodiscard]] bool has_mask(const MaskKey& key) const;

    [[nodiscard]] const Network& network() const { return grammar_->network(); }
    [[nodiscard]] const VocabularyTrie& vocabulary() const { return *vocabulary_; }
    [[nodiscard]] AddedTokenUse added_token_use() const { return added_; }
    /// The symbol of an added token that the grammar names.
    [[nodiscard]] std::optional<std::uint32_t> symbol_of(TokenId id) const;
    /// The token of a symbol from 256 on.
    [[nodiscard]] TokenId token_of(std::uint32_t symbol) const { return named_[symbol - 256]; }

private:
    std::shared_ptr<LazyDfa> new_table() const;
    Result<std::shared_ptr<const TokenMask>> compute(const MaskKey& key) const;
    Result<std::shared_ptr<const TokenMask>> compute_short(const MaskKey& key) const;
    [[nodiscard]] bool allow_rest(const MaskKey& key, TokenMask& mask) const;

    const std::shared_ptr<const Grammar> grammar_;
    const std::shared_ptr<const VocabularyTrie> vocabulary_;
    const std::shared_ptr<MaskStore> masks_;
    const AddedTokenUse added_;
    std::vector<TokenId> named_; ///< ids of the network's tokens; -1: not in this vocabulary
    std::mutex mutex_;           ///< over table_
    std::shared_ptr<LazyDfa> table_;
};

} // namespace handeye
