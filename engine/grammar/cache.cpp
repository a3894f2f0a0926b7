// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/cache.h"

#include <algorithm>

namespace handeye {

GrammarCache::GrammarCache(std::shared_ptr<const VocabularyTrie> vocabulary, Limits limits)
    : vocabulary_(std::move(vocabulary)), limits_(limits), masks_(std::make_shared<MaskStore>(limits.masks_bytes)) {}

std::shared_ptr<TokenGrammar> GrammarCache::find(std::string_view gbnf, AddedTokenUse added) {
    const auto known = std::ranges::find_if(entries_, [&](const Entry& e) { return e.added == added && e.text == gbnf; });
    if (known == entries_.end()) {
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, known);
    return entries_.front().grammar;
}

Result<std::shared_ptr<TokenGrammar>> GrammarCache::get(std::string_view gbnf, AddedTokenUse added) {
    {
        const std::lock_guard lock(mutex_);
        if (auto known = find(gbnf, added)) {
            return known;
        }
    }
    GrammarOptions options;
    std::ranges::transform(vocabulary_->added(), std::back_inserter(options.added_tokens), &VocabularyTrie::AddedToken::text);
    auto grammar = TRY(parse_grammar(gbnf, options)); // outside the lock: a large one takes a while
    auto made = std::make_shared<TokenGrammar>(std::move(grammar), vocabulary_, masks_, added);
    const std::lock_guard lock(mutex_);
    if (auto known = find(gbnf, added)) {
        return known; // two asked at once: both get the first
    }
    entries_.push_front({std::string(gbnf), added, made});
    text_bytes_ += gbnf.size();
    while (entries_.size() > 1 && (entries_.size() > limits_.grammars || text_bytes_ > limits_.texts_bytes)) {
        text_bytes_ -= entries_.back().text.size();
        entries_.pop_back();
    }
    return made;
}

} // namespace handeye
