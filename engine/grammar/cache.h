// SPDX-License-Identifier: Apache-2.0
// The grammars of one vocabulary by their text, with all their masks: what an engine keeps. Any threads.
#pragma once

#include "engine/grammar/token_grammar.h"

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace handeye {

class GrammarCache {
public:
    struct Limits {
        std::size_t masks_bytes = 64U << 20U; ///< of all masks; a mask of 151,552 tokens takes 18.5 KiB
        std::size_t grammars = 64;            ///< the one that was not asked for the longest goes first
        std::size_t texts_bytes = 16U << 20U;
    };
    explicit GrammarCache(std::shared_ptr<const VocabularyTrie> vocabulary) : GrammarCache(std::move(vocabulary), Limits()) {}
    GrammarCache(std::shared_ptr<const VocabularyTrie> vocabulary, Limits limits);

    /// The vocabulary's added tokens are those that a `<name>` in the text can mean. Errors as parse_grammar's.
    Result<std::shared_ptr<TokenGrammar>> get(std::string_view gbnf, AddedTokenUse added = AddedTokenUse::WhereNamed);
    [[nodiscard]] MaskStore::Counts mask_counts() const { return masks_->counts(); }
    [[nodiscard]] const VocabularyTrie& vocabulary() const { return *vocabulary_; }

private:
    struct Entry {
        std::string text;
        AddedTokenUse added = AddedTokenUse::WhereNamed;
        std::shared_ptr<TokenGrammar> grammar;
    };
    std::shared_ptr<TokenGrammar> find(std::string_view gbnf, AddedTokenUse added); ///< with mutex_ held

    const std::shared_ptr<const VocabularyTrie> vocabulary_;
    const Limits limits_;
    const std::shared_ptr<MaskStore> masks_;
    std::mutex mutex_;
    std::list<Entry> entries_; ///< newest first
    std::size_t text_bytes_ = 0;
};

} // namespace handeye
